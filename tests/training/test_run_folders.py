"""A run's folder: how it is found and gone on with, what may change then, and what it says of itself."""

import json
import math
import os
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from listening import Notes
from old_records import flat_record

from omnitwin.config import TrainConfig
from omnitwin.data import synthetic
from omnitwin.errors import BadCheckpoint, BadInput, TrainingDiverged
from omnitwin.recipes import FAST, Recipe
from omnitwin.system.paths import BEST_FILE, CONFIG_FILE, METRICS_FILE, STATE_FILE, WEIGHTS_FILE
from omnitwin.training import runs
from omnitwin.training.runs import RunLog, continued, read_config, read_steps, recorded
from omnitwin.training.training import train

TINY = FAST.changed(image_size=12, iterations=6, batch_size=12, drawings=2, holdout=1, alphabets=1, per_alphabet=3)
IMAGES = {"training": synthetic.draw_set("training", alphabets=2, characters=4)}


def config(output=None, **recipe):
    changed = TINY.changed(**recipe)
    return TrainConfig(recipe=changed, dataset=IMAGES, device="cpu", precision="fp32", output=output)


def stop_after(steps):
    """A stop button that is pressed during the given step."""
    asked = iter(range(1, 10_000))
    return nullcontext(lambda: "SIGINT" if next(asked) >= steps else None)


@pytest.fixture
def stopped(tmp_path):
    train(config(tmp_path / "run"), stop_button=stop_after(2))
    return tmp_path / "run"


def test_a_run_goes_on_with_its_own_recipe_and_more_iterations(stopped):
    asked = replace(config(), recipe=FAST, precision="auto")
    going_on, folder, done = continued(asked, str(stopped), {"iterations": 9, "seed": None})
    assert (folder, done) == (stopped, 2)
    assert going_on.recipe == TINY.changed(iterations=9)
    assert going_on.precision == "fp32"
    assert going_on.dataset is IMAGES


@pytest.mark.parametrize("changes", [{"shear": 0.5}, {"seed": 3}, {"recipe": "small"}, {"name": "fast"}, {"warp": 1}])
def test_nothing_but_the_iterations_changes_in_a_resumed_run(stopped, changes):
    [name] = changes
    with pytest.raises(BadInput, match=f"^--{name}-- cannot change in a run that is resumed"):
        continued(config(), str(stopped), changes, lambda word: f"--{word}--")


def test_what_a_run_has_already_may_be_said_again(stopped):
    same = {"shear": TINY.augmentation.shear, "recipe": "fast", "batch_size": 12, "dataset": "synthetic"}
    assert continued(config(), str(stopped), same)[0].recipe == TINY


def test_a_run_stopped_before_its_first_checkpoint_is_described_by_its_config(stopped):
    for name in (STATE_FILE, WEIGHTS_FILE):
        (stopped / name).unlink()
    folder, description = recorded(str(stopped))
    assert (folder, description.iteration, description.whole_recipe()) == (stopped, 0, TINY)


def test_a_config_of_the_version_before_recipes_had_parts_is_read(stopped):
    record = json.loads((stopped / CONFIG_FILE).read_text())
    old = {**record, "format_version": 1, "recipe": flat_record(TINY)}
    (stopped / CONFIG_FILE).write_text(json.dumps(old))
    assert read_config(stopped).whole_recipe() == TINY


@pytest.mark.parametrize("change", [{"format_version": 3}, {"format": "other"}, {"recipe": {}}, {"recipe": 3}])
def test_a_config_that_does_not_tell_what_was_run_is_refused(stopped, change):
    record = json.loads((stopped / CONFIG_FILE).read_text())
    (stopped / CONFIG_FILE).write_text(json.dumps({**record, **change}))
    with pytest.raises(BadCheckpoint):
        read_config(stopped)


def test_metrics_of_an_earlier_version_are_read_without_the_fields_that_are_gone(tmp_path):
    step = {"iteration": 1, "loss": 0.5, "pairs_per_second": 3.0, "elapsed_seconds": 0.1, "held_out_auc": 0.9}
    (tmp_path / METRICS_FILE).write_text(json.dumps(step) + "\nhalf a li")
    assert [(found.iteration, found.loss) for found in read_steps(tmp_path)] == [(1, 0.5)]


@pytest.mark.parametrize(
    ("field", "value"),
    [("device", "cpu (99 threads)"), ("device", "cuda:0 (a GPU, 80 GiB)"), ("torch", "1.0"), ("precision", "bf16")],
)
def test_going_on_elsewhere_or_with_other_threads_says_that_the_bits_will_differ(stopped, field, value):
    record = json.loads((stopped / CONFIG_FILE).read_text())
    record["computed_by"][0][field] = value
    (stopped / CONFIG_FILE).write_text(json.dumps(record))
    for iterations in (6, 7):  # once said, it stays true
        reporter = Notes()
        train(config(iterations=iterations), reporter, resume=stopped)
        [said] = [line for line in reporter.said if "last bits" in line]
        assert value in said


def test_a_config_of_before_that_tells_one_session_is_understood(stopped):
    record = json.loads((stopped / CONFIG_FILE).read_text())
    del record["computed_by"]
    (stopped / CONFIG_FILE).write_text(json.dumps({**record, "device": "cpu (99 threads)"}))
    reporter = Notes()
    train(config(), reporter, resume=stopped)
    assert [line for line in reporter.said if "cpu (99 threads)" in line]


def test_going_on_as_before_says_nothing_of_bits(stopped):
    reporter = Notes()
    train(config(), reporter, resume=stopped)
    assert not [line for line in reporter.said if "last bits" in line]


def diverging(embeddings, labels):
    """A loss that is finite in the first two steps, and then no number."""
    diverging.calls += 1
    return (embeddings * 1e-3).sum() * (1.0 if diverging.calls <= 2 else math.nan)


def test_a_run_that_diverges_says_which_files_are_left_and_of_which_iteration(tmp_path):
    diverging.calls = 0
    own = replace(config(tmp_path / "run", objective="own", function="diverging"), objective=diverging)
    train(own, stop_button=stop_after(2))
    kept = (tmp_path / "run" / STATE_FILE).read_bytes()
    with pytest.raises(TrainingDiverged) as diverged:
        train(own, resume=tmp_path / "run")
    left = f"{tmp_path / 'run'} keeps {STATE_FILE} of iteration 2, {WEIGHTS_FILE} of iteration 2"
    assert left in diverged.value.line()
    assert (tmp_path / "run" / STATE_FILE).read_bytes() == kept


def poisoned(embeddings, labels):
    """A loss that is finite and has gradients that are not."""
    return (embeddings * 0).sum() + (embeddings.sum() * 0).sqrt()


def test_weights_that_are_not_finite_are_never_saved_as_the_best(tmp_path):
    own = replace(config(tmp_path / "run", objective="own", function="poisoned"), objective=poisoned)
    with pytest.raises(TrainingDiverged, match="nothing had been saved yet"):
        train(own)
    assert not (tmp_path / "run" / BEST_FILE).exists()


def test_the_speed_of_a_run_is_that_of_its_steps_without_exams_and_saving(tmp_path):
    """Every line of the metrics has the speed of its steps; the whole is their mean, weighted by time."""
    report = train(replace(config(tmp_path / "run", iterations=30), checkpoint_seconds=0.0))
    pairs = 12 * 11 / 2
    seconds = sum(pairs / step.pairs_per_second for step in read_steps(tmp_path / "run"))
    assert report.pairs_per_second == pytest.approx(30 * pairs / seconds, rel=1e-6)


def test_a_recipe_that_is_not_known_here_still_answers_and_is_refused_for_going_on(stopped):
    """A checkpoint of a later omnitwin, with an objective of its own: the network is all that an answer takes."""
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    from omnitwin.model.checkpoint import load_checkpoint

    for name in (WEIGHTS_FILE, STATE_FILE):
        with safe_open(stopped / name, framework="pt") as file:
            record = json.loads(file.metadata()["omnitwin"])
        record["recipe"]["objective"] = {"name": "of-tomorrow", "depth": 3}
        save_file(load_file(stopped / name), stopped / name, metadata={"omnitwin": json.dumps(record)})
    network, description = load_checkpoint(stopped / WEIGHTS_FILE)
    assert torch.isfinite(network.embed(torch.rand(1, 1, 12, 12))).all()
    assert description.recipe_name == "fast"
    with pytest.raises(BadCheckpoint, match="is not known here"):
        continued(config(), str(stopped))


def test_a_recipe_in_a_config_is_complete(stopped):
    assert Recipe.from_json(json.loads((stopped / CONFIG_FILE).read_text())["recipe"]) == TINY


STEP = {"iteration": 1, "loss": 0.5, "pairs_per_second": 9.0, "elapsed_seconds": 1.0}


def test_metrics_that_end_in_gigabytes_of_nothing_are_read_up_to_there(tmp_path):
    lines = "".join(json.dumps(STEP | {"iteration": number}) + "\n" for number in range(1, 8))
    (tmp_path / METRICS_FILE).write_text(lines)
    os.truncate(tmp_path / METRICS_FILE, 3 << 30)  # a sparse file: it takes no room
    assert [step.iteration for step in read_steps(tmp_path)] == list(range(1, 8))
    with RunLog(tmp_path, done=5):
        pass
    assert (tmp_path / METRICS_FILE).read_text() == "".join(lines.splitlines(keepends=True)[:5])


def test_metrics_too_long_to_draw_are_left_out_and_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "LARGEST_METRICS", 1000)
    line = json.dumps(STEP)
    (tmp_path / METRICS_FILE).write_text(f"{line}\n" * (1000 // len(line)))
    said = []
    assert len(read_steps(tmp_path, said.append)) == 1000 // len(line)
    assert said == []
    (tmp_path / METRICS_FILE).write_text(f"{line}\n" * (1000 // len(line) + 1))
    assert read_steps(tmp_path, said.append) == ()
    assert len(said) == 1


def test_metrics_of_damaged_lines_alone_end_after_a_thousand_of_them(tmp_path):
    good = json.dumps(STEP) + "\n"
    (tmp_path / METRICS_FILE).write_text("\n" * 1000 + good)
    assert len(read_steps(tmp_path)) == 1
    (tmp_path / METRICS_FILE).write_text("\n" * 1001 + good)
    assert read_steps(tmp_path) == ()
