"""A store has the pixels of every file that can be decoded, decodes none twice, and survives what happens to it."""

import os
import shutil
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from drawn_places import draw_place, photo, signature, write
from listening import Notes
from PIL import Image

from omnitwin.data import store as stores
from omnitwin.data.places import list_images
from omnitwin.data.store import fill_store, store_folder
from omnitwin.data.store_index import INDEX, read_index, write_index
from omnitwin.errors import CannotRun, CannotWrite
from omnitwin.images import packing
from omnitwin.images.facts import examine
from omnitwin.images.intake import read_picture
from omnitwin.images.packing import CHANGED, pack_record, seen_of, state_of
from omnitwin.recipes import View

COUNTS = {"cup": 3, "jar": 2, "pen": 4}
VIEW = View(height=20, width=24, channels=3, frame="photo")


@pytest.fixture
def place(tmp_path):
    """Nine photos, last changed long ago."""
    return aged(draw_place(tmp_path / "place", COUNTS))


def aged(folder, seconds=1000):
    for path in folder.rglob("*.*"):
        os.utime(path, (time.time() - seconds,) * 2)
    return folder


def filled(place, view=VIEW, reporter=None, processes=0):
    return fill_store(list_images(place), view, **({"reporter": reporter} if reporter else {}), processes=processes)


def pixels_of(store):
    return {file.path: store.pixels_RCHW[row].tobytes() for file, row in zip(store.files, store.row_N, strict=True)}


def decoded(place, view=VIEW):
    """What is wanted: each file decoded by itself."""
    found = {}
    for file in list_images(place).files:
        found[file.path] = read_picture(place / file.path, lambda picture: seen_of(picture, view)).tobytes()
    return found


def only_pixels(place, view=VIEW):
    (path,) = store_folder(place, view).glob("pixels-*")
    return path


@pytest.mark.parametrize("processes", [0, 2])
def test_a_store_has_the_pixels_and_the_facts_of_every_file(place, processes):
    store = filled(place, processes=processes)
    assert pixels_of(store) == decoded(place)
    assert store.decoded == len(store.files) == 9
    assert list(store.facts) == [examine(str(place / file.path)) for file in store.files]
    assert not store.pixels_RCHW.flags.writeable


@pytest.mark.parametrize("view", [VIEW, View(height=16, width=16), View(height=8, width=30, frame="ink")])
def test_each_view_has_a_store_of_its_own(place, view):
    filled(place)
    store = filled(place, view)
    assert store.pixels_RCHW.shape == (9, view.channels, view.height, view.width)
    assert pixels_of(store) == decoded(place, view)


def test_nothing_is_decoded_twice(place):
    first = filled(place)
    again = filled(place)
    assert again.decoded == 0
    assert pixels_of(again) == pixels_of(first)
    assert list(again.facts) == list(first.facts)
    assert all(again.is_sound(index, again.pixels_RCHW[row]) for index, row in enumerate(again.row_N))


def test_only_what_was_changed_added_or_removed_is_done_again(place):
    filled(place)
    write(place / "cup" / "0.png", photo("changed"))
    write(place / "jug" / "0.png", photo("added"))
    (place / "pen" / "2.png").unlink()
    store = filled(place)
    assert store.decoded == 2
    assert pixels_of(store) == decoded(place)
    assert filled(place).decoded == 0


def test_a_change_that_keeps_size_and_time_is_seen(place):
    path = place / "cup" / "0.bmp"
    write(path, photo(1))
    there = path.stat()
    filled(place)
    write(path, photo(2))
    os.utime(path, ns=(there.st_atime_ns, there.st_mtime_ns))
    assert path.stat().st_size == there.st_size
    assert pixels_of(filled(place)) == decoded(place)


def test_a_file_that_was_just_written_is_read_once_its_next_change_would_show(tmp_path):
    place = draw_place(tmp_path / "place", {"a": 1})
    filled(place)
    for seed in range(5):
        write(place / "a" / "0.png", photo(seed))
        assert pixels_of(filled(place)) == decoded(place)


def test_a_broken_file_is_named_and_read_again_only_once_it_changes(place):
    path = place / "cup" / "1.png"
    path.write_text("no picture")
    store = filled(place)
    assert [(each.path, each.reason) for each in store.broken] == [("cup/1.png", "is no image that Pillow can read")]
    assert len(store.files) == 8
    again = filled(place)
    assert (again.decoded, again.broken) == (0, store.broken)
    write(path, photo("mended"))
    mended = filled(place)
    assert (mended.decoded, mended.broken) == (1, ())
    assert pixels_of(mended) == decoded(place)


def test_another_version_of_pillow_tries_the_broken_files_again(place, monkeypatch):
    (place / "cup" / "1.png").write_text("no picture")
    filled(place)
    monkeypatch.setattr(stores, "readers", lambda: "pillow 999")
    assert filled(place).decoded == 1
    assert filled(place).decoded == 0


def test_a_file_that_vanishes_while_packing_is_named(place):
    listing = list_images(place)
    (place / "jar" / "1.png").unlink()
    store = fill_store(listing, VIEW, processes=0)
    assert [(each.path, each.reason) for each in store.broken] == [("jar/1.png", "does not exist")]
    write(place / "jar" / "1.png", photo("back"))
    assert pixels_of(filled(place)) == decoded(place)


def test_a_file_that_changes_while_it_is_read_is_left_out_and_read_the_next_time(place, monkeypatch):
    victim = place / "pen" / "0.png"
    real = packing.read_picture

    def read(path, take):
        found = real(path, take)
        if path == victim:
            write(victim, photo("later"))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(packing, "read_picture", read)
        store = filled(place)
    assert [(each.path, each.reason) for each in store.broken] == [("pen/0.png", CHANGED)]
    assert filled(place).decoded == 1


def test_a_table_of_boxes_has_a_row_for_each_box(place):
    (place / "list.csv").write_text(
        "path,label,x_1,y_1,x_2,y_2\ncup/0.png,left,0,0,20,30\ncup/0.png,right,20,0,40,30\ncup/0.png,far,90,0,99,9\n"
    )
    table = place / "list.csv"
    store = filled(table)
    halves = [photo(("cup", 0)).crop((left, 0, left + 20, 30)) for left in (0, 20)]
    assert [store.pixels_RCHW[row].tobytes() for row in store.row_N] == [
        seen_of(half, VIEW).tobytes() for half in halves
    ]
    assert len(store.broken) == 1
    table.write_text("path,label,x_1,y_1,x_2,y_2\ncup/0.png,left,0,0,20,30\n")
    assert (len(filled(table).files), filled(table).decoded) == (1, 0)


def test_a_file_that_a_table_names_twice_is_decoded_once(place):
    (place / "list.csv").write_text("path,label\ncup/0.png,a\ncup/0.png,b\n")
    store = filled(place / "list.csv")
    assert (store.decoded, len(store.files), len(set(store.row_N.tolist()))) == (1, 2, 1)


@pytest.mark.skipif(os.name == "nt", reason="names that Windows forbids")
def test_names_of_every_kind_are_kept(tmp_path):
    folders = [b"new\nline", b"esc\x1b[31m", b"latin\xe9", "füße".encode(), b"sp ace"]
    for folder in folders:
        path = os.path.join(os.fsencode(tmp_path / "place"), folder)
        os.makedirs(path)
        photo(folder).save(os.path.join(os.fsdecode(path), "1.png"))
    place = aged(tmp_path / "place")
    assert pixels_of(filled(place)) == decoded(place)
    assert filled(place).decoded == 0


def test_when_most_rows_are_of_files_that_are_gone_the_others_are_kept_in_a_smaller_file(place):
    before = pixels_of(filled(place))
    old = filled(place)  # somebody who has it open goes on seeing what was there
    for label in ("cup", "pen"):
        shutil.rmtree(place / label)
    store = filled(place)
    assert store.decoded == 0
    assert pixels_of(store) == decoded(place)
    assert only_pixels(place).stat().st_size == 2 * 3 * 20 * 24
    assert pixels_of(old) == before


def test_who_has_a_store_open_keeps_its_pixels_while_others_change_it(place):
    old = filled(place)
    before = pixels_of(old)
    for round in range(4):
        for index in range(3):
            write(place / "cup" / f"{index}.png", photo((round, index)))
        assert pixels_of(filled(place)) == decoded(place)
    assert pixels_of(old) == before


def cut(path):
    os.truncate(path, path.stat().st_size - 1)


def changed(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


def replaced(path, make):
    path.unlink()
    make(path)


DAMAGES = {
    "cut": cut,
    "empty": lambda path: path.write_bytes(b""),
    "gone": lambda path: path.unlink(),
    "text": lambda path: path.write_text("{" * 5000),
    "huge claim": lambda path: path.write_bytes(b"\xff" * 7 + b"\x7f" + b"{}"),
    "link": lambda path: (path.rename(path.with_name("x")), path.symlink_to("x")),
    "pipe": lambda path: replaced(path, os.mkfifo),
}


@pytest.mark.skipif(os.name == "nt", reason="links and pipes")
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("which", ["index", "pixels"])
def test_what_is_damaged_or_no_file_is_made_again_with_a_note(place, which, damage):
    filled(place)
    DAMAGES[damage](store_folder(place, VIEW) / INDEX if which == "index" else only_pixels(place))
    notes = Notes()
    store = filled(place, reporter=notes)
    assert store.decoded == 9
    assert pixels_of(store) == decoded(place)
    assert len(notes.said) == (0 if (which, damage) == ("index", "gone") else 1)
    assert filled(place).decoded == 0


def test_a_damaged_byte_anywhere_in_an_index_never_gives_wrong_pixels(place):
    filled(place)
    wanted, path = decoded(place), store_folder(place, VIEW) / INDEX
    whole = path.read_bytes()
    for position in range(0, len(whole), len(whole) // 40):
        content = bytearray(path.read_bytes())
        content[position] ^= 1 << position % 8
        path.write_bytes(content)
        assert pixels_of(filled(place)) == wanted


def test_an_index_that_is_whole_but_by_somebody_else_is_read_with_care(place):
    """Its checksum is right, and what it says cannot be."""
    filled(place)
    folder = store_folder(place, VIEW)

    def rows(index):
        index.entries_N["row"][3] = 9

    def huge(index):
        index.rows = 1 << 40

    def sizes(index):
        index.entries_N["width"][0] = 0

    def names(index):
        index.keys[2] = b"\xff\xfe"

    def twice(index):
        index.keys[2] = index.keys[1]

    def problems(index):
        index.problems[1] = "a problem, and pixels too"

    def elsewhere(index):
        index.pixels = "../../../pixels-0123456789abcdef"

    for change in (rows, huge, sizes, names, twice, problems, elsewhere):
        index = read_index(folder)
        change(index)
        write_index(folder, index)
        assert pixels_of(filled(place)) == decoded(place), change.__name__


def test_damaged_pixels_are_found_decoded_again_and_the_store_made_again(place):
    filled(place)
    changed(only_pixels(place))
    store, notes = filled(place), Notes()
    bad = [index for index, row in enumerate(store.row_N) if not store.is_sound(index, store.pixels_RCHW[row])]
    assert len(bad) == 1
    assert store.decoded_again(bad[0], notes).tobytes() == decoded(place)[store.files[bad[0]].path]
    assert len(notes.said) == 1
    again = filled(place)
    assert again.decoded == 9
    assert pixels_of(again) == decoded(place)


@pytest.mark.skipif(os.name == "nt", reason="needs links")
@pytest.mark.parametrize("part", ["cache", "pictures", "store"])
def test_no_folder_of_the_cache_that_is_a_link_is_followed(place, home, tmp_path, part):
    folder = store_folder(place, VIEW)
    link = {"cache": home / "cache", "pictures": home / "cache" / "pictures", "store": folder}[part]
    link.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "elsewhere").mkdir()
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CannotRun, match="is a link"):
        filled(place)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_disk_without_room_is_found_before_the_work(place, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1000, 990, 10))
    with pytest.raises(CannotWrite, match=r"9 images take 0\.0 MB, and 0\.0 MB are free"):
        filled(place)
    assert not list(store_folder(place, VIEW).parent.rglob("pixels-*"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_an_interruption_keeps_what_was_decoded(place):
    notes = Notes()

    class Stop:
        def __enter__(self):
            self.left = 4
            return self.advance

        def advance(self, count):
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt

        def __exit__(self, *_):
            pass

    notes.task = lambda *_: Stop()
    with pytest.raises(KeyboardInterrupt):
        filled(place, reporter=notes)
    store = filled(place)
    assert store.decoded == 5
    assert pixels_of(store) == decoded(place)


def test_two_at_once_do_the_work_once(place):
    """The second waits for the first, and says so."""
    notes, found = [Notes(), Notes()], []
    threads = [threading.Thread(target=lambda own=own: found.append(filled(place, reporter=own))) for own in notes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(store.decoded for store in found) == [0, 9]
    assert pixels_of(found[0]) == pixels_of(found[1]) == decoded(place)


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_decoder_that_kills_its_process_costs_its_file_only(place, tmp_path):
    """The file is tried again the next time: it may have been the machine's fault."""
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom omnitwin.data.places import list_images\n"
        "from omnitwin.data.store import fill_store\nfrom omnitwin.recipes import View\n"
        "import crashing\n"
        "store = fill_store(list_images(Path(sys.argv[1])), View(height=20, width=24, channels=3, frame='photo'),"
        " processes=2)\nprint(len(store.files), store.decoded, *(each.reason for each in store.broken))\n"
    )
    (tmp_path / "crashing.py").write_text(
        "import os, signal\nfrom omnitwin.data import store\nreal = store.pack_record\n"
        "def pack(path, *words):\n"
        "    if path.endswith('jar/0.png'):\n        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return real(path, *words)\n"
        "store.pack_record = pack\n"
    )
    variables = {**os.environ, "PYTHONPATH": str(tmp_path)}
    for wanted in ("8 9", "8 1"):
        command = [sys.executable, "-c", script, str(place)]
        said = subprocess.run(command, env=variables, capture_output=True, text=True, check=True).stdout
        assert said.strip() == f"{wanted} killed the process that read it (SIGKILL)"


def test_a_worker_tells_that_the_disk_is_full(place, tmp_path):
    found = pack_record(str(place / "cup" / "0.png"), None, vars(VIEW), str(tmp_path / "none" / "scratch"), 0)
    assert found == {"unwritten": "No such file or directory"}


def test_the_state_of_a_file_that_is_not_there_is_that_of_no_file(tmp_path):
    assert state_of(str(tmp_path / "none")) == state_of("with\0nul") == (0, 0, 0)


def test_transparent_large_and_grey_pictures_are_stored_as_seen(tmp_path):
    place = tmp_path / "place"
    write(place / "a" / "0.png", photo(1).convert("RGBA"))
    write(place / "a" / "1.png", signature(2, (900, 300)))
    write(place / "b" / "0.png", Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) * 100))
    assert pixels_of(filled(place)) == decoded(place)
