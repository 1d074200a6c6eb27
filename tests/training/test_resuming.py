"""What a run's folder claims is checked before anything of that size is made, and a refusal leaves all files alone."""

import json
import math
import struct
from contextlib import nullcontext
from dataclasses import replace

import pytest
from listening import Notes
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from omnitwin.config import TrainConfig
from omnitwin.data import synthetic
from omnitwin.errors import BadCheckpoint, BadInput
from omnitwin.model.checkpoint import layout
from omnitwin.model.twin import build_twin
from omnitwin.recipes import CLASSIC, FAST, SMALL, Network
from omnitwin.system.paths import BEST_FILE, CONFIG_FILE, METRICS_FILE, STATE_FILE, WEIGHTS_FILE
from omnitwin.training import training
from omnitwin.training.planning import plan
from omnitwin.training.runs import continued
from omnitwin.training.trainer import Trainer, state_layout
from omnitwin.training.training import train

TINY = FAST.changed(image_size=12, iterations=4, batch_size=12, drawings=2, holdout=1, alphabets=1, per_alphabet=3)
IMAGES = {"training": synthetic.draw_set("training", alphabets=2, characters=4)}


def config(output=None, **recipe):
    return replace(
        TrainConfig(recipe=TINY.changed(**recipe), dataset=IMAGES, device="cpu", precision="fp32", output=output),
        exam_every=1,
    )


@pytest.fixture
def stopped(tmp_path):
    asked = iter(range(10))
    train(config(tmp_path / "run"), stop_button=nullcontext(lambda: "SIGINT" if next(asked) >= 1 else None))
    return tmp_path / "run"


def rewrite(path, **changes):
    """Change a file's record; None takes a field away. The tensors stay."""
    with safe_open(path, framework="pt") as file:
        record = json.loads(file.metadata()["omnitwin"]) | changes
    may_be_none = ("calibration", "novelty", "familiarity", "data")
    left = {name: value for name, value in record.items() if value is not None or name in may_be_none}
    save_file(load_file(path), path, metadata={"omnitwin": json.dumps(left)})


def record_of(path):
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["omnitwin"])


def contents(run):
    return {path.name: path.read_bytes() for path in run.iterdir() if not path.name.startswith(".")}


def forbidden(*words):
    raise AssertionError("data were asked for")


@pytest.mark.parametrize("recipe", [CLASSIC, SMALL, FAST, FAST.changed(averaging=0.0)])
def test_the_layout_of_a_state_follows_from_its_recipe_without_a_network(recipe):
    network = build_twin(recipe.network)
    moments = ("step", "exp_avg", "exp_avg_sq")
    found = state_layout(recipe)
    assert {name for name in found if name.startswith("adam.")} == {
        f"adam.{moment}.{name}" for name, _ in network.named_parameters() for moment in moments
    }
    assert {name.removeprefix("network.") for name in found if name.startswith("network.")} == set(network.state_dict())
    assert any(name.startswith("average.") for name in found) == (recipe.optimiser.name == "adamw")


@pytest.mark.parametrize("again", [train, plan])
def test_a_state_that_does_not_fit_its_recipe_is_refused_before_data_are_opened(stopped, monkeypatch, again):
    larger = replace(TINY, network=Network(encoder="strong", image_size=64, frame="ink", head="distance"))
    rewrite(stopped / STATE_FILE, network={**record_of(stopped / STATE_FILE)["network"], "image_size": 64})
    for module in (training, __import__("omnitwin.training.planning", fromlist=["plan"])):
        monkeypatch.setattr(module, "training_images", forbidden)
    before = contents(stopped)
    where = {"resume": stopped} if again is train else {"output": stopped}
    with pytest.raises(BadCheckpoint, match=r"encoder.out.weight is \(256, 128\).*needs \(256, 8192\)"):
        again(replace(config(), recipe=larger), **where)
    assert contents(stopped) == before


def test_a_refused_run_keeps_every_byte_of_its_folder(stopped):
    state = load_file(stopped / STATE_FILE)
    state["network.encoder.out.weight"][0, 0] = math.nan
    save_file(state, stopped / STATE_FILE, metadata={"omnitwin": json.dumps(record_of(stopped / STATE_FILE))})
    (stopped / METRICS_FILE).write_text("a line of another program\n")
    (stopped / CONFIG_FILE).write_text("{}")
    before = contents(stopped)
    with pytest.raises(BadCheckpoint, match="not finite"):
        train(config(), resume=stopped)
    assert contents(stopped) == before


@pytest.mark.parametrize(
    "claim",
    [
        {"iteration": -3},
        {"iteration": 2.5},
        {"iteration": True},
        {"iteration": "7"},
        {"iteration": 10**400},
        {"metrics": {"loss": math.nan}},
        {"metrics": {"loss": math.inf}},
        {"metrics": {"loss": 1e308}},
        {"metrics": {"held_out_eer": math.nan}},
        {"metrics": {"held_out_eer": -0.1}},
        {"metrics": {"held_out_eer": 1.5}},
        {"metrics": {"held_out_eer": True}},
        {"metrics": [0.5]},
        {"threshold": math.nan},
        {"threshold": 1.0},
        {"calibration": {"temperature": 1e-308, "bias": 0.0}},
        {"calibration": {"temperature": 1.0, "bias": math.inf}},
        {"calibration": {"temperature": 1.0, "bias": 1e308}},
        {"calibration": [1.0, 0.0]},
        {"format_version": True},
        {"format_version": 4.0},
    ],
)
@pytest.mark.parametrize("name", [STATE_FILE, WEIGHTS_FILE])
def test_a_claim_that_cannot_be_is_refused_when_it_is_read(stopped, name, claim):
    from omnitwin.model.description import read_description

    rewrite(stopped / name, **claim)
    with pytest.raises(BadCheckpoint):
        read_description(stopped / name)


def test_a_header_longer_than_any_of_ours_is_not_read(stopped):
    path = stopped / STATE_FILE
    header = b"[" + b"[]," * 2_000_000 + b"[]]"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(16))
    with pytest.raises(BadCheckpoint, match=r"its header has 6,000,004 bytes, and no more than 4,194,304 are read"):
        continued(config(), str(stopped))


OTHERS = {
    "no exam": {"metrics": {"loss": 0.5}},
    "an EER that is no number": {"metrics": {"held_out_eer": math.nan}},
    "an EER below 0": {"metrics": {"held_out_eer": -1.0}},
    "other images": {"fingerprint": "0" * 64},
    "other held-out groups": {"held_out": ["Greek"]},
    "another length than any": {"iteration": 1000},
    "another recipe": {"recipe": {**TINY.to_json(), "seed": 9}},
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_best_checkpoint_of_another_run_is_noted_and_written_again_and_no_step_is_lost(stopped, what):
    rewrite(stopped / BEST_FILE, **OTHERS[what])
    reporter = Notes()
    report = train(config(), reporter, resume=stopped)
    assert [line for line in reporter.said if "The next exam on held-out classes writes it again" in line]
    assert (report.iteration, report.held_out_eer) == (4, record_of(stopped / BEST_FILE)["metrics"]["held_out_eer"])
    assert 0 <= report.held_out_eer <= 1
    assert report.best_iteration in (3, 4)


def test_a_best_checkpoint_of_another_network_is_noted_and_written_again(stopped):
    tensors = load_file(stopped / BEST_FILE)
    del tensors["head.bias"]
    save_file(tensors, stopped / BEST_FILE, metadata={"omnitwin": json.dumps(record_of(stopped / BEST_FILE))})
    reporter = Notes()
    assert train(config(), reporter, resume=stopped).best_iteration in (3, 4)
    assert [line for line in reporter.said if "head.bias missing or extra" in line]


def test_the_best_checkpoint_of_a_run_that_was_killed_before_it_saved_its_state_stays_the_best(tmp_path):
    """best.safetensors is written by the exam, the state later: it can be ahead of the state."""
    asked = iter(range(10))
    first = config(tmp_path / "run", iterations=3)
    train(first, stop_button=nullcontext(lambda: "SIGINT" if next(asked) >= 1 else None))
    state = (tmp_path / "run" / STATE_FILE).read_bytes()
    train(first, resume=tmp_path / "run")
    best = record_of(tmp_path / "run" / BEST_FILE)
    (tmp_path / "run" / STATE_FILE).write_bytes(state)
    reporter = Notes()
    again = train(first, reporter, resume=tmp_path / "run")
    assert (again.best_iteration, again.held_out_eer) == (best["iteration"], best["metrics"]["held_out_eer"])
    assert not [line for line in reporter.said if "writes it again" in line]


def test_a_state_of_another_recipe_or_of_a_run_that_is_done_is_refused_before_data_are_opened(stopped, monkeypatch):
    monkeypatch.setattr(training, "training_images", forbidden)
    with pytest.raises(BadInput, match="has another recipe"):
        train(config(seed=5), resume=stopped)
    with pytest.raises(BadInput, match="has done its 2 iterations"):
        train(config(iterations=2), resume=stopped)


def test_a_trainers_state_has_the_layout_that_its_recipe_implies():
    trainer = Trainer(config(), IMAGES["training"])
    trainer.step(1)
    assert layout(trainer.state()) == state_layout(trainer.recipe)
