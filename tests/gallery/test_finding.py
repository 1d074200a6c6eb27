"""Which image files places, lists and patterns stand for."""

import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from pictures import draw

from omnitwin.errors import BadInput
from omnitwin.gallery.finding import find, read_list


@pytest.fixture
def photos(tmp_path):
    folder = draw(tmp_path / "photos", "a.png", "b.jpg", "old/c.png", "deep/old/d.png", ".hidden/e.png", ".f.png")
    (folder / "notes.txt").write_text("no image")
    return folder


def names(*places, **options):
    return [file.name for file in find(places, **options).files]


def test_folders_are_searched_to_their_depth_without_hidden_names_and_other_files(photos):
    assert names(photos) == ["a.png", "b.jpg", "deep/old/d.png", "old/c.png"]
    assert find([photos]).others == 1


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        (["*.jpg"], ["a.png", "deep/old/d.png", "old/c.png"]),
        (["old"], ["a.png", "b.jpg"]),
        (["old/*"], ["a.png", "b.jpg", "deep/old/d.png"]),
        (["deep", "*.jpg"], ["a.png", "old/c.png"]),
        (["[ab].*"], ["deep/old/d.png", "old/c.png"]),
    ],
)
def test_patterns_leave_out_files_and_folders_by_name_or_path(photos, patterns, left):
    assert names(photos, exclude=patterns) == left


def test_names_lead_from_the_folder_that_all_places_lie_in(photos):
    found = find([photos / "old", photos / "deep" / "old" / "d.png", photos / "old" / "c.png"])
    assert found.root == photos
    assert [file.name for file in found.files] == ["deep/old/d.png", "old/c.png"]
    assert found.links == 0


def test_a_place_may_be_a_link_and_relative(photos, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(photos)
    monkeypatch.chdir(tmp_path)
    found = find([Path("link")])
    assert (found.root, len(found.files)) == (tmp_path / "link", 4)


def test_missing_places_pipes_and_folders_without_images_are_refused(photos, tmp_path):
    with pytest.raises(BadInput, match="nowhere cannot be used: No such file"):
        find([photos, tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").touch()
    with pytest.raises(BadInput, match="empty holds no image files, but 1 of other kinds"):
        find([tmp_path / "empty"])
    with pytest.raises(BadInput, match="no images were named"):
        find([])
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        with pytest.raises(BadInput, match="is a pipe or a device"):
            find([tmp_path / "pipe.png"])


LISTS = {
    "a path a line": b"photos/a.png\nphotos/old/c.png\n",
    "of another system": b"photos/a.png\r\nphotos/old/c.png\r\n",
    "a table": b"label,path\n1,photos/a.png\n2,photos/old/c.png\n",
    "with tabs and a mark": b"\xef\xbb\xbffile\tx\nphotos/a.png\t1\nphotos/old/c.png\t2\n",
    "with zero bytes": b"photos/a.png\0photos/old/c.png\0",
}


@pytest.mark.parametrize("content", LISTS.values(), ids=LISTS)
def test_a_list_names_files_from_its_own_folder(photos, tmp_path, content):
    (tmp_path / "list.csv").write_bytes(content)
    found = find([], listed=str(tmp_path / "list.csv"))
    assert (found.root, [file.name for file in found.files]) == (photos, ["a.png", "old/c.png"])
    assert found.places == ()


def test_a_list_comes_from_standard_input_and_leads_from_the_working_folder(photos, monkeypatch):
    monkeypatch.chdir(photos)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"a.png\ngone.png\n")))
    found = find([], listed="-")
    assert [file.name for file in found.files] == ["a.png"]
    assert [(image.file, image.problem) for image in found.unread] == [
        (photos / "gone.png", f"{photos / 'gone.png'} may not be read: No such file or directory.")
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="names that other systems do not take")
def test_names_in_a_list_need_not_be_text(tmp_path):
    draw(tmp_path, "\udcff.png", "a\nb.png")
    (tmp_path / "list").write_bytes(b"\xff.png\0a\nb.png\0")
    assert [os.path.basename(path) for path in read_list(str(tmp_path / "list"))] == ["\udcff.png", "a\nb.png"]
    assert len(find([], listed=str(tmp_path / "list")).files) == 2


@pytest.mark.parametrize("content", [b"", b"\n\n", b"path\n"])
def test_a_list_without_images_is_refused(tmp_path, content):
    (tmp_path / "list").write_bytes(content)
    with pytest.raises(BadInput, match="lists no images"):
        read_list(str(tmp_path / "list"))
    with pytest.raises(BadInput, match="cannot be read"):
        read_list(str(tmp_path / "nowhere"))
