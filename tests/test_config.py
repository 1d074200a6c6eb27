"""Fields out of range are refused with one line that names them, wherever a recipe comes from."""

import json
from dataclasses import asdict, fields, replace

import pytest

from omnitwin.errors import BadInput
from omnitwin.recipes import CLASSIC, DEMO, FAST, RECIPES, SHARES, Batches, Recipe

NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize("name", [field.name for field in fields(Batches) if field.name not in ("drawings", "turns")])
@pytest.mark.parametrize("value", [-1, -1e-9, NAN, INFINITE])
def test_a_number_of_batches_that_is_out_of_range_is_refused_by_name(name, value):
    with pytest.raises(BadInput) as refused:
        Batches(**{name: value})
    assert f"{name} must be between 0 and " in refused.value.line()
    assert f"--override {name}={getattr(Batches(), name)}" in refused.value.line()
    assert "\n" not in refused.value.line()


@pytest.mark.parametrize("name", SHARES)
def test_shares_are_one_at_most(name):
    assert getattr(Batches(**{name: 1.0}), name) == 1
    with pytest.raises(BadInput, match=f"{name} must be between 0 and 1, not 1.5"):
        Batches(**{name: 1.5})


@pytest.mark.parametrize("drawings", [1, 0, -3])
def test_a_class_without_a_pair_of_drawings_is_refused(drawings):
    with pytest.raises(BadInput, match=f"drawings must be between 2 and 1,000,000, not {drawings}"):
        Batches(drawings=drawings)


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("image_size", 0, "image_size must be above 0 and finite, not 0"),
        ("image_size", 10**9, "image_size must be at most 1,024, not 1,000,000,000"),
        pytest.param("iterations", 10**400, "iterations must be at most", id="iterations-huge"),
        ("batch_size", 10**9, "--batch-size"),
        ("iterations", -1, "--iterations"),
        ("batch_size", 0, "--batch-size"),
        ("learning_rate", NAN, "not nan"),
        pytest.param("learning_rate", 10**400, "learning_rate must be above 0 and finite", id="learning_rate-huge"),
        pytest.param("adam_epsilon", 10**400, "adam_epsilon must be 0 or above and finite", id="adam_epsilon-huge"),
        ("learning_rate", INFINITE, "must be above 0 and finite, not inf"),
        ("adam_betas", (0.9, 1.0), "adam_betas must be two numbers from 0 to below 1, not 0.9, 1.0"),
        ("adam_betas", (-0.1, 0.9), "--override adam_betas=0.9,0.99"),
        ("adam_betas", (NAN, 0.9), "betas"),
        ("adam_betas", (0.9,), "adam_betas must be two numbers"),
        ("adam_epsilon", -1e-8, "--override adam_epsilon=1e-08"),
        ("frame", "crop", "'crop'"),
        ("holdout", -1, "--holdout 0"),
    ],
)
def test_a_field_of_a_recipe_that_is_out_of_range_is_refused_by_name(field, value, named):
    for recipe in (CLASSIC, FAST):
        with pytest.raises(BadInput) as refused:
            replace(recipe, **{field: value})
        assert named in refused.value.line()


def test_all_pairs_of_a_batch_are_trained_by_distance_alone():
    with pytest.raises(BadInput, match="needs the head `distance`, not difference"):
        replace(FAST, head="difference")


def test_a_batch_too_small_for_two_classes_is_refused():
    assert replace(FAST, batch_size=8).batch_size == 8
    with pytest.raises(BadInput, match="7 images cannot hold 4 drawings of 2 classes"):
        replace(FAST, batch_size=7)


@pytest.mark.parametrize("recipe", [*RECIPES.values(), DEMO], ids=[*RECIPES, "demo"])
def test_a_recipe_comes_back_from_its_json(recipe):
    assert Recipe.from_json(json.loads(json.dumps(asdict(recipe)))) == recipe


def test_a_recipe_written_before_there_were_batches_is_read_with_what_was_meant():
    record = {name: value for name, value in asdict(CLASSIC).items() if name not in ("frame", "head", "batches")}
    assert Recipe.from_json(record) == CLASSIC


def test_no_field_of_batches_is_called_as_one_of_recipes():
    assert not {field.name for field in fields(Batches)} & {field.name for field in fields(Recipe)}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iterations", "many"),
        ("iterations", True),
        ("image_size", 24.0),
        ("learning_rate", None),
        ("name", ["fast"]),
        ("adam_betas", [0.9, 0.99, 0.999]),
        ("adam_betas", ["a", "b"]),
        ("batches", {"turns": "yes"}),
        ("batches", {"drawings": 4.0}),
    ],
)
def test_a_record_with_a_value_of_another_type_is_no_recipe(name, value):
    record = json.loads(json.dumps(asdict(FAST)))
    assert Recipe.from_json(record) == FAST
    with pytest.raises((TypeError, ValueError)):
        Recipe.from_json({**record, name: value})


def test_a_whole_number_beyond_all_floats_is_refused_by_name():
    with pytest.raises(BadInput, match="alphabets must be between 0 and 1,000,000, not 1000"):
        Batches(alphabets=10**400)
