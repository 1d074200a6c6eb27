"""A checkpoint describes itself, comes back bit for bit, and is believed only when it is whole."""

import json
import stat
from dataclasses import replace

import pytest
import torch
from old_records import as_version_1
from safetensors import safe_open
from safetensors.torch import save_file

from omnitwin.errors import BadCheckpoint
from omnitwin.model.checkpoint import load_checkpoint, load_state, save_checkpoint, save_state
from omnitwin.model.description import Description, read_description
from omnitwin.model.locating import BUNDLED_WEIGHTS, locate_checkpoint
from omnitwin.recipes import SMALL
from omnitwin.system.paths import BEST_FILE, WEIGHTS_FILE, runs_folder
from omnitwin.training.trainer import build_network

DESCRIPTION = Description.of_recipe(
    SMALL,
    iteration=7,
    precision="fp32",
    dataset="synthetic/training",
    fingerprint="f" * 64,
    metrics={"loss": 0.5},
)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / WEIGHTS_FILE
    network = build_network(SMALL).eval()
    save_checkpoint(path, network, DESCRIPTION)
    return path, network


def rewrite(path, change_tensors=lambda tensors: None, change_record=lambda record: None):
    with safe_open(path, framework="pt") as file:
        record = json.loads(file.metadata()["omnitwin"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    change_tensors(tensors)
    change_record(record)
    save_file(tensors, path, metadata={"omnitwin": json.dumps(record)})


def test_save_and_load_give_the_same_logits_bitwise(saved):
    path, network = saved
    left, right = torch.rand(2, 4, 1, 28, 28).unbind()
    loaded, description = load_checkpoint(path)
    with torch.inference_mode():
        assert torch.equal(network(left, right), loaded(left, right))
    assert description == DESCRIPTION


def test_equal_weights_give_equal_bytes(saved, tmp_path):
    path, network = saved
    save_checkpoint(tmp_path / "again.safetensors", network, DESCRIPTION)
    assert path.read_bytes() == (tmp_path / "again.safetensors").read_bytes()


def test_the_metadata_is_one_sorted_json_record_under_one_key(saved):
    with safe_open(saved[0], framework="pt") as file:
        metadata = file.metadata()
    assert list(metadata) == ["omnitwin"]
    record = json.loads(metadata["omnitwin"])
    assert list(record) == sorted(record)
    assert {
        "network",
        "recipe",
        "threshold",
        "fingerprint",
        "calibration",
        "metrics",
        "omnitwin",
    } <= record.keys()


def test_others_may_read_a_checkpoint_as_far_as_the_umask_allows(saved):
    import os

    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(saved[0].stat().st_mode) == 0o666 & ~mask


def test_channels_last_weights_are_saved_as_contiguous_ones_are(saved, tmp_path):
    path, network = saved
    save_checkpoint(tmp_path / "other.safetensors", network.to(memory_format=torch.channels_last), DESCRIPTION)
    assert path.read_bytes() == (tmp_path / "other.safetensors").read_bytes()


CALIBRATED = replace(
    DESCRIPTION,
    held_out=("Synthetic 02", "Synthetic 05"),
    threshold=0.4375,
    calibration={"temperature": 0.1, "bias": -1 / 3},
    metrics={"loss": 0.5, "held_out_eer": 0.125},
)


def test_calibration_threshold_and_held_out_alphabets_survive_a_round_trip(tmp_path):
    path, state = tmp_path / WEIGHTS_FILE, tmp_path / "state.safetensors"
    save_checkpoint(path, build_network(SMALL), CALIBRATED)
    save_state(state, {"a": torch.zeros(1)}, CALIBRATED)
    assert load_checkpoint(path)[1] == read_description(path) == CALIBRATED
    assert load_state(state)[1] == read_description(state) == CALIBRATED


def test_a_file_of_version_1_is_read_as_uncalibrated_with_nothing_held_out(saved):
    path, network = saved
    rewrite(path, change_record=lambda record: as_version_1(record, SMALL))
    loaded, description = load_checkpoint(path)
    assert (description.calibration, description.held_out, description.threshold) == (None, (), 0.5)
    assert description.whole_recipe() == SMALL.changed(holdout=0)
    assert replace(description, recipe=DESCRIPTION.recipe) == DESCRIPTION
    assert all(torch.equal(loaded.state_dict()[name], tensor) for name, tensor in network.state_dict().items())


def test_a_state_of_version_1_is_read_too(tmp_path):
    state = tmp_path / "state.safetensors"
    save_state(state, {"a": torch.zeros(1)}, DESCRIPTION)
    rewrite(state, change_record=lambda record: as_version_1(record, SMALL))
    assert (load_state(state)[1].held_out, load_state(state)[1].recipe["holdout"]) == ((), 0)


@pytest.mark.parametrize(
    "calibration",
    [
        {},
        {"temperature": 1.0},
        {"bias": 0.0},
        {"temperature": 1.0, "bias": 0.0, "shift": 0.0},
        {"temperature": 0.0, "bias": 0.0},
        {"temperature": -1.0, "bias": 0.0},
        {"temperature": float("nan"), "bias": 0.0},
        {"temperature": float("inf"), "bias": 0.0},
        {"temperature": 1.0, "bias": float("nan")},
        {"temperature": 1.0, "bias": float("-inf")},
        {"temperature": "1.0", "bias": 0.0},
        {"temperature": None, "bias": 0.0},
        [1.0, 0.0],
        "none",
        1.0,
    ],
    ids=str,
)
def test_a_calibration_that_cannot_be_is_refused(saved, calibration):
    rewrite(saved[0], change_record=lambda record: record.update(calibration=calibration))
    with pytest.raises(BadCheckpoint, match="describes no network"):
        load_checkpoint(saved[0])


@pytest.mark.parametrize("threshold", [0.0, 1.0, -0.5, 1.5, float("nan"), "0.5", None])
def test_a_threshold_that_is_no_probability_is_refused(saved, threshold):
    rewrite(saved[0], change_record=lambda record: record.update(threshold=threshold))
    with pytest.raises(BadCheckpoint, match="describes no network"):
        load_checkpoint(saved[0])


@pytest.mark.parametrize("held_out", [None, [1], [None], 3])
def test_held_out_alphabets_that_are_no_names_are_refused(saved, held_out):
    rewrite(saved[0], change_record=lambda record: record.update(held_out=held_out))
    with pytest.raises(BadCheckpoint, match="describes no network"):
        load_checkpoint(saved[0])


def test_of_a_run_the_best_is_found_before_the_last(saved):
    path, network = saved
    save_checkpoint(path.parent / BEST_FILE, network, DESCRIPTION)
    assert locate_checkpoint(str(path.parent)) == path.parent / BEST_FILE
    assert locate_checkpoint(str(path)) == path


def drop(tensors):
    del tensors["head.bias"]


def add(tensors):
    tensors["extra"] = torch.zeros(1)


def reshape(tensors):
    tensors["head.weight"] = torch.zeros(1, 64)


def retype(tensors):
    tensors["head.weight"] = tensors["head.weight"].double()


def poison(tensors):
    tensors["head.weight"][0, 0] = float("nan")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (drop, "head.bias"),
        (add, "extra"),
        (reshape, r"head.weight is \(1, 64\)"),
        (retype, "float64"),
        (poison, "not finite"),
    ],
)
def test_tensors_that_are_not_those_of_the_network_are_refused_by_name(saved, change, words):
    rewrite(saved[0], change_tensors=change)
    with pytest.raises(BadCheckpoint, match=words):
        load_checkpoint(saved[0])


def test_half_precision_is_widened_and_nothing_else_is(saved):
    """Half precision holds every number that it is given back: a float32 that came from one is the same number."""
    path, network = saved
    halves = {name: part.half().float() if part.is_floating_point() else part for name, part in state(network).items()}

    def halve(tensors):
        tensors.update({name: part.half() for name, part in tensors.items() if part.is_floating_point()})

    rewrite(path, halve)
    loaded, description = load_checkpoint(path)
    assert description == DESCRIPTION
    assert {name: part.dtype for name, part in state(loaded).items()} == {n: p.dtype for n, p in state(network).items()}
    assert all(torch.equal(part, halves[name]) for name, part in state(loaded).items())


def state(network):
    return network.state_dict()


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float64, torch.int32])
def test_other_number_formats_are_refused(saved, kind):
    rewrite(saved[0], lambda tensors: tensors.update({"head.bias": tensors["head.bias"].to(kind)}))
    with pytest.raises(BadCheckpoint, match=r"head\.bias"):
        load_checkpoint(saved[0])


def test_counts_in_half_precision_are_refused(saved):
    rewrite(saved[0], lambda tensors: tensors.update({name: part.half() for name, part in tensors.items()}))
    with pytest.raises(BadCheckpoint, match=r"num_batches_tracked is .* float16"):
        load_checkpoint(saved[0])


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("format_version", 99, "version 99"),
        ("format", "something", "none of omnitwin's|something"),
        ("recipe", {"name": "x"}, "describes no network"),
        ("recipe", None, "describes no network"),
    ],
)
def test_a_record_that_says_something_else_is_refused(saved, field, value, words):
    rewrite(saved[0], change_record=lambda record: record.update({field: value}))
    with pytest.raises(BadCheckpoint, match=words):
        load_checkpoint(saved[0])


def test_an_encoder_not_known_here_is_refused_by_name(saved):
    rewrite(saved[0], change_record=lambda record: record["network"].update(encoder="future"))
    with pytest.raises(BadCheckpoint, match="future"):
        load_checkpoint(saved[0])


@pytest.mark.parametrize("content", [b"", b"hello, world", b"\xff" * 100, b"\x10\x00\x00\x00\x00\x00\x00\x00{}"])
def test_a_file_that_is_no_safetensors_is_refused(tmp_path, content):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(BadCheckpoint, match="cannot be read"):
        load_checkpoint(path)


def test_a_checkpoint_cut_short_is_refused(saved):
    content = saved[0].read_bytes()
    saved[0].write_bytes(content[: len(content) // 2])
    with pytest.raises(BadCheckpoint, match="cannot be read"):
        load_checkpoint(saved[0])


def test_a_state_is_not_taken_for_weights_nor_weights_for_a_state(saved, tmp_path):
    state = tmp_path / "state.safetensors"
    save_state(state, {"a": torch.zeros(1)}, DESCRIPTION)
    with pytest.raises(BadCheckpoint, match="training-state"):
        load_checkpoint(state)
    with pytest.raises(BadCheckpoint, match="checkpoint"):
        load_state(saved[0])


def test_a_checkpoint_is_found_by_file_by_folder_by_name_and_as_the_newest(saved):
    path, network = saved
    for index, name in enumerate(("old", "new")):
        run = runs_folder() / name / WEIGHTS_FILE
        save_checkpoint(run, network, replace(DESCRIPTION, iteration=index))
        import os

        os.utime(run, (1000 + index, 1000 + index))
    assert locate_checkpoint(str(path)) == path
    assert locate_checkpoint(str(path.parent)) == path
    assert locate_checkpoint("old") == runs_folder() / "old" / WEIGHTS_FILE
    assert locate_checkpoint("newest") == runs_folder() / "new" / WEIGHTS_FILE
    assert locate_checkpoint(None) == locate_checkpoint("bundled") == BUNDLED_WEIGHTS


def test_a_folder_of_images_does_not_hide_the_run_of_its_name(saved, home, tmp_path, monkeypatch):
    path, _ = saved
    weights = runs_folder() / "products" / WEIGHTS_FILE
    weights.parent.mkdir(parents=True)
    weights.write_bytes(path.read_bytes())
    (tmp_path / "here" / "products" / "milk").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    assert locate_checkpoint("products") == weights
    with pytest.raises(BadCheckpoint, match="holds no"):
        locate_checkpoint("./products")
    own = tmp_path / "here" / "products" / WEIGHTS_FILE
    own.write_bytes(path.read_bytes())
    assert locate_checkpoint("products").resolve() == own


def test_no_checkpoint_yet_says_how_to_train_one():
    with pytest.raises(BadCheckpoint) as caught:
        locate_checkpoint("newest")
    assert "omnitwin train" in caught.value.line()
