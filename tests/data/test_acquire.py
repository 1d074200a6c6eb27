"""Data on this machine: from zips, folders, a mirror or the official address, whole and checked, or not at all."""

import hashlib
import shutil
from dataclasses import replace

import pytest
import torch
from local_server import Answer
from omniglot_like import (
    RUN_ANSWERS,
    RUN_DRAWERS,
    fingerprint_of,
    runs_fingerprint_of,
    with_damaged_member,
    with_one_pixel_changed,
    write_folder,
    write_zip,
)

from omnitwin.config import SourceConfig
from omnitwin.data import official as official_data
from omnitwin.data import omniglot
from omnitwin.data.acquire import download, load_official
from omnitwin.data.catalogue import open_images
from omnitwin.data.packed import load_packed
from omnitwin.errors import BadInput, DatasetCorrupt, DatasetMissing, DownloadFailed, OmnitwinError

STEMS = {"training": "images_background", "test": "images_evaluation", "official runs": "all_runs"}
SETS = ("training", "test")
RUNS_FOLDER = "/one-shot-classification"  # in the official repository the runs lie in a folder of their own


@pytest.fixture
def cache(home):
    """Where torchvision would look too, under a root of home/cache."""
    return home / "cache" / "omniglot-py"


@pytest.fixture
def mirror(fake_omniglot, serve):
    """A web server with all zips, the runs where a mirror has them and where the official repository has them."""
    answers = {f"/{stem}.zip": Answer(body=fake_omniglot.zip_of(name).read_bytes()) for name, stem in STEMS.items()}
    return serve({**answers, f"{RUNS_FOLDER}/all_runs.zip": answers["/all_runs.zip"]})


@pytest.fixture
def official(mirror, monkeypatch):
    """The same server at the official address."""
    monkeypatch.setattr(omniglot, "OFFICIAL_URL", mirror.url)
    return mirror


@pytest.fixture
def copy_of(fake_omniglot, tmp_path):
    """copy_of("training", "test"): a folder with the zips of these alone."""

    def copy(*names):
        folder = tmp_path / "some zips"
        folder.mkdir()
        for name in names:
            shutil.copy(fake_omniglot.zip_of(name), folder)
        return folder

    return copy


def snapshot(folder):
    """Everything below a folder, with size and time of last change."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.stat().st_size, path.stat().st_ino)
        for path in folder.rglob("*")
    }


def files_below(folder):
    return {path.name for path in folder.rglob("*") if path.is_file()}


def assert_all_is_packed(report, fake_omniglot):
    *sets, runs = report.sets
    assert [one.name for one in sets] == [*SETS]
    for one in sets:
        assert_set_is_packed(one, fake_omniglot)
    assert_runs_are_packed(runs, fake_omniglot)


def assert_set_is_packed(one, fake_omniglot):
    files = fake_omniglot.files[one.name]
    assert one.fetched
    assert (one.images, one.classes, one.alphabets) == (60, 3, 2)
    assert one.fingerprint == fingerprint_of(files)
    assert one.packed_bytes == one.packed.stat().st_size
    pixels = load_packed(one.packed).images_NHW.numpy().tobytes()
    assert hashlib.sha256(pixels).hexdigest() == fingerprint_of(files)


def assert_runs_are_packed(one, fake_omniglot):
    assert (one.name, one.fetched) == ("official runs", True)
    assert (one.images, one.classes, one.alphabets) == (8, 2, 1)
    assert one.fingerprint == runs_fingerprint_of(fake_omniglot.files["official runs"])
    assert one.packed_bytes == one.packed.stat().st_size
    assert_runs_are_those_of_the_test_set(open_images("omniglot", "test", SourceConfig(offline=True)))


def assert_runs_are_those_of_the_test_set(test):
    """Rows of the first alphabet's two characters by each run's two drawers; a class has its 20 drawers in order."""
    runs = load_official(test, SourceConfig(offline=True))
    assert runs.answer_RT.tolist() == [[answer - 1 for answer in RUN_ANSWERS]] * len(RUN_DRAWERS)
    assert runs.support_RW.tolist() == [[20 * way + examples - 1 for way in (0, 1)] for examples, _ in RUN_DRAWERS]
    assert runs.query_RT.tolist() == [
        [20 * (answer - 1) + queries - 1 for answer in RUN_ANSWERS] for _, queries in RUN_DRAWERS
    ]


def test_a_folder_of_zips_is_packed_and_its_zips_are_kept(fake_omniglot, cache):
    report = download(SourceConfig(source=str(fake_omniglot.zips)))
    assert_all_is_packed(report, fake_omniglot)
    assert [one.source for one in report.sets] == [str(fake_omniglot.zip_of(name)) for name in STEMS]
    assert files_below(cache) == {f"{stem}{end}" for stem in STEMS.values() for end in (".zip", ".safetensors")}


def test_an_extracted_folder_is_packed(fake_omniglot, cache):
    report = download(SourceConfig(source=str(fake_omniglot.folders)))
    assert_all_is_packed(report, fake_omniglot)
    assert files_below(cache) == {f"{stem}.safetensors" for stem in STEMS.values()}


def test_runs_that_a_folder_does_not_have_are_not_missed(fake_omniglot, cache, copy_of):
    report = download(SourceConfig(source=str(copy_of(*SETS))))
    assert [one.name for one in report.sets] == [*SETS]
    for one in report.sets:
        assert_set_is_packed(one, fake_omniglot)
    assert "all_runs.zip" not in files_below(cache)


@pytest.mark.parametrize("missing", SETS)
def test_a_set_that_a_folder_does_not_have_is_missed_by_name(fake_omniglot, copy_of, missing):
    folder = copy_of(*(name for name in STEMS if name != missing))
    with pytest.raises(BadInput, match=rf"holds neither {STEMS[missing]}\.zip nor a folder {STEMS[missing]}"):
        download(SourceConfig(source=str(folder)))


@pytest.mark.parametrize("kind", ["zip_of", "folder_of"])
def test_the_runs_alone_are_packed_where_the_test_set_is_there(fake_omniglot, official, cache, kind):
    open_images("omniglot", "test", SourceConfig(source=str(fake_omniglot.zips)))
    report = download(SourceConfig(source=str(getattr(fake_omniglot, kind)("official runs"))))
    [one] = report.sets
    assert_runs_are_packed(one, fake_omniglot)
    assert official.requests == []
    assert ("all_runs.zip" in files_below(cache)) == (kind == "zip_of")


def test_a_zip_of_the_runs_is_known_by_what_is_in_it_whatever_its_name(fake_omniglot, tmp_path):
    open_images("omniglot", "test", SourceConfig(source=str(fake_omniglot.zips)))
    renamed = tmp_path / "any name"
    renamed.write_bytes(fake_omniglot.zip_of("official runs").read_bytes())
    [one] = download(SourceConfig(source=str(renamed))).sets
    assert_runs_are_packed(one, fake_omniglot)


def test_the_runs_without_the_test_set_are_refused_in_words_that_say_so(fake_omniglot, home):
    with pytest.raises(OmnitwinError, match=r"images_evaluation") as refused:
        download(SourceConfig(source=str(fake_omniglot.zip_of("official runs"))))
    assert not isinstance(refused.value, DatasetCorrupt)  # nothing is wrong with the zip that was given
    assert files_below(home) == set()


def test_missing_runs_are_fetched_when_they_are_loaded_and_only_they(fake_omniglot, official):
    test = open_images("omniglot", "test", SourceConfig(source=str(fake_omniglot.folders)))
    load_official(test, SourceConfig())
    assert [path.rpartition("/")[2] for path in official.paths] == ["all_runs.zip"]
    assert_runs_are_those_of_the_test_set(test)
    assert len(official.requests) == 1


@pytest.mark.parametrize("name", SETS)
def test_one_zip_gives_its_own_set_alone(fake_omniglot, cache, name, tmp_path):
    renamed = tmp_path / "any name"
    renamed.write_bytes(fake_omniglot.zip_of(name).read_bytes())
    report = download(SourceConfig(source=str(renamed)))
    assert [one.name for one in report.sets] == [name]
    assert files_below(cache) == {f"{STEMS[name]}.zip", f"{STEMS[name]}.safetensors"}


def test_a_base_url_is_asked_for_all_zips(fake_omniglot, mirror, cache):
    report = download(SourceConfig(source=f"{mirror.url}/"))
    assert_all_is_packed(report, fake_omniglot)
    assert mirror.paths == ["/images_background.zip", "/images_evaluation.zip", "/all_runs.zip"]
    assert [one.source for one in report.sets] == [f"{mirror.url}/{stem}.zip" for stem in STEMS.values()]
    assert files_below(cache) == {f"{stem}{end}" for stem in STEMS.values() for end in (".zip", ".safetensors")}


def test_no_source_means_the_official_address(fake_omniglot, official):
    assert_all_is_packed(download(SourceConfig()), fake_omniglot)
    # python/ of github.com/brendenlake/omniglot: both sets are in it, the runs in a folder below
    assert official.paths == ["/images_background.zip", "/images_evaluation.zip", f"{RUNS_FOLDER}/all_runs.zip"]


def test_the_kept_zips_are_those_that_torchvision_looks_for(fake_omniglot, official, home):
    """torchvision.datasets.Omniglot(root): root/omniglot-py/images_background.zip, and its MD5."""
    download(SourceConfig())
    for name, stem in STEMS.items():
        content = (home / "cache" / "omniglot-py" / f"{stem}.zip").read_bytes()
        assert content == fake_omniglot.zip_of(name).read_bytes()


@pytest.mark.parametrize("way", ["zips", "folders", "mirror", "official"])
def test_a_second_call_fetches_nothing_and_touches_no_file(fake_omniglot, official, home, way):
    source = {"mirror": official.url, "official": None}.get(way) or str(getattr(fake_omniglot, way, "")) or None
    download(SourceConfig(source=source))
    before, asked = snapshot(home), len(official.requests)
    report = download(SourceConfig(source=source))
    assert [one.fetched for one in report.sets] == [False, False, False]
    assert [one.images for one in report.sets] == [60, 60, 8]
    assert len(official.requests) == asked
    assert snapshot(home) == before


def test_a_second_call_reads_no_set_twice(fake_omniglot, cache):
    source, read = SourceConfig(source=str(fake_omniglot.zips)), []

    def reading(path):
        read.append(path)
        return load_packed(path)

    download(source)
    report = download(source, read=reading)
    assert [one.fetched for one in report.sets] == [False, False, False]
    assert (report.sets[2].classes, report.sets[2].alphabets) == (2, 1)
    assert sorted(read) == [cache / f"{STEMS[name]}.safetensors" for name in SETS]


def test_a_set_that_was_just_packed_is_not_read_for_the_runs(fake_omniglot):
    read = []
    download(SourceConfig(source=str(fake_omniglot.zips)), read=read.append)
    assert read == []


def test_the_environment_decides_what_a_config_leaves_open(fake_omniglot, official, monkeypatch, tmp_path):
    monkeypatch.setenv("OMNITWIN_OFFLINE", "1")
    with pytest.raises(DatasetMissing, match="OMNITWIN_OFFLINE"):
        open_images("omniglot", "test")
    assert official.requests == []
    monkeypatch.setenv("OMNITWIN_MIRROR", str(fake_omniglot.zips))
    assert len(open_images("omniglot", "test")) == 60
    assert [one.source for one in download(SourceConfig(force=True)).sets] == [
        str(fake_omniglot.zip_of(name)) for name in STEMS
    ]
    assert official.requests == []


def test_a_config_beats_the_environment(fake_omniglot, official, monkeypatch, tmp_path):
    monkeypatch.setenv("OMNITWIN_OFFLINE", "1")
    monkeypatch.setenv("OMNITWIN_MIRROR", str(tmp_path / "nowhere"))
    assert len(open_images("omniglot", "test", SourceConfig(source=official.url, offline=False))) == 60
    assert official.paths == ["/images_evaluation.zip"]


def test_what_is_packed_needs_no_source_any_more(fake_omniglot, official):
    download(SourceConfig(source=str(fake_omniglot.folders)))
    assert len(open_images("omniglot", "training", SourceConfig(offline=True))) == 60
    assert official.requests == []


def test_force_fetches_and_packs_anew(fake_omniglot, official, cache):
    download(SourceConfig())
    before = snapshot(cache)
    assert_all_is_packed(download(SourceConfig(force=True)), fake_omniglot)
    assert len(official.requests) == 6
    after = snapshot(cache)
    assert after.keys() == before.keys()
    assert all(after[name] != before[name] for name in before)


def test_a_missing_set_is_fetched_when_it_is_loaded_and_only_that_one(fake_omniglot, official, cache):
    packed = open_images("omniglot", "test", SourceConfig())
    assert packed.fingerprint == fingerprint_of(fake_omniglot.files["test"])
    assert packed.name == "omniglot/test"
    assert official.paths == ["/images_evaluation.zip"]
    assert files_below(cache) == {"images_evaluation.zip", "images_evaluation.safetensors"}


def test_a_zip_kept_earlier_is_packed_without_any_network(fake_omniglot, official, cache):
    cache.mkdir(parents=True)
    for name, stem in STEMS.items():
        (cache / f"{stem}.zip").write_bytes(fake_omniglot.zip_of(name).read_bytes())
    report = download(SourceConfig(offline=True))
    assert_all_is_packed(report, fake_omniglot)
    assert official.requests == []


def test_a_damaged_packed_file_is_made_anew_from_the_kept_zip(fake_omniglot, official, cache):
    download(SourceConfig())
    asked = len(official.requests)
    (cache / "images_background.safetensors").write_bytes(b"damaged")
    assert len(open_images("omniglot", "training", SourceConfig())) == 60
    assert len(official.requests) == asked


@pytest.mark.parametrize("way", ["official", "mirror"])
def test_offline_refuses_without_asking_anyone(official, home, way):
    source = official.url if way == "mirror" else None
    with pytest.raises(DatasetMissing, match=r"images_background\.zip would have to be fetched"):
        download(SourceConfig(source=source, offline=True))
    assert official.requests == []
    assert files_below(home) == set()


def test_offline_refuses_missing_runs_by_name(fake_omniglot, official, copy_of):
    download(SourceConfig(source=str(copy_of(*SETS))))
    with pytest.raises(DatasetMissing, match=r"all_runs\.zip would have to be fetched"):
        load_official(open_images("omniglot", "test", SourceConfig()), SourceConfig(offline=True))
    assert official.requests == []


def test_offline_still_takes_what_lies_on_this_machine(fake_omniglot):
    assert_all_is_packed(download(SourceConfig(source=str(fake_omniglot.zips), offline=True)), fake_omniglot)


def changed_pixel(fake_omniglot, tmp_path):
    return write_zip(tmp_path / "changed.zip", with_one_pixel_changed(fake_omniglot.files["training"])).read_bytes()


def cut_off(fake_omniglot, tmp_path):
    return fake_omniglot.zip_of("training").read_bytes()[:-100]


def web_page(fake_omniglot, tmp_path):
    return b"<html>Please log in</html>"


def other_set(fake_omniglot, tmp_path):
    return fake_omniglot.zip_of("test").read_bytes()


def damaged_entry(fake_omniglot, tmp_path):
    return with_damaged_member(fake_omniglot.zip_of("training"))


DAMAGES = [changed_pixel, cut_off, web_page, other_set]


@pytest.mark.parametrize(
    "damage",
    [
        *DAMAGES,
        damaged_entry,
    ],
)
def test_a_bad_zip_from_a_server_is_refused_and_nothing_is_left_behind(fake_omniglot, serve, home, tmp_path, damage):
    server = serve([Answer(body=damage(fake_omniglot, tmp_path))])
    with pytest.raises(DatasetCorrupt, match="nothing was kept"):
        download(SourceConfig(source=server.url))
    assert server.paths == ["/images_background.zip"]
    assert files_below(home) == set()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_bad_zip_on_disk_is_refused_and_nothing_is_kept_of_it(fake_omniglot, home, tmp_path, damage):
    bad = tmp_path / "source" / "images_background.zip"
    bad.parent.mkdir()
    bad.write_bytes(damage(fake_omniglot, tmp_path))
    with pytest.raises(DatasetCorrupt):
        download(SourceConfig(source=str(bad.parent)))
    assert files_below(home) == set()


def test_the_official_address_must_send_the_official_zip_to_the_byte(fake_omniglot, official, home, serve, monkeypatch):
    packed_anew = write_zip(home.parent / "anew.zip", fake_omniglot.files["training"]).read_bytes()
    server = serve([Answer(body=packed_anew)])
    monkeypatch.setattr(omniglot, "OFFICIAL_URL", server.url)
    with pytest.raises(DatasetCorrupt, match="its MD5 is not"):
        open_images("omniglot", "training", SourceConfig())
    assert files_below(home) == set()
    assert len(open_images("omniglot", "training", SourceConfig(source=server.url))) == 60  # any other may pack it anew


def test_the_official_address_must_send_the_official_runs_to_the_byte(fake_omniglot, home, serve, monkeypatch):
    test = open_images("omniglot", "test", SourceConfig(source=str(fake_omniglot.folders)))
    before = files_below(home)
    packed_anew = write_zip(home.parent / "anew.zip", fake_omniglot.files["official runs"]).read_bytes()
    server = serve([Answer(body=packed_anew)])
    monkeypatch.setattr(omniglot, "OFFICIAL_URL", server.url)
    with pytest.raises(DatasetCorrupt, match="its MD5 is not"):
        load_official(test, SourceConfig())
    assert files_below(home) == before
    load_official(test, SourceConfig(source=server.url))  # any other may pack them anew
    assert_runs_are_those_of_the_test_set(test)


def changed_run(fake_omniglot, tmp_path):
    return write_zip(tmp_path / "c.zip", with_one_pixel_changed(fake_omniglot.files["official runs"])).read_bytes()


def other_answers(fake_omniglot, tmp_path):
    files = dict(fake_omniglot.files["official runs"])
    files["run01/class_labels.txt"], files["run02/class_labels.txt"] = (
        files[name].replace(b"class01", b"class0x").replace(b"class02", b"class01").replace(b"class0x", b"class02")
        for name in ("run01/class_labels.txt", "run02/class_labels.txt")
    )
    return write_zip(tmp_path / "answers.zip", files).read_bytes()


def cut_off_runs(fake_omniglot, tmp_path):
    return fake_omniglot.zip_of("official runs").read_bytes()[:-100]


def damaged_drawing(fake_omniglot, tmp_path):
    return with_damaged_member(fake_omniglot.zip_of("official runs"))


def damaged_list(fake_omniglot, tmp_path):
    return with_damaged_member(fake_omniglot.zip_of("official runs"), ".txt")


RUN_DAMAGES = [changed_run, other_answers, cut_off_runs, damaged_drawing, damaged_list, other_set, web_page]


@pytest.mark.parametrize("damage", RUN_DAMAGES)
def test_bad_runs_from_a_server_are_refused_and_nothing_is_left_of_them(fake_omniglot, serve, home, tmp_path, damage):
    answers = {f"/{STEMS[name]}.zip": Answer(body=fake_omniglot.zip_of(name).read_bytes()) for name in SETS}
    server = serve({**answers, "/all_runs.zip": Answer(body=damage(fake_omniglot, tmp_path))})
    with pytest.raises(DatasetCorrupt, match="nothing was kept"):
        download(SourceConfig(source=server.url))
    assert files_below(home) == {f"{STEMS[name]}{end}" for name in SETS for end in (".zip", ".safetensors")}


@pytest.mark.parametrize("damage", RUN_DAMAGES)
def test_bad_runs_on_disk_are_refused_and_nothing_is_kept_of_them(fake_omniglot, home, tmp_path, damage, copy_of):
    folder = copy_of(*SETS)
    (folder / "all_runs.zip").write_bytes(damage(fake_omniglot, tmp_path))
    with pytest.raises(DatasetCorrupt):
        download(SourceConfig(source=str(folder)))
    assert files_below(home) == {f"{STEMS[name]}{end}" for name in SETS for end in (".zip", ".safetensors")}


def test_runs_of_drawings_that_the_test_set_does_not_have_are_refused(fake_omniglot, monkeypatch, tmp_path):
    """The fingerprint may be right and the test set another: rows that do not exist are never made up."""
    files = with_one_pixel_changed(fake_omniglot.files["official runs"])
    archive = replace(fake_omniglot.runs, fingerprint=runs_fingerprint_of(files))
    monkeypatch.setattr(official_data, "ARCHIVE", archive)
    test = open_images("omniglot", "test", SourceConfig(source=str(fake_omniglot.zips)))
    folder = write_folder(tmp_path / "all_runs", files)
    with pytest.raises(DatasetCorrupt, match="a drawing of the official runs is not in omniglot/test"):
        load_official(test, SourceConfig(source=str(folder)))


def test_damaged_packed_runs_are_made_anew_from_the_kept_zip(fake_omniglot, official, cache):
    download(SourceConfig())
    asked = len(official.requests)
    (cache / "all_runs.safetensors").write_bytes(b"damaged")
    assert_runs_are_those_of_the_test_set(open_images("omniglot", "test", SourceConfig()))
    assert len(official.requests) == asked


def test_a_bad_zip_leaves_the_good_set_that_is_there(fake_omniglot, official, serve, cache):
    download(SourceConfig())
    before = snapshot(cache)
    server = serve([Answer(body=b"not a zip")])
    with pytest.raises(DatasetCorrupt):
        download(SourceConfig(source=server.url, force=True))
    assert snapshot(cache) == before


def test_a_server_without_the_zip_fails_and_leaves_nothing(fake_omniglot, serve, home):
    with pytest.raises(DownloadFailed, match=r"images_background\.zip answers 404"):
        download(SourceConfig(source=serve({}).url))
    assert files_below(home) == set()


def test_a_set_that_came_before_the_failure_is_kept(fake_omniglot, serve, home):
    zip_bytes = fake_omniglot.zip_of("training").read_bytes()
    server = serve({"/images_background.zip": Answer(body=zip_bytes)})
    with pytest.raises(DownloadFailed, match=r"images_evaluation\.zip answers 404"):
        download(SourceConfig(source=server.url))
    assert files_below(home) == {"images_background.zip", "images_background.safetensors"}


def test_a_missing_folder_is_bad_input(fake_omniglot, tmp_path, home):
    with pytest.raises(BadInput, match="nowhere does not exist"):
        download(SourceConfig(source=str(tmp_path / "nowhere")))
    assert files_below(home) == set()


def test_a_folder_without_zips_is_bad_input_that_names_what_was_looked_for(fake_omniglot, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=r"holds neither images_background\.zip nor a folder images_background"):
        download(SourceConfig(source=str(tmp_path / "empty")))


def test_a_zip_of_something_else_is_bad_input(fake_omniglot, tmp_path):
    photos = write_zip(tmp_path / "photos.zip", {"photos/a.png": b""})
    with pytest.raises(BadInput, match=r"photos\.zip holds neither images_background nor images_evaluation"):
        download(SourceConfig(source=str(photos)))


@pytest.mark.parametrize("url", ["http://example.org/omniglot", "file:///omniglot", "ftp://example.org"])
def test_a_source_that_is_not_https_is_bad_input(fake_omniglot, home, url):
    with pytest.raises(BadInput, match="not an https address"):
        download(SourceConfig(source=url))
    assert files_below(home) == set()


def test_a_tilde_stands_for_the_home_folder(fake_omniglot, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(fake_omniglot.zips.parent))
    assert_all_is_packed(download(SourceConfig(source="~/zips")), fake_omniglot)


def test_a_tilde_stands_for_the_home_folder_before_a_zip_too(fake_omniglot, monkeypatch):
    monkeypatch.setenv("HOME", str(fake_omniglot.zips.parent))
    report = download(SourceConfig(source="~/zips/images_evaluation.zip"))
    assert [one.name for one in report.sets] == ["test"]


def test_one_extracted_set_gives_its_own_set_alone(fake_omniglot):
    report = download(SourceConfig(source=str(fake_omniglot.folder_of("training"))))
    assert [one.name for one in report.sets] == ["training"]


def test_the_zip_in_the_cache_can_be_the_source_itself(fake_omniglot, official, cache):
    download(SourceConfig())
    asked = len(official.requests)
    report = download(SourceConfig(source=str(cache / "images_background.zip"), force=True))
    assert [one.fetched for one in report.sets] == [True]
    assert (cache / "images_background.zip").read_bytes() == fake_omniglot.zip_of("training").read_bytes()
    assert len(official.requests) == asked


def test_a_source_is_never_written_to(fake_omniglot):
    before = snapshot(fake_omniglot.zips.parent)
    download(SourceConfig(source=str(fake_omniglot.zips)))
    download(SourceConfig(source=str(fake_omniglot.folders), force=True))
    assert snapshot(fake_omniglot.zips.parent) == before


def test_the_synthetic_data_set_needs_no_file(home):
    packed = open_images("synthetic", "test", SourceConfig(offline=True))
    assert packed.name == "synthetic/test"
    assert packed.images_NHW.dtype == torch.uint8
    assert not home.exists()


def test_progress_is_told_for_every_byte_and_image(fake_omniglot, official):
    told = {}

    class Counting:
        def note(self, text):
            told.setdefault("notes", []).append(text)

        def task(self, label, total, unit):
            counts = told[label] = [total]

            class Task:
                def __enter__(self):
                    return counts.append

                def __exit__(self, *error):
                    return None

            return Task()

    download(SourceConfig(), Counting())
    assert told.pop("notes") == [
        f"Fetching {path.rpartition('/')[2]} from {official.url}{path}" for path in official.paths
    ]
    assert len(told) == 6
    for total, *counts in told.values():
        assert sum(counts) == total


@pytest.fixture
def real_report(real_data, once, monkeypatch):
    """All of Omniglot packed once for the tests of this module: that takes seconds."""

    def pack(folder):
        monkeypatch.setenv("OMNITWIN_HOME", str(folder))
        return download(SourceConfig(source=str(real_data)))

    folder, report = once("real data", pack)
    monkeypatch.setenv("OMNITWIN_HOME", str(folder))
    return report


@pytest.mark.realdata
def test_the_real_runs_are_twenty_of_twenty_trials_two_to_an_alphabet(real_report):
    """Lake et al. 2015, supplement sec. 5.1: 20 runs, 20 characters of one alphabet each, 10 alphabets."""
    [runs] = [one for one in real_report.sets if one.name == "official runs"]
    assert (runs.images, runs.alphabets) == (800, 10)
    test = open_images("omniglot", "test", SourceConfig(offline=True))
    official = load_official(test, SourceConfig(offline=True))
    assert official.query_RT.shape == official.support_RW.shape == official.answer_RT.shape == (20, 20)
    right_RT = official.support_RW.gather(1, official.answer_RT)
    assert torch.equal(test.class_N[right_RT], test.class_N[official.query_RT])
    assert not torch.equal(test.source_N[right_RT], test.source_N[official.query_RT])
    for rows in (official.query_RT, official.support_RW):
        alphabets = test.group_C[test.class_N[rows]]
        assert all(len(set(run)) == 1 for run in alphabets.tolist())
        assert all(len(set(run)) == 1 for run in test.source_N[rows].tolist())


@pytest.mark.realdata
def test_the_real_zips_are_packed_and_load_bit_for_bit(real_report):
    [known] = [one for one in real_report.sets if one.name == "test"]
    assert (known.images, known.classes, known.alphabets) == (13_180, 659, 20)
    packed = open_images("omniglot", "test", SourceConfig(offline=True))
    assert hashlib.sha256(packed.images_NHW.numpy().tobytes()).hexdigest() == known.fingerprint
