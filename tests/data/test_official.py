"""The official one-shot runs are read whole, found in the test set, and refused when anything about them is wrong."""

import json
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from omniglot_like import png, png_of, runs_fingerprint_of, with_damaged_member, write_folder, write_zip
from safetensors import safe_open
from safetensors.torch import save_file
from sitters import taken

from omnitwin.answers.engines import open_baseline
from omnitwin.config import EvalConfig
from omnitwin.data import official, omniglot, synthetic
from omnitwin.data.official import decode_runs, load_runs, save_runs
from omnitwin.errors import DatasetCorrupt
from omnitwin.exams.catalogue import EXAMS
from omnitwin.exams.scorer import seated

PLAN = [((1, 0, 2), 1, 3), ((4, 5, 3), 4, 2)]  # classes, drawer of the examples, drawer of the queries


def nothing(count):
    pass


@pytest.fixture(scope="module")
def test_set():
    """2 alphabets of 3 characters by 4 drawers, 105 x 105."""
    return synthetic.draw_set("test", alphabets=2, characters=3, drawers=4)


@dataclass(frozen=True)
class FakeRuns:
    """Runs on disk, as a zip and unpacked; rows of the test set as lists, run by run."""

    zip: Path
    folder: Path
    files: dict[str, bytes]
    queries: list[list[int]]
    supports: list[list[int]]
    answers: list[list[int]]


def drawn(test, kind, drawer):
    """The row of a class's drawing by one drawer."""
    return int(((test.class_N == kind) & (test.source_N == drawer)).nonzero()[0, 0])


@pytest.fixture(scope="module")
def written(test_set, tmp_path_factory):
    """The runs of the plan; queries come in the opposite order of the examples, but for the last."""
    files, queries, supports, answers = {}, [], [], []
    for number, (classes, teacher, asker) in enumerate(PLAN, 1):
        ways = [*reversed(range(len(classes) - 1)), len(classes) - 1]
        answers.append(ways)
        supports.append([drawn(test_set, kind, teacher) for kind in classes])
        queries.append([drawn(test_set, classes[way], asker) for way in ways])
        run, lines = f"run{number:02d}", []
        for place, way in enumerate(ways):
            item, example = f"{run}/test/item{place + 1:02d}.png", f"{run}/training/class{way + 1:02d}.png"
            files[item] = png_of(test_set.images_NHW[queries[-1][place]].numpy())
            files[example] = png_of(test_set.images_NHW[supports[-1][way]].numpy())
            lines.append(f"{item} {example}\n")
        files[f"{run}/class_labels.txt"] = "".join(lines).encode()
    folder = tmp_path_factory.mktemp("runs")
    path = write_zip(folder / "all_runs.zip", dict(reversed(files.items())))
    write_folder(folder / "all_runs", files)
    return FakeRuns(path, folder / "all_runs", files, queries, supports, answers)


@pytest.fixture
def fake(written, monkeypatch):
    """Two runs of three trials, which omnitwin takes for the real ones."""
    monkeypatch.setattr(official, "ARCHIVE", replace(official.ARCHIVE, fingerprint=runs_fingerprint_of(written.files)))
    return written


def lists(runs):
    return runs.query_RT.tolist(), runs.support_RW.tolist(), runs.answer_RT.tolist()


@pytest.mark.parametrize("source", ["zip", "folder"])
def test_runs_are_found_in_the_test_set_drawing_by_drawing(fake, test_set, source):
    runs = decode_runs(getattr(fake, source), test_set, nothing)
    assert lists(runs) == (fake.queries, fake.supports, fake.answers)


def test_a_zip_with_a_folder_of_its_own_name_inside_is_read_too(fake, test_set, tmp_path):
    path = write_zip(tmp_path / "again.zip", {f"all_runs/{name}": fake.files[name] for name in fake.files})
    assert lists(decode_runs(path, test_set, nothing)) == (fake.queries, fake.supports, fake.answers)


def test_files_that_are_no_part_of_the_layout_by_their_ending_are_passed_over(fake, test_set, tmp_path):
    path = write_zip(tmp_path / "more.zip", {**fake.files, "demo_classification.py": b"1", "run01/.DS_Store": b"\0"})
    assert lists(decode_runs(path, test_set, nothing))[0] == fake.queries


def test_progress_counts_every_drawing_once(fake, test_set):
    counts = []
    decode_runs(fake.zip, test_set, counts.append)
    assert sum(counts) == 12


def test_episodes_are_all_trials_with_one_example_of_each_way(fake, test_set):
    episodes = decode_runs(fake.zip, test_set, nothing).episodes()
    assert len(episodes) == 6
    assert episodes.query_E.tolist() == fake.queries[0] + fake.queries[1]
    assert episodes.support_EWK[:, :, 0].tolist() == [fake.supports[0]] * 3 + [fake.supports[1]] * 3
    right = episodes.support_EWK[torch.arange(6), episodes.answer_E, 0]
    assert torch.equal(test_set.class_N[right], test_set.class_N[episodes.query_E])


def test_what_is_loaded_is_what_was_saved(fake, test_set, tmp_path):
    runs = decode_runs(fake.zip, test_set, nothing)
    save_runs(tmp_path / "runs.safetensors", runs, test_set)
    loaded = load_runs(tmp_path / "runs.safetensors", test_set)
    assert lists(loaded) == lists(runs)
    assert loaded.query_RT.dtype == loaded.support_RW.dtype == loaded.answer_RT.dtype == torch.int64


def refuse(files, test_set, tmp_path, words):
    with pytest.raises(DatasetCorrupt, match=words) as caught:
        decode_runs(write_zip(tmp_path / "spoilt.zip", files), test_set, nothing)
    assert "spoilt.zip" in str(caught.value)
    with pytest.raises(DatasetCorrupt, match=words):
        decode_runs(write_folder(tmp_path / "all_runs", files), test_set, nothing)


def test_another_drawing_in_a_run_changes_the_fingerprint_and_is_refused(fake, test_set, tmp_path):
    files = {**fake.files, "run01/test/item02.png": fake.files["run01/test/item03.png"]}
    refuse(files, test_set, tmp_path, "not the official runs")


def test_another_answer_changes_the_fingerprint_and_is_refused(fake, test_set, tmp_path):
    labels = fake.files["run02/class_labels.txt"]
    swapped = labels.replace(b"class01", b"class0X").replace(b"class02", b"class01").replace(b"class0X", b"class02")
    assert swapped != labels
    refuse({**fake.files, "run02/class_labels.txt": swapped}, test_set, tmp_path, "not the official runs")


@pytest.mark.parametrize("name", ["run01/test/item02.png", "run02/class_labels.txt"])
def test_a_missing_file_changes_the_fingerprint_and_is_refused(fake, test_set, tmp_path, name):
    files = {one: fake.files[one] for one in fake.files if one != name}
    refuse(files, test_set, tmp_path, "not the official runs")


@pytest.mark.parametrize(
    "name",
    ["run1/test/item01.png", "run01/other/item01.png", "picture.png", "run01/notes.txt", "run01/test/class01.png"],
)
def test_a_file_that_belongs_to_no_run_is_named(fake, test_set, tmp_path, name):
    refuse({**fake.files, name: png()}, test_set, tmp_path, f"'{name}' belongs to no official run")


def test_labels_that_are_no_pairs_are_named(fake, test_set, tmp_path):
    files = {**fake.files, "run01/class_labels.txt": b"run01/test/item01.png\n"}
    refuse(files, test_set, tmp_path, r"run01/class_labels\.txt is no list of pairs")


def test_a_drawing_that_is_not_in_the_test_set_is_refused(fake, test_set):
    """As where the test set is another one."""
    other = synthetic.draw_set("test", alphabets=2, characters=3, drawers=4, seed=1)
    with pytest.raises(DatasetCorrupt, match="a drawing of the official runs is not in synthetic/test"):
        decode_runs(fake.zip, other, nothing)
    lacking = test_set.of_classes(torch.tensor([True] * 5 + [False]))
    with pytest.raises(DatasetCorrupt, match="is not in synthetic/test"):
        decode_runs(fake.zip, lacking, nothing)


def test_damaged_and_truncated_zips_are_refused_by_name(fake, test_set, tmp_path):
    content = fake.zip.read_bytes()
    for spoilt in (with_damaged_member(fake.zip), content[: len(content) // 2], b"", b"words"):
        (tmp_path / "spoilt.zip").write_bytes(spoilt)
        with pytest.raises(DatasetCorrupt, match=r"spoilt\.zip"):
            decode_runs(tmp_path / "spoilt.zip", test_set, nothing)


@pytest.fixture
def saved(fake, test_set, tmp_path):
    path = tmp_path / "runs.safetensors"
    save_runs(path, decode_runs(fake.zip, test_set, nothing), test_set)
    return path


def rewrite(path, change):
    """Write the file anew with its tensors and record changed in place."""
    with safe_open(path, framework="pt") as file:
        record = json.loads(file.metadata()["omnitwin"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    change(tensors, record)
    save_file(tensors, path, metadata={"omnitwin": json.dumps(record)})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", "omnitwin-packed-set"),
        ("format_version", 2),
        ("fingerprint", "0" * 64),
        ("test", "0" * 64),
    ],
)
def test_packed_runs_of_another_format_version_or_set_are_refused(saved, test_set, field, value):
    rewrite(saved, lambda tensors, record: record.update({field: value}))
    with pytest.raises(DatasetCorrupt, match="does not hold the official runs of synthetic/test"):
        load_runs(saved, test_set)


def test_packed_runs_are_not_rows_of_another_test_set(saved):
    other = synthetic.draw_set("test", alphabets=2, characters=3, drawers=4, seed=1)
    with pytest.raises(DatasetCorrupt, match="does not hold the official runs"):
        load_runs(saved, other)


@pytest.mark.parametrize(
    ("name", "value"), [("query_RT", 24), ("query_RT", -1), ("support_RW", 24), ("answer_RT", 3), ("answer_RT", -1)]
)
def test_packed_runs_that_point_nowhere_are_refused(saved, test_set, name, value):
    def change(tensors, record):
        tensors[name][1, 1] = value

    rewrite(saved, change)
    with pytest.raises(DatasetCorrupt, match="impossible runs"):
        load_runs(saved, test_set)


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors, record: tensors.pop("answer_RT"),
        lambda tensors, record: record.pop("test"),
        lambda tensors, record: tensors.update(query_RT=tensors["query_RT"].flatten()),
        lambda tensors, record: tensors.update(query_RT=torch.zeros(0, 3, dtype=torch.int32)),
        lambda tensors, record: tensors.update(support_RW=tensors["support_RW"][:1]),
        lambda tensors, record: tensors.update(answer_RT=tensors["answer_RT"][:, :2].contiguous()),
    ],
    ids=["no answers", "no test set", "flat", "empty", "supports of one run", "too few answers"],
)
def test_packed_runs_of_another_shape_are_refused(saved, test_set, change):
    rewrite(saved, change)
    with pytest.raises(DatasetCorrupt, match=r"runs\.safetensors"):
        load_runs(saved, test_set)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_truncated_packed_runs_are_refused(saved, test_set, share):
    saved.write_bytes(saved.read_bytes()[: int(share * saved.stat().st_size)])
    with pytest.raises(DatasetCorrupt, match="cannot be read"):
        load_runs(saved, test_set)


def test_a_missing_packed_file_is_refused(test_set, tmp_path):
    with pytest.raises(DatasetCorrupt, match="cannot be read"):
        load_runs(tmp_path / "none.safetensors", test_set)


@pytest.mark.parametrize("name", ["query_RT", "support_RW", "answer_RT"])
def test_one_damaged_bit_of_packed_runs_is_noticed(saved, test_set, name):
    """Even where what it makes of a row is a row."""

    def change(tensors, record):
        tensors[name][0, 0] ^= 1

    rewrite(saved, change)
    with pytest.raises(DatasetCorrupt):
        load_runs(saved, test_set)


@pytest.fixture
def real_test_set(real_data, once):
    """Decoded once: that takes seconds."""
    file = real_data / "images_evaluation.zip"
    return once("real test set", lambda folder: omniglot.decode(file, omniglot.SETS["test"], nothing))[1]


@pytest.mark.realdata
def test_the_real_runs_are_20_of_20_trials_as_the_paper_says(real_data, real_test_set):
    """Lake et al. 2015, supplement sec. 5.1: 10 alphabets, two runs each, of 20 characters by two drawers."""
    runs = decode_runs(real_data / "all_runs.zip", real_test_set, nothing)
    assert runs.query_RT.shape == runs.support_RW.shape == runs.answer_RT.shape == (20, 20)
    class_N, source_N = real_test_set.class_N, real_test_set.source_N
    alphabet_N = real_test_set.group_C[class_N]
    rows_R2T = torch.cat([runs.query_RT, runs.support_RW], 1)
    assert all(len(set(alphabets)) == 1 for alphabets in alphabet_N[rows_R2T].tolist())
    assert sorted(alphabet_N[runs.query_RT[:, 0]].bincount().tolist())[-10:] == [2] * 10
    assert len(alphabet_N[rows_R2T].unique()) == 10
    for queries, supports in zip(source_N[runs.query_RT].tolist(), source_N[runs.support_RW].tolist(), strict=True):
        assert len(set(queries)) == len(set(supports)) == 1
        assert set(queries) != set(supports)
    assert all(len(set(classes)) == 20 for classes in class_N[runs.support_RW].tolist())
    assert torch.equal(class_N[runs.support_RW.gather(1, runs.answer_RT)], class_N[runs.query_RT])
    assert all(sorted(answers) == list(range(20)) for answers in runs.answer_RT.tolist())


@pytest.mark.realdata
@pytest.mark.slow
def test_hausdorff_baseline_reproduces_the_38_8_percent_error_of_the_official_demo(real_data, real_test_set):
    """demo_classification.m and .py of brendenlake/omniglot: 38.8 % is 155 of 400."""
    runs = decode_runs(real_data / "all_runs.zip", real_test_set, nothing)
    scorer = seated(open_baseline("hausdorff"), real_test_set)
    error = taken(EXAMS["official"], scorer, real_test_set, EvalConfig(), runs).measure("error")
    assert (round(error.value * error.n), error.n) == (155, 400)
    assert error.value == 0.3875


@pytest.mark.realdata
def test_real_runs_come_back_from_their_packed_file(real_data, real_test_set, tmp_path):
    runs = decode_runs(real_data / "all_runs.zip", real_test_set, nothing)
    save_runs(tmp_path / "runs.safetensors", runs, real_test_set)
    assert lists(load_runs(tmp_path / "runs.safetensors", real_test_set)) == lists(runs)


@pytest.mark.realdata
def test_real_runs_with_one_answer_changed_are_refused(real_data, real_test_set, tmp_path):
    with zipfile.ZipFile(real_data / "all_runs.zip") as archive:
        files = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    labels = files["run07/class_labels.txt"].split(b"\n")
    first, second = (line.split() for line in labels[:2])
    labels[:2] = [b" ".join([first[0], second[1]]), b" ".join([second[0], first[1]])]
    files["run07/class_labels.txt"] = b"\n".join(labels)
    with pytest.raises(DatasetCorrupt, match="not the official runs"):
        decode_runs(write_zip(tmp_path / "changed.zip", files), real_test_set, nothing)
