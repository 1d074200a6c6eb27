"""`omnitwin train --override NAME=VALUE`: every field by its type, contradictions and strangers refused."""

import json
import math
import shlex

import pytest
from checkpoints import record_of

from omnitwin.cli.recipes import KINDS, complete_override, published
from omnitwin.errors import BadInput
from omnitwin.recipes import CLASSIC, FAST, Recipe

FEW = ("train", "--recipe", "fast", "--data", "synthetic", "--precision", "fp32", "--iterations", 2)
TINY = (
    *FEW,
    "--batch-size",
    16,
    "--override",
    "image_size=12",
    "--override",
    "alphabets=1",
    "--override",
    "turns=false",
)


MARGIN, TEMPERATURE, PROXIES = (
    FAST.changed(objective=name) for name in ("triplet", "supervised-contrastive", "arcface")
)
COLOUR = FAST.changed(augmentation="photo")
PRETRAINED, TWIN = FAST.changed(encoder="mobilenet_v2", initial="pretrained"), FAST.changed(initial="twin")
EVERY_KIND = (FAST, MARGIN, TEMPERATURE, PROXIES, COLOUR, PRETRAINED, TWIN)


def refusal(*words, name="fast", **options):
    with pytest.raises(BadInput) as refused:
        published(name, options, words)
    line = refused.value.line()
    assert "\n" not in line
    return line


def test_without_words_a_published_recipe_is_as_published():
    assert published("fast", {"iterations": None, "seed": None}, []) == FAST
    assert published("classic", {}, []) == CLASSIC


def test_every_field_but_the_name_can_be_overridden():
    everything = {name for recipe in EVERY_KIND for name in recipe.flat()}
    assert KINDS.keys() == everything - {"name", "weights_sha256", "start_sha256"}


@pytest.mark.parametrize("field", sorted(KINDS))
def test_each_field_takes_its_own_value_back_and_nothing_else_changes(field):
    recipe = next(each for each in EVERY_KIND if field in each.flat())
    value = recipe.flat()[field]
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    parts = [f"{part}={getattr(recipe, part).name}" for part in ("objective", "augmentation", "initial")]
    words = [*parts, f"encoder={recipe.network.encoder}", f"{field}={text}"]
    assert published("fast", {}, words) == recipe


@pytest.mark.parametrize(
    ("word", "changes"),
    [
        ("iterations=7", {"iterations": 7}),
        ("learning_rate=1e-4", {"learning_rate": 1e-4}),
        ("adam_betas=0.8,0.95", {"adam_betas": (0.8, 0.95)}),
        ("encoder=strong", {"encoder": "strong"}),
        ("frame=whole", {"frame": "whole"}),
        ("turns=false", {"turns": False}),
        ("turns=True", {}),
        ("drawings=3", {"drawings": 3}),
        ("rotation=15", {"rotation": 15.0}),
    ],
)
def test_values_are_read_by_the_type_of_their_field(word, changes):
    assert published("fast", {}, [word]) == FAST.changed(**changes)


def test_overrides_go_together_with_each_other_and_with_options():
    found = published("fast", {"iterations": 9, "seed": None}, ["erase=0.25", "seed=4", "shear=0"])
    assert found == FAST.changed(iterations=9, seed=4, erase=0.25, shear=0.0)


@pytest.mark.parametrize("word", ["warp=1", "name=mine", "=3", "", "Rotation=3", "rotation =3"])
def test_what_is_no_field_is_refused_with_those_that_are(word):
    line = refusal(word)
    assert repr(word.partition("=")[0]) in line
    assert all(name in line for name in KINDS)


def test_a_name_alone_is_refused_with_how_to_write_it():
    assert "--override rotation=VALUE" in refusal("rotation")


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("iterations=many", "a whole number"),
        ("drawings=2.5", "a whole number"),
        ("drawings=", "a whole number"),
        ("shear=wide", "a number"),
        ("shear=nan", "a number"),
        ("learning_rate=inf", "a number"),
        ("turns=1", "true or false"),
        ("adam_betas=0.9", "two numbers"),
        ("adam_betas=0.9,0.99,0.999", "two numbers"),
    ],
)
def test_a_value_of_another_type_is_refused_with_what_is_wanted(word, wanted):
    name, _, text = word.partition("=")
    assert f"{name} takes {wanted}" in refusal(word)
    assert repr(text) in refusal(word)


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("drawings=1", "drawings must be between 2 and 1,000,000, not 1. For example: --override drawings=4"),
        ("erase=1.5", "erase must be between 0 and 1, not 1.5. For example: --override erase=0.0"),
        ("shift=-1", "shift must be between 0 and 1,000,000, not -1"),
        ("head=difference", "needs the head `distance`"),
        ("batch_size=7", "7 images cannot hold"),
        ("adam_betas=0.9,1", "For example: --override adam_betas=0.9,0.99"),
        ("frame=round", "'round'"),
    ],
)
def test_a_value_out_of_range_is_refused_by_its_field(word, named):
    assert named in refusal(word)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"iterations": 5}, ["iterations=6"]), ({}, ["shear=0.1", "shear=0.2"])],
)
def test_contradictions_are_refused(options, words):
    assert words[-1].partition("=")[0] in refusal(*words, **options)


def test_the_same_said_twice_is_no_contradiction():
    assert published("fast", {"iterations": 5}, ["iterations=5", "shear=0.5", "shear=0.50"]).iterations == 5


@pytest.mark.parametrize("name", ["classic", "small"])
def test_a_field_without_effect_is_refused(name):
    assert f"shear has no effect: recipe {name} trains on random pairs" in refusal("shear=0.1", name=name)


def test_an_unknown_recipe_is_refused_with_those_that_are():
    assert "classic, small, fast" in refusal(name="huge")


def test_completion_offers_the_fields():
    assert complete_override("ro") == ["rotation="]
    assert len(complete_override("")) == len(KINDS)
    assert complete_override("zz") == []


def test_what_is_overridden_is_in_config_and_checkpoint(run, tmp_path):
    assert run(*TINY, "--override", "rotation=15", "--output", tmp_path / "run").code == 0
    wanted = FAST.changed(iterations=2, batch_size=16, image_size=12, alphabets=1, turns=False, rotation=15.0)
    written = json.loads((tmp_path / "run" / "config.json").read_text())["recipe"]
    assert Recipe.from_json(written) == wanted
    record = record_of(tmp_path / "run" / "weights.safetensors")
    assert Recipe.from_json({**record["recipe"], "network": record["network"]}) == wanted


def test_an_interrupted_run_with_overrides_goes_on_without_naming_them(run, tmp_path):
    run(*TINY, "--output", tmp_path / "straight")
    stopped = run(*TINY, "--max-time", "0.001s", "--output", tmp_path / "parts")
    [line] = [line for line in stopped.out.splitlines() if "Go on with: omnitwin " in line]
    assert run(*shlex.split(line.partition("Go on with: omnitwin ")[2])).code == 0
    straight, parts = (tmp_path / name / "weights.safetensors" for name in ("straight", "parts"))
    assert parts.read_bytes() == straight.read_bytes()


def test_an_override_that_would_change_a_resumed_run_is_refused(run, tmp_path):
    run(*TINY, "--output", tmp_path / "run")
    outcome = run("train", "--resume", tmp_path / "run", "--iterations", 3, "--override", "rotation=3")
    assert outcome.code == 2
    assert "--override rotation cannot change" in outcome.complaint()


def test_an_unknown_field_exits_2_and_leaves_no_folder(run, tmp_path):
    outcome = run(*TINY, "--override", "warp=3", "--output", tmp_path / "run")
    assert outcome.code == 2
    assert "'warp'" in outcome.complaint()
    assert not (tmp_path / "run").exists()


def test_dry_run_of_fast_tells_images_and_writes_nothing(run, home):
    plan = json.loads(run(*TINY, "--dry-run", "--json").out)
    assert (plan["recipe"], plan["unit"], plan["pairs_per_iteration"]) == ("fast", "images", 16 * 15 // 2)
    assert (plan["batch_size"], plan["batch_classes"]) == (16, 4)
    assert "2 of 16 images (4 classes, 120 pairs), learning rate" in run(*TINY, "--dry-run").out
    assert not home.exists()


def test_a_plan_tells_the_batch_that_a_small_set_leaves_of_the_one_asked_for(run):
    """2 alphabets of 6 characters are trained on, and 4 drawings of each are in a batch."""
    words = (*FEW, "--batch-size", 5000, "--override", "image_size=12", "--dry-run")
    plan = json.loads(run(*words, "--json").out)
    assert (plan["batch_size"], plan["batch_classes"], plan["pairs_per_iteration"]) == (48, 12, 48 * 47 // 2)
    outcome = run(*words)
    assert "2 of 48 images (12 classes, 1,128 pairs)" in outcome.out


def test_a_training_says_at_its_start_what_a_batch_is(run, tmp_path):
    outcome = run(*TINY, "--output", tmp_path / "run")
    assert "2 iterations of 16 images (4 classes, 120 pairs) from 12 classes of synthetic/training" in outcome.err


def test_more_iterations_of_a_finished_run_tell_that_its_learning_rate_rises_again(run, tmp_path):
    """Warm-up is a tenth of the iterations, so the third of 4 has 1/2 (1 + cos(pi (0.75 - 0.1) / 0.9)) of the peak."""
    run(*TINY, "--output", tmp_path / "run")
    resumed = run("train", "--resume", tmp_path / "run", "--iterations", 4)
    rate = 3e-3 * (1 + math.cos(math.pi * 0.65 / 0.9)) / 2
    told = f"With 4 iterations instead of 2, the learning rate changes from 0 to {rate:.2g}, and falls to 0"
    assert told in resumed.err


def test_a_run_that_goes_on_as_planned_tells_nothing_of_its_learning_rate(run, tmp_path):
    run(*TINY, "--max-time", "0.001s", "--output", tmp_path / "run")
    assert "learning rate" not in run("train", "--resume", tmp_path / "run").err


def test_a_pair_recipe_with_more_iterations_tells_nothing_of_a_learning_rate_that_is_constant(run, trained):
    assert "learning rate" not in run("train", "--resume", trained, "--iterations", 4).err


def test_help_names_every_recipe_and_encoder(run):
    text = " ".join(run("train", "--help").out.split())
    assert "classic, small, fast, strong, ink or photo." in text.replace("│ │ ", "")
    assert "strong" in text


def test_the_page_of_a_run_tells_each_field_of_the_batches_on_a_line(run, tmp_path):
    run(*TINY, "--override", "rotation=15", "--output", tmp_path / "run")
    assert run("report", tmp_path / "run", "--exam", "pairs").code == 0
    page = (tmp_path / "run" / "report.html").read_text()
    assert "<tr><td>rotation</td><td>15.0</td></tr>" in page
    assert "<tr><td>per alphabet</td><td>8</td></tr>" in page
    assert "<td>batches</td>" not in page
