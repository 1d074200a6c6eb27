"""`omnitwin cache`: what is kept decoded, and that clearing removes it and nothing else."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest
from drawn_places import draw_place

import omnitwin
from omnitwin.data.places import list_images
from omnitwin.data.store import fill_store, store_folder
from omnitwin.recipes import View
from omnitwin.system.locks import hold

PHOTO = View(height=12, width=16, channels=3, frame="photo")
GREY = View(height=10, width=10)


def kept(place, view=PHOTO, unused=0.0):
    """A store of a place, last used so many seconds ago."""
    folder = fill_store(list_images(place), view, processes=0).folder
    for path in folder.iterdir():
        os.utime(path, (time.time() - unused,) * 2)
    return folder


@pytest.fixture
def place(tmp_path):
    return draw_place(tmp_path / "things", {"a": 2, "b": 3})


@pytest.fixture
def other(tmp_path):
    return draw_place(tmp_path / "other", {"c": 1})


def keys(outcome):
    return {each["key"] for each in json.loads(outcome.out)["stores"]}


def test_without_anything_it_says_so(run):
    outcome = run("cache")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("No pictures in ")
    assert keys(run("cache", "--json")) == set()


def test_it_tells_place_view_images_size_and_ages(run, place):
    folder = kept(place, unused=3 * 86400)
    size = sum(path.stat().st_size for path in folder.iterdir())
    lines = run("cache").out.splitlines()
    assert lines[0] == str(place)
    assert lines[1].startswith("  5 images, 12 x 16 pixels in colour (photo), ")
    assert lines[1].endswith(f", made now, last used 3 days ago, key {folder.name}")
    (told,) = json.loads(run("cache", "--json").out)["stores"]
    assert (told["place"], told["images"], told["bytes"]) == (str(place), 5, size)
    assert (told["height"], told["width"], told["channels"], told["frame"]) == (12, 16, 3, "photo")
    assert told["unused"] == pytest.approx(3 * 86400, abs=60)


def test_the_last_used_is_the_first(run, place, other):
    folders = [kept(place, unused=90), kept(other), kept(place, GREY, unused=50)]
    stores = json.loads(run("cache", "--json").out)["stores"]
    assert [each["key"] for each in stores] == [folders[index].name for index in (1, 2, 0)]


def test_opening_a_place_is_using_it(run, place):
    kept(place, unused=1e6)
    fill_store(list_images(place), PHOTO, processes=0)
    assert json.loads(run("cache", "--json").out)["stores"][0]["unused"] < 60


@pytest.mark.parametrize("by", ["path", "key", "relative"])
def test_clear_removes_what_is_named_and_keeps_the_rest(run, place, other, monkeypatch, by):
    stays = kept(other)
    goes = [kept(place), kept(place, GREY)]
    monkeypatch.chdir(place.parent)
    words = {"path": [str(place)], "key": [folder.name for folder in goes], "relative": ["things"]}[by]
    outcome = run("cache", "--clear", *words)
    assert outcome.code == 0
    assert outcome.out.splitlines()[-1].startswith("Removed ")
    assert [folder.exists() for folder in (*goes, stays)] == [False, False, True]
    assert len(list(place.rglob("*.png"))) == 5


def test_clear_without_words_removes_all_of_them(run, place, other, home):
    kept(place), kept(other)
    assert run("cache", "--clear", "--quiet").out == ""
    assert list((home / "cache" / "pictures").iterdir()) == []


def test_a_dry_run_removes_nothing(run, place):
    folder = kept(place)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    outcome = run("cache", "--clear", "--dry-run")
    assert outcome.out.splitlines()[-1].startswith("Would remove ")
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert json.loads(run("cache", "--clear", "--dry-run", "--json").out)["dry_run"]


def test_older_than_chooses_by_the_last_use(run, place, other):
    old, new = kept(place, unused=31 * 86400), kept(other, unused=29 * 86400)
    assert keys(run("cache", "--older-than", "30d", "--json")) == {old.name}
    assert keys(run("cache", "--older-than", "4w", "--json")) == {old.name, new.name}
    assert run("cache", "--older-than", "9w").out.endswith(" are that old.\n")
    run("cache", "--clear", "--older-than", "30d")
    assert (old.exists(), new.exists()) == (False, True)


@pytest.mark.parametrize("age", ["30", "d", "-1d", "1y", "1e3d", "30 d", ""])
def test_what_is_no_age_is_refused(run, age):
    assert run("cache", "--older-than", age).code == 2


def test_a_place_of_which_nothing_is_kept_is_refused(run, place, other):
    folder = kept(place)
    outcome = run("cache", "--clear", str(place), str(other))
    assert outcome.code == 2
    assert f"keeps no pictures of {other}" in outcome.complaint()
    assert folder.exists()


def test_a_dry_run_of_nothing_is_refused(run):
    assert run("cache", "--dry-run").code == 2


def test_images_that_are_gone_are_told_and_can_be_cleared(run, place):
    folder = kept(place)
    shutil.rmtree(place)
    assert "no longer there" in run("cache").out
    assert run("cache", "--clear", str(place)).code == 0
    assert not folder.exists()


def test_what_is_damaged_is_told_and_can_be_cleared(run, place):
    folder = kept(place)
    (folder / "index.safetensors").write_text("no index")
    outcome = run("cache")
    assert (outcome.code, outcome.out.splitlines()[0]) == (0, "unknown images")
    assert "cannot be used" in outcome.out
    run("cache", "--clear", folder.name)
    assert not folder.exists()


def test_nobody_elses_file_is_removed(run, place):
    folder = kept(place)
    (folder / "mine.txt").write_text("mine")
    outcome = run("cache", "--clear")
    assert f"{folder} also holds mine.txt" in outcome.out
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_no_link_is_followed(run, place, home, tmp_path):
    folder, mine = kept(place), tmp_path / "mine"
    mine.mkdir()
    for name in ("index.safetensors", "pixels-0123456789abcdef"):
        (mine / name).write_text("mine")
    (folder.parent / ("f" * 16)).symlink_to(mine)
    (folder / "pixels-fedcba9876543210").symlink_to(mine / "pixels-0123456789abcdef")
    (folder / "index.safetensors").unlink()
    (folder / "index.safetensors").symlink_to(mine / "index.safetensors")
    run("cache", "--clear")
    assert not folder.exists()
    assert [path.read_text() for path in sorted(mine.iterdir())] == ["mine", "mine"]
    assert (folder.parent / ("f" * 16)).is_symlink()
    shutil.rmtree(home / "cache" / "pictures")
    (home / "cache" / "pictures").symlink_to(mine.parent)
    outcome = run("cache", "--clear")
    assert (outcome.code, "is a link to" in outcome.complaint()) == (3, True)


def test_what_else_lies_there_is_not_looked_at(run, place, home):
    folder = kept(place)
    (folder.parent / "mine").mkdir()
    (folder.parent / "mine" / "index.safetensors").write_text("mine")
    (folder.parent / "index.safetensors").write_text("mine")
    run("cache", "--clear")
    assert sorted(path.name for path in folder.parent.iterdir()) == ["index.safetensors", "mine"]
    assert (folder.parent / "mine" / "index.safetensors").read_text() == "mine"


@pytest.mark.skipif(os.name == "nt", reason="locks")
def test_what_another_process_writes_stays_and_the_rest_goes(run, place, other):
    busy, idle = kept(place), kept(other)
    with hold(busy):
        assert "in use by process" in run("cache").out
        outcome = run("cache", "--clear")
    assert "is in use by process" in outcome.out
    assert (store_folder(place, PHOTO).exists(), idle.exists()) == (True, False)


def test_a_name_with_control_characters_is_spelt_out(run, tmp_path):
    kept(draw_place(tmp_path / "a\x1b[31mred\nb", {"c": 1}))
    outcome = run("cache")
    assert "\x1b" not in outcome.out
    assert len(outcome.out.splitlines()) == 3


def test_it_is_a_python_ability_too(place):
    kept(place)
    assert [Path(each.place) for each in omnitwin.list_cache([place]).stores] == [place]
    assert omnitwin.clear_cache([str(place)], unused=60).removed == ()
    assert len(omnitwin.clear_cache([place]).removed) == 1
    assert omnitwin.list_cache().stores == ()
