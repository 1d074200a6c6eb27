"""Packing that is killed, or meets a full disk or files that come and go: nothing is lost, and no pixel is wrong."""

import os
import random
import resource
import shutil
import signal
import threading
import time
from collections import Counter
from functools import partial

import pytest
from drawn_places import draw_place, photo, write
from faulty import can_mount, fill, small_disk
from killing import left_over, run_and_kill

from omnitwin.data import store as stores
from omnitwin.data.places import list_images
from omnitwin.data.store import fill_store, store_folder
from omnitwin.errors import CannotWrite
from omnitwin.images.intake import read_picture
from omnitwin.images.packing import seen_of
from omnitwin.recipes import View

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")

KILLS = int(os.environ.get("OMNITWIN_TEST_KILLS", "40"))
VIEW = View(height=12, width=16, channels=3, frame="photo")
ROW = 12 * 16 * 3
KILLED, ENDED = 9, 0
COUNTS = {"cup": 4, "jar": 3, "pen": 5}


@pytest.fixture
def place(tmp_path):
    return draw_place(tmp_path / "place", COUNTS)


def pack(place, processes=0):
    return fill_store(list_images(place), VIEW, processes=processes)


def pixels_of(store):
    return {file.path: store.pixels_RCHW[row].tobytes() for file, row in zip(store.files, store.row_N, strict=True)}


def wanted(place):
    return {
        file.path: read_picture(place / file.path, lambda picture: seen_of(picture, VIEW)).tobytes()
        for file in list_images(place).files
    }


def pack_often(place):
    """Pack, with an index now and then; then what has changed, and then what is left of very little."""
    stores.SAVE_SECONDS = 0.0
    pack(place)
    for index in range(2):
        write(place / "cup" / f"{index}.png", photo(("new", index)))
    (place / "jar" / "0.png").unlink(missing_ok=True)
    pack(place)
    for label in ("cup", "pen"):
        shutil.rmtree(place / label, ignore_errors=True)
    pack(place)


@pytest.mark.slow
def test_packing_killed_at_any_change_of_the_disk_goes_on_with_the_right_pixels(place, home, tmp_path, monkeypatch):
    def at(number):
        """A place and a home of its own."""
        monkeypatch.setenv("OMNITWIN_HOME", str(tmp_path / f"home-{number}"))
        return shutil.copytree(place, tmp_path / f"place-{number}")

    status, seen = run_and_kill(partial(pack_often, at(0)), tmp_path)
    assert status == ENDED
    assert seen["half way through rows"] >= 15
    kills = 0
    for moment in range(1, seen.total() + 1):
        own = at(moment)
        status, _ = run_and_kill(partial(pack_often, own), tmp_path, moment)
        kills += status == KILLED
        store = pack(own)
        assert pixels_of(store) == wanted(own), moment
        assert all(store.is_sound(index, store.pixels_RCHW[row]) for index, row in enumerate(store.row_N)), moment
        assert left_over(store.folder) == [], moment
        assert sorted(path.name.partition("-")[0] for path in store.folder.iterdir()) == [
            "index.safetensors",
            "pixels",
        ], moment
        shutil.rmtree(own), shutil.rmtree(os.environ["OMNITWIN_HOME"])
    print(f"\n{kills} kills, one at each of {seen.total()} moments: {dict(seen)}")
    assert kills == seen.total()


@pytest.mark.slow
def test_packing_by_several_processes_killed_again_and_again_gets_to_its_end(tmp_path):
    """What a killed one left is taken up, and its own processes, which end a little later, write over nothing."""
    own = draw_place(tmp_path / "place", dict.fromkeys("abcdefgh", 40))
    expected, dice, ends = wanted(own), random.Random(0), Counter()

    def work():
        stores.SAVE_SECONDS = 0.05
        pack(own, processes=2)

    start = time.monotonic()
    assert run_and_kill(work, tmp_path)[0] == ENDED
    seconds = time.monotonic() - start
    while ends[KILLED] < KILLS:
        shutil.rmtree(store_folder(own, VIEW), ignore_errors=True)
        for _ in range(10):
            status, _ = run_and_kill(work, tmp_path, after=dice.uniform(0, seconds))
            ends[status] += 1
            if status == ENDED:
                break
        store = pack(own, processes=2)
        assert pixels_of(store) == expected
        assert left_over(store.folder) == []
    print(f"\n{ends[KILLED]} kills at random, {ends[ENDED]} came to their end before")


@pytest.mark.slow
def test_a_kill_costs_only_what_was_decoded_since_the_last_index(place, tmp_path):
    def work():
        stores.SAVE_SECONDS, stores.SAVE_SHARE = 0.0, 1e9  # an index after every image
        pack(place)

    _, seen = run_and_kill(work, tmp_path)
    shutil.rmtree(store_folder(place, VIEW))
    assert run_and_kill(work, tmp_path, seen.total() * 2 // 3)[0] == KILLED
    assert 0 < pack(place).decoded <= 6


@pytest.mark.parametrize("processes", [0, 2])
@pytest.mark.parametrize("room", [0, 100, ROW, 5 * ROW + 1, 11 * ROW])
def test_a_disk_that_fills_up_is_told_in_one_line_and_leaves_nothing_half_written(place, tmp_path, room, processes):
    """All changed files have to be packed again; those packed before stay."""

    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing too much is then an error, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        with pytest.raises(CannotWrite, match=r"cannot write .*File too large|cannot write .*No space left") as refused:
            pack(place, processes)
        assert "\n" not in refused.value.line()

    assert run_and_kill(limited, tmp_path)[0] == ENDED
    folder = store_folder(place, VIEW)
    assert left_over(folder) == []
    assert [path.stat().st_size for path in folder.glob("pixels-*")] in ([], [0])
    store = pack(place, processes)
    assert (store.decoded, pixels_of(store)) == (12, wanted(place))


@pytest.mark.parametrize("processes", [0, 2])
def test_a_disk_that_fills_up_keeps_what_was_packed_before(place, tmp_path, processes):
    before = pack(place)
    for index in range(40):
        write(place / "more" / f"{index}.png", photo(index))
    room = 13 * ROW

    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        with pytest.raises(CannotWrite, match="cannot write"):
            pack(place, processes)

    assert run_and_kill(limited, tmp_path)[0] == ENDED
    assert pixels_of(before).items() <= wanted(place).items()
    assert [path.stat().st_size for path in before.folder.glob("pixels-*")] == [12 * ROW]
    store = pack(place, processes)
    assert (store.decoded, pixels_of(store)) == (40, wanted(place))


@pytest.mark.skipif(not can_mount(), reason="needs a disk of its own: root, and nothing that forbids mounting")
@pytest.mark.parametrize("spare", [0, 4096, 12_288, 20_480])
def test_on_a_full_disk_it_is_the_same(place, tmp_path, monkeypatch, spare):
    with small_disk(tmp_path / "disk", 1 << 18) as disk:
        monkeypatch.setenv("OMNITWIN_HOME", str(disk / "home"))
        fill(disk, spare)
        with pytest.raises(CannotWrite) as refused:
            pack(place)
        assert "\n" not in refused.value.line()
        assert list((disk / "home").rglob("pixels-*")) == [] or store_folder(place, VIEW).exists()
        (disk / "filler").unlink()
        assert pixels_of(pack(place)) == wanted(place)


@pytest.mark.parametrize("moment", ["write_whole", "write_index", "NewEntries"])
def test_a_cache_that_is_deleted_while_it_is_filled_is_told_in_one_line(place, monkeypatch, moment):
    real = getattr(stores, moment)

    def delete_and_go_on(*words):
        done = real(*words)
        shutil.rmtree(store_folder(place, VIEW), ignore_errors=True)
        return done

    with monkeypatch.context() as patch:
        patch.setattr(stores, moment, delete_and_go_on)
        with pytest.raises(CannotWrite) as refused:
            pack(place)
    assert "\n" not in refused.value.line()
    assert pixels_of(pack(place)) == wanted(place)


def test_files_that_change_come_and_go_while_they_are_packed_are_right_or_left_out(tmp_path):
    """Whatever was packed meanwhile: once all is quiet, the store has what the files have."""
    own = draw_place(tmp_path / "place", dict.fromkeys("abcd", 12))
    dice, quiet = random.Random(0), threading.Event()

    def disturb():
        while not quiet.is_set():
            path = own / dice.choice("abcd") / f"{dice.randrange(14)}.png"
            if dice.random() < 0.3:
                path.unlink(missing_ok=True)
            elif dice.random() < 0.3:
                path.write_bytes(b"half")
            else:
                write(path, photo(dice.random()))

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        for _ in range(6):
            store = pack(own)
            assert len(store.files) + len(store.broken) == len(store.listing.files) + len(store.broken)
    finally:
        quiet.set()
        thread.join()
    for path in own.rglob("*.png"):
        if path.stat().st_size < 10:
            path.unlink()
    assert pixels_of(pack(own)) == wanted(own)
