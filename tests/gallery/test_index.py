"""An index of image files: made once, brought up to date by reading only what is new or changed, never lost or half."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from hostile import HOSTILE, as_file_name
from pictures import age, bundled, die_on_b, draw, index, names_in
from PIL import Image

import omnitwin
from omnitwin.errors import BadInput, CannotRun, FolderInUse
from omnitwin.gallery import reading
from omnitwin.gallery.index import read_gallery
from omnitwin.gallery.indexes import find_index, list_indexes, remove_index
from omnitwin.gallery.stored import read_stored, write_stored
from omnitwin.images.things import draw_thing
from omnitwin.reports.progress import SILENT
from omnitwin.system.locks import hold

CHANGES = ("new", "changed", "moved", "removed", "unchanged")


def changes(report):
    return {name: getattr(report, name) for name in CHANGES if getattr(report, name)}


@pytest.fixture
def photos(tmp_path):
    return draw(tmp_path / "photos", "a.png", "b.png", "deep/c.png", "deep/er/d.png")


@pytest.fixture
def decoded(monkeypatch):
    """The names of files that are decoded from now on."""
    names = []
    seen = reading._seen
    monkeypatch.setattr(reading, "_seen", lambda path, view: names.append(os.path.basename(path)) or seen(path, view))
    return names


def test_an_index_holds_each_image_with_its_facts_and_the_embedding_of_the_network(photos):
    with Image.open(photos / "a.png") as image:
        turned = image.getexif()
        turned[0x0112] = 6  # to be turned by a quarter
        image.save(photos / "a.png", exif=turned)
    report = index(photos)
    head, gallery = read_gallery(report.folder)
    assert changes(report) == {"new": 4}
    assert [item.name for item in gallery.items] == ["a.png", "b.png", "deep/c.png", "deep/er/d.png"]
    assert (gallery.items[0].width, gallery.items[0].height) == (60, 120)
    assert (gallery.items[1].width, gallery.items[1].height) == (120, 60)
    assert gallery.root == photos
    assert gallery.items[1].size == (photos / "b.png").stat().st_size
    assert gallery.items[1].mtime_ns == (photos / "b.png").stat().st_mtime_ns
    assert head.weights_sha256 == gallery.weights_sha256 == bundled().sha256
    wanted = omnitwin.load("bundled").embed([gallery.path(place) for place in range(4)])
    assert gallery.embedding_ND.dtype == np.float32
    assert np.abs(gallery.embedding_ND - wanted).max() < 2**-11  # of 16 bits, between 0.5 and 1
    assert np.linalg.norm(gallery.embedding_ND, axis=1) == pytest.approx(1, abs=1e-6)


def test_several_processes_make_the_index_that_one_makes(photos, tmp_path):
    draw(photos, *(f"more/{number}.png" for number in range(14)))
    alone = index(photos, output=tmp_path / "alone")
    report = omnitwin.index(photos, output=tmp_path / "together", twin=omnitwin.load("bundled"), processes=2)
    assert report.images == alone.images == 18
    together, one = (read_gallery(folder)[1] for folder in (report.folder, alone.folder))
    assert together.items == one.items
    assert together.embedding_ND.tobytes() == one.embedding_ND.tobytes()


def test_files_that_have_not_changed_are_not_opened_again(photos, monkeypatch):
    report = index(photos)
    before = (report.folder / "embeddings.safetensors").read_bytes()
    monkeypatch.setattr(reading, "read_record", lambda *task: pytest.fail("a file was read"))
    monkeypatch.setattr("omnitwin.gallery.embedding.read_record", reading.read_record)
    again = index(photos)
    assert changes(again) == {"unchanged": 4}
    assert again.embedded == 0
    after = read_stored(report.folder / "embeddings.safetensors")
    assert list(after.items) == list(read_gallery(report.folder)[1].items)
    assert len(before) == (report.folder / "embeddings.safetensors").stat().st_size


def test_new_changed_moved_and_removed_files_are_taken_in_and_only_they_are_decoded(photos, decoded):
    first = index(photos)
    decoded.clear()
    draw(photos, "new.png")
    write_other(photos / "a.png")
    (photos / "b.png").rename(photos / "deep" / "moved.png")
    (photos / "deep" / "c.png").unlink()
    report = index(photos)
    assert changes(report) == {"new": 1, "changed": 1, "moved": 1, "removed": 1, "unchanged": 1}
    assert sorted(decoded) == ["a.png", "new.png"]
    assert names_in(report.folder) == ["a.png", "deep/er/d.png", "deep/moved.png", "new.png"]
    old, new = (read_gallery(folder)[1] for folder in (first.folder, index(photos, name="anew").folder))
    assert old.items == new.items
    assert old.embedding_ND.tobytes() == new.embedding_ND.tobytes()


def write_other(path):
    Image.open(path).transpose(Image.Transpose.ROTATE_180).save(path)


def test_a_file_that_was_only_touched_counts_as_unchanged_and_is_not_decoded(photos, decoded):
    index(photos)
    decoded.clear()
    age(photos / "a.png")
    report = index(photos)
    assert (changes(report), decoded) == ({"unchanged": 4}, [])
    assert read_gallery(report.folder)[1].items[0].mtime_ns == (photos / "a.png").stat().st_mtime_ns


def test_a_copy_is_new_and_a_file_that_is_broken_now_is_unread(photos):
    index(photos)
    (photos / "copy.png").write_bytes((photos / "a.png").read_bytes())
    (photos / "b.png").write_text("no image any more")
    report = index(photos)
    assert changes(report) == {"new": 1, "unchanged": 3}
    assert [image.file for image in report.unread] == [photos / "b.png"]
    stored = read_gallery(report.folder)[1]
    assert [(image.file, "no image" in image.problem) for image in stored.unread] == [(photos / "b.png", True)]


def test_a_folder_that_was_moved_as_a_whole_is_known_by_the_names_in_it(photos, tmp_path, decoded):
    index(photos, name="mine")
    decoded.clear()
    photos.rename(tmp_path / "elsewhere")
    report = index(tmp_path / "elsewhere", name="mine")
    assert (changes(report), decoded) == ({"unchanged": 4}, [])
    assert report.root == tmp_path / "elsewhere"


def test_an_index_is_not_mixed_up_with_that_of_another_folder(photos, tmp_path):
    before = names_in(index(photos, name="mine").folder)
    other = draw(tmp_path / "other", "x.png")
    with pytest.raises(BadInput, match=r"holds the images of .*photos, not of .*other"):
        index(other, name="mine")
    report = index(other, name="mine", rebuild=True)
    assert names_in(report.folder) == ["x.png"] != before


def test_a_disk_that_is_not_there_does_not_leave_its_index_to_another_folder_of_that_name(photos, tmp_path):
    folder = index(photos).folder
    before = (folder / "embeddings.safetensors").read_bytes()
    photos.rename(tmp_path / "not mounted")
    other = draw(tmp_path / "elsewhere" / "photos", "a.png", "x.png")
    with pytest.raises(BadInput, match="holds the images of"):
        index(other)
    assert (folder / "embeddings.safetensors").read_bytes() == before


def test_an_index_knows_its_places_and_a_further_one_can_be_added(photos, tmp_path):
    first = index(photos / "deep", name="mine")
    report = index(photos / "deep", photos / "a.png", name="mine")
    assert changes(report) == {"new": 1, "unchanged": 2}
    assert names_in(first.folder) == ["a.png", "deep/c.png", "deep/er/d.png"]
    (photos / "deep" / "c.png").unlink()
    assert changes(index(name="mine")) == {"unchanged": 2, "removed": 1}


def test_a_place_that_is_missing_or_empty_changes_nothing(photos, tmp_path):
    """A disk that is not mounted must not empty the index of what is on it."""
    folder = index(photos, name="mine").folder
    before = (folder / "embeddings.safetensors").read_bytes()
    photos.rename(tmp_path / "away")
    with pytest.raises(BadInput, match="photos cannot be used: No such file"):
        index(photos, name="mine")
    photos.mkdir()
    with pytest.raises(BadInput, match="photos holds no image files"):
        index(photos, name="mine")
    assert (folder / "embeddings.safetensors").read_bytes() == before


def test_images_in_a_folder_that_may_not_be_read_now_stay_in_the_index(photos, monkeypatch):
    index(photos)
    scandir = os.scandir

    def forbidding(path):
        if path == photos / "deep":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr("omnitwin.data.folder.os.scandir", forbidding)
    report = index(photos)
    assert changes(report) == {"unchanged": 4}
    assert [image.problem for image in report.unread] == [f"{photos / 'deep'} may not be read: Permission denied."]


def test_another_network_is_refused_with_what_to_do(photos):
    index(photos)
    other = replace(bundled(), sha256="0" * 64)
    with pytest.raises(BadInput) as refused:
        index(photos, verifier=other)
    assert "was made with other weights (bundled)" in refused.value.line()
    assert "--rebuild" in refused.value.line()
    report = index(photos, verifier=other, rebuild=True)
    assert (report.embedded, read_gallery(report.folder)[1].weights_sha256) == (4, "0" * 64)


def test_a_network_without_distances_between_embeddings_is_refused_before_anything_is_read(photos, home):
    description = replace(
        bundled().description, network=replace(bundled().description.network, head="difference", members=1)
    )
    with pytest.raises(BadInput, match="no distance between embeddings"):
        index(photos, verifier=replace(bundled(), description=description))
    assert not (home / "data" / "indexes").exists()


class Stopping:
    """A reporter that calls `stop` when so many images are done."""

    def __init__(self, after, stop):
        self.after, self.stop, self.done = after, stop, 0
        self.note = self.warn = SILENT.note
        self.training = SILENT.training

    @contextmanager
    def task(self, label, total, unit):
        yield self.advance

    def advance(self, count):
        self.done += count
        if self.done == self.after:
            self.stop()


def interrupt():
    raise KeyboardInterrupt


def test_after_ctrl_c_all_that_was_embedded_is_kept(photos, decoded):
    draw(photos, *(f"{number}.png" for number in range(8)))
    with pytest.raises(KeyboardInterrupt, match="8 of 12 images were embedded"):
        index(photos, reporter=Stopping(9, interrupt), at_once=4)
    decoded.clear()
    report = index(photos)
    assert (len(decoded), report.embedded, report.images, changes(report)) == (4, 4, 12, {"new": 12})


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r}), sys.path.insert(0, {tests!r} + "/gallery")
from pathlib import Path
from pictures import index
from test_index import Stopping
index(Path(sys.argv[1]), reporter=Stopping(int(sys.argv[2]), lambda: os.kill(os.getpid(), signal.SIGKILL)),
      save_seconds=0, at_once=2)
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_killed_again_and_again_it_goes_on_and_ends_with_the_index_of_a_run_that_was_not(photos, tmp_path):
    draw(photos, *(f"{number}.png" for number in range(8)))
    (photos / "3.png").write_text("broken")
    whole = index(photos, output=tmp_path / "whole").folder
    tests = os.path.dirname(os.path.dirname(__file__))
    folder, kept = None, []
    for after in (1, 3, 4, 5, 2):
        program = [sys.executable, "-c", KILLED.format(tests=tests), photos, str(after)]
        done = subprocess.run(program, capture_output=True, text=True, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr
        folder = list_indexes().indexes[0].folder
        parts = sorted(folder.glob("omnitwin-part-*"))
        for part in parts:
            read_stored(part)  # complete, or not there
        assert not (folder / "embeddings.safetensors").exists()
        kept.append(sum(len(read_stored(part).items) for part in parts))
    assert kept == sorted(kept)  # nothing that was kept is lost
    assert kept[-1] >= 6
    report = index(photos)
    assert report.embedded == 11 - kept[-1]
    assert sorted(path.name for path in report.folder.iterdir()) == ["embeddings.safetensors"]
    left, right = (read_gallery(each)[1] for each in (whole, report.folder))
    assert left.items == right.items
    assert left.embedding_ND.tobytes() == right.embedding_ND.tobytes()
    assert left.unread == right.unread


def test_a_kill_between_the_index_and_the_removal_of_its_parts_leaves_nothing_wrong(photos, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("omnitwin.gallery.index.write_stored", killed_after_index)
        with pytest.raises(SystemError, match="killed"):
            index(photos, save_seconds=0, at_once=1)
    (photos / "a.png").unlink()
    report = index(photos)
    assert names_in(report.folder) == ["b.png", "deep/c.png", "deep/er/d.png"]
    assert [path.name for path in report.folder.iterdir()] == ["embeddings.safetensors"]


def killed_after_index(path, stored):
    write_stored(path, stored)
    if path.name == "embeddings.safetensors":
        raise SystemError("killed")


def test_a_damaged_part_is_left_out_and_its_images_are_read_again(photos):
    with pytest.raises(KeyboardInterrupt):
        index(photos, reporter=Stopping(3, interrupt), save_seconds=0, at_once=1)
    (folder,) = (each.folder for each in list_indexes().indexes)
    part = min(folder.glob("omnitwin-part-*"))
    content = bytearray(part.read_bytes())
    content[-1] ^= 1
    part.write_bytes(content)
    report = index(photos)
    assert (report.images, report.embedded) == (4, 2)


def test_files_of_others_beside_an_index_stay_as_they_are(photos, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in ("part-000001.safetensors", "model.safetensors"):
        (mine / name).write_bytes(b"somebody else's")
    index(photos, output=mine, save_seconds=0, at_once=1)
    assert sorted(path.name for path in mine.iterdir()) == [
        "embeddings.safetensors",
        "model.safetensors",
        "part-000001.safetensors",
    ]
    (mine / "embeddings.safetensors").write_bytes(b"somebody else's")
    with pytest.raises(BadInput, match="cannot be used"):
        index(photos, output=mine)
    assert (mine / "embeddings.safetensors").read_bytes() == b"somebody else's"


@pytest.mark.skipif(os.name == "nt", reason="making links takes a privilege")
def test_no_link_below_home_is_followed(photos, home, tmp_path):
    (home / "data" / "indexes").mkdir(parents=True)
    (home / "data" / "indexes" / "photos").symlink_to(tmp_path)
    with pytest.raises(CannotRun, match="is a link to"):
        index(photos)
    assert list_indexes().indexes == ()
    assert not (tmp_path / "embeddings.safetensors").exists()


def test_two_writers_do_not_write_one_index(photos, home):
    folder = index(photos).folder
    with hold(folder), pytest.raises(FolderInUse, match="is in use by process"):
        index(photos)
    with hold(folder), pytest.raises(FolderInUse):
        remove_index("photos")
    assert names_in(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="names that other systems do not take")
def test_names_that_mean_something_elsewhere_are_kept_letter_by_letter(tmp_path):
    folder = tmp_path / as_file_name(HOSTILE["no text"] + HOSTILE["second line"])
    names = sorted(as_file_name(text) + ".png" for text in HOSTILE.values())
    names += [f"deep\n/{name}" for name in names]
    draw(folder, *names)
    report = index(folder, name="odd")
    assert (report.images, report.unread) == (len(names), ())
    assert names_in(report.folder) == sorted(names)
    assert changes(index(name="odd")) == {"unchanged": len(names)}
    assert read_gallery(report.folder)[1].path(0).exists()


def test_a_file_with_several_names_is_one_image(photos):
    (photos / "0 link.png").symlink_to("a.png")
    os.link(photos / "b.png", photos / "z.png")
    (photos / "deep" / "loop").symlink_to("..")
    report = index(photos)
    assert names_in(report.folder) == ["a.png", "b.png", "deep/c.png", "deep/er/d.png"]
    assert report.links == 2
    (photos / "b.png").unlink()
    assert changes(index(photos)) == {"moved": 1, "unchanged": 3}


@pytest.mark.parametrize("damage", ["cut", "bit", "json", "empty"])
def test_a_damaged_index_is_refused_and_made_again_on_demand(photos, damage):
    path = index(photos).folder / "embeddings.safetensors"
    content = path.read_bytes()
    flipped = content[:-1] + bytes([content[-1] ^ 1])
    path.write_bytes({"cut": content[:-9], "bit": flipped, "json": b"{}", "empty": b""}[damage])
    with pytest.raises(BadInput, match="cannot be used") as refused:
        index(photos)
    assert "--rebuild" in refused.value.line()
    assert index(photos, rebuild=True).images == 4


@pytest.mark.parametrize("name", ["../up.png", "/etc/passwd", "a/../../b.png", ""])
def test_an_index_by_somebody_else_names_no_file_outside_its_root(photos, name):
    path = index(photos).folder / "embeddings.safetensors"
    stored = read_stored(path)
    items = [replace(stored.items[0], name=name), *stored.items[1:]]
    write_stored(path, replace(stored, items=items))
    with pytest.raises(BadInput, match="outside its root"):
        read_gallery(path.parent)


@pytest.mark.parametrize("number", [0.0, np.nan, np.inf])
def test_embeddings_that_cannot_be_are_refused(photos, number):
    path = index(photos).folder / "embeddings.safetensors"
    stored = read_stored(path)
    stored.half_ND[1] = number
    write_stored(path, stored)
    with pytest.raises(BadInput, match="its embeddings are no embeddings"):
        read_gallery(path.parent)


def test_indexes_are_listed_and_removed_but_nothing_else(photos, home):
    index(photos)
    index(photos / "deep", name="other")
    first, second = omnitwin.list_indexes().indexes
    assert (first.name, first.images, first.root, first.problem) == ("other", 2, photos / "deep", None)
    assert (second.name, second.images, second.network) == ("photos", 4, "bundled")
    (second.folder / "notes.txt").write_text("mine")
    with pytest.raises(BadInput, match=r"also holds notes\.txt"):
        remove_index("photos")
    omnitwin.remove_index("other")
    assert [each.name for each in list_indexes().indexes] == ["photos"]
    assert [path.name for path in (home / "data" / "indexes").iterdir()] == ["photos"]
    assert sorted(path.name for path in photos.iterdir()) == ["a.png", "b.png", "deep"]
    with pytest.raises(BadInput, match="no index is called"):
        remove_index("../runs")


def test_a_process_that_dies_while_it_reads_costs_one_file(photos, monkeypatch, tmp_path):
    draw(photos, *(f"{number}.png" for number in range(20)))
    monkeypatch.setattr("omnitwin.gallery.embedding.read_record", die_on_b)
    report = omnitwin.index(photos, twin=omnitwin.load("bundled"), processes=2)
    assert [image.file.name for image in report.unread] == ["b.png"]
    assert "killed the process that read it" in report.unread[0].problem
    assert report.images == 23


def test_an_index_of_two_folders_can_be_narrowed_to_one_by_its_name(photos, tmp_path):
    draw(tmp_path / "others", "x.png", "y.png")
    made = index(photos, tmp_path / "others", name="both")
    narrowed = index(photos, name="both")
    assert narrowed.images == made.images - 2
    assert narrowed.removed == 2


def test_an_index_that_is_not_named_takes_no_other_places_in(photos, tmp_path):
    draw(tmp_path / "others", "x.png")
    index(photos)
    before = names_in(find_index(photos.name))
    with pytest.raises(BadInput, match="is of other places") as refused:
        index(photos, tmp_path / "others")
    assert "--name" in refused.value.hint
    assert names_in(find_index(photos.name)) == before


def test_images_that_the_network_cannot_judge_are_counted(photos, tmp_path):
    draw_thing(np.random.default_rng(2)).save(photos / "thing.png")
    assert index(photos).doubtful == 1
