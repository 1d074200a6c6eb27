"""Duplicates, groups and maps from Python, as a user of the library would write it."""

import subprocess
import sys

import pytest
from drawn_things import folder_of_things

import omnitwin


@pytest.fixture
def things(tmp_path):
    return folder_of_things(tmp_path / "things", variants=2, things=("bow", "star", "wave"))


def test_duplicates_are_found_and_drawn_on_a_page(things, tmp_path):
    report = omnitwin.duplicates(str(things), min_probability=0.9, html=tmp_path / "twice.html")
    assert [[file.role for file in group.files] for group in report.groups] == [["keep", "look-alike"]] * 3
    assert (tmp_path / "twice.html").read_text(encoding="utf-8").count("<img ") == 6
    assert omnitwin.duplicates(things / "bow", things / "star", min_probability=0.9).groups == ()


def test_groups_are_found_and_measured(things):
    report = omnitwin.group(things, min_probability=0.9, linkage="average", labels_from_folders=True)
    assert [len(group.files) for group in report.groups] == [2, 2, 2]
    assert report.agreement.rand == 1.0


def test_a_map_is_written_as_a_page_and_as_a_figure(things, tmp_path):
    report = omnitwin.map_of(things, html=tmp_path / "map.html", figure=tmp_path / "map.png")
    assert len(report.points) == 6
    assert (tmp_path / "map.html").is_file()
    assert (tmp_path / "map.png").is_file()


@pytest.mark.parametrize("door", ["duplicates", "group", "map_of"])
@pytest.mark.parametrize("place", ["", 7, None])
def test_what_is_no_path_is_refused(door, place):
    with pytest.raises(omnitwin.BadInput, match="is no path"):
        getattr(omnitwin, door)(place)


def test_a_page_or_a_figure_with_a_wrong_ending_is_refused_before_the_work(tmp_path):
    with pytest.raises(omnitwin.BadInput, match="does not end like a page"):
        omnitwin.duplicates(tmp_path / "nowhere", html="page.txt")
    with pytest.raises(omnitwin.BadInput, match="does not end like a figure"):
        omnitwin.map_of(tmp_path / "nowhere", figure="map.txt")


def test_they_do_without_torch(things):
    code = (
        "import sys, omnitwin\n"
        f"omnitwin.duplicates({str(things)!r}); omnitwin.group({str(things)!r}); omnitwin.map_of({str(things)!r})\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
