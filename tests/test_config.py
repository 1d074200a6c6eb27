"""Fields out of range are refused with one line that names them, wherever a recipe comes from."""

import json
from dataclasses import fields

import pytest
from old_records import flat_record

from omnitwin.config import TrainConfig
from omnitwin.errors import BadInput
from omnitwin.recipes import CLASSIC, DEMO, FAST, PARTS, RECIPES, SMALL, STRONG, Adam, PairSampling, Recipe

NAN, INFINITE = float("nan"), float("inf")


BOUNDED = {  # of the recipe fast: fields with bounds, and these
    each.name: (each.metadata["least"], each.metadata["most"])
    for part in (FAST.sampling, FAST.augmentation, FAST.objective, FAST.optimiser)
    for each in fields(part)
    if "most" in each.metadata
}


@pytest.mark.parametrize("name", sorted(BOUNDED.keys() - {"drawings"}))
@pytest.mark.parametrize("value", [-1, -1e-9, NAN, INFINITE])
def test_a_number_of_a_part_that_is_out_of_range_is_refused_by_name(name, value):
    with pytest.raises(BadInput) as refused:
        FAST.changed(**{name: value})
    least, most = BOUNDED[name]
    assert f"{name} must be between {least} and {most:,}, not " in refused.value.line()
    assert f"--override {name}={FAST.flat()[name]}" in refused.value.line()
    assert "\n" not in refused.value.line()


@pytest.mark.parametrize("name", ["thickness", "coarse", "erase", "warm_up", "averaging"])
def test_shares_are_one_at_most(name):
    assert FAST.changed(**{name: 1.0}).flat()[name] == 1
    with pytest.raises(BadInput, match=f"{name} must be between 0 and 1, not 1.5"):
        FAST.changed(**{name: 1.5})


@pytest.mark.parametrize("drawings", [1, 0, -3])
def test_a_class_without_a_pair_of_drawings_is_refused(drawings):
    with pytest.raises(BadInput, match=f"drawings must be between 2 and 1,000,000, not {drawings}"):
        FAST.changed(drawings=drawings)


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
            recipe.changed(**{field: value})
        assert named in refused.value.line()


def test_all_pairs_of_a_batch_are_trained_by_distance_alone():
    with pytest.raises(BadInput, match="needs the head `distance`, not difference"):
        FAST.changed(head="difference")


def test_a_batch_too_small_for_two_classes_is_refused():
    assert FAST.changed(batch_size=8).sampling.batch_size == 8
    with pytest.raises(BadInput, match="7 images cannot hold 4 drawings of 2 classes"):
        FAST.changed(batch_size=7)


@pytest.mark.parametrize("recipe", [*RECIPES.values(), DEMO], ids=[*RECIPES, "demo"])
def test_a_recipe_comes_back_from_its_json(recipe):
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


@pytest.mark.parametrize("recipe", [CLASSIC, SMALL, FAST, STRONG, DEMO], ids=lambda recipe: recipe.name)
def test_a_flat_record_of_omnitwin_0_1_is_read_as_the_recipe_that_it_meant(recipe):
    assert Recipe.from_json(flat_record(recipe)) == recipe


def test_a_recipe_written_before_there_were_batches_is_read_with_what_was_meant():
    record = {name: value for name, value in flat_record(CLASSIC).items() if name not in ("frame", "head", "batches")}
    assert Recipe.from_json(record) == CLASSIC


@pytest.mark.parametrize("recipe", [*RECIPES.values(), DEMO], ids=[*RECIPES, "demo"])
def test_every_field_of_a_recipe_and_its_parts_has_a_name_of_its_own(recipe):
    parts = [recipe, recipe.network, *(getattr(recipe, each) for each in PARTS)]
    names = [each.name for part in parts for each in fields(part)]
    assert len(names) == len(set(names))


def test_a_part_is_exchanged_by_its_name_and_keeps_the_fields_that_both_have():
    pairs = FAST.changed(sampling="pairs", augmentation="none", objective="pairs", optimiser="adam")
    assert (pairs.sampling, pairs.optimiser) == (PairSampling(batch_size=256), Adam(learning_rate=3e-3))
    again = pairs.changed(sampling="classes", augmentation="ink", objective="all-pairs", optimiser="adamw")
    assert again == FAST


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"sampling": "pairs"}, "the objective all-pairs needs the sampling classes, not pairs"),
        ({"objective": "pairs"}, "the objective pairs needs the sampling pairs, not classes"),
        ({"optimiser": "sgd"}, "no optimiser is called 'sgd'. Use adam or adamw."),
        ({"objective": "own"}, "an objective of your own is a function"),
        ({"seed": "1"}, "a field of the recipe has a wrong value: seed is '1'"),
        ({"drawings": 2.5}, "a field of the recipe has a wrong value: drawings is 2.5"),
        ({"shear": "wide"}, "a field of the recipe has a wrong value"),
        ({"sampling": 3}, "no sampling is called 3"),
        ({"augmentation": "none", "shear": 0.1}, "shear has no effect: recipe fast has no part with that field"),
        ({"zzz": 3}, "no field is called 'zzz'. Fields: name, network, sampling,"),
        ({"iteratoins": 3}, "no field is called 'iteratoins'. Did you mean iterations"),
        ({"encoder": "foo"}, "no encoder is called 'foo'. Use classic, small, resnet18, strong, photo, a"),
        ({"encoder": "classic"}, "the encoder classic takes 105 x 105 pixels, not 24 x 24"),
        ({"image_size": 7}, "the encoder strong takes 8 x 8 pixels or more, not 7"),
        ({"head": "foo"}, "no head is called 'foo'. Use difference or distance."),
    ],
)
def test_parts_that_do_not_fit_or_are_not_known_are_refused(changes, named):
    with pytest.raises(BadInput) as refused:
        FAST.changed(**changes)
    assert named in refused.value.line()


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
    record = flat_record(FAST)
    assert Recipe.from_json(record) == FAST
    with pytest.raises((TypeError, ValueError)):
        Recipe.from_json({**record, name: value})


def test_a_whole_number_beyond_all_floats_is_refused_by_name():
    with pytest.raises(BadInput, match="alphabets must be between 0 and 1,000,000, not 1000"):
        FAST.changed(alphabets=10**400)


def test_a_recipe_that_starts_from_a_twin_starts_at_random_if_its_network_becomes_another_kind():
    ink = RECIPES["ink"]
    assert ink.initial.name == "twin"
    assert ink.changed(image_size=48, seed=3, encoder="strong").initial.name == "twin"
    assert ink.changed(encoder="photo").initial.name == "new"
    assert ink.changed(weights="none").initial.name == "new"
    assert ink.changed(encoder="photo", start="mine").initial.name == "twin"


@pytest.mark.parametrize(("iterations", "every"), [(3, 1), (160, 20), (799, 99), (800, 100), (10_000, 100)])
def test_a_run_is_examined_every_100_iterations_or_eight_times_if_it_is_short(iterations, every):
    assert TrainConfig(recipe=FAST.changed(iterations=iterations)).examined_every == every
    assert TrainConfig(recipe=FAST.changed(iterations=iterations), exam_every=7).examined_every == 7


@pytest.mark.parametrize("every", [0, -1, 1.5, True, "7"])
def test_the_iterations_between_two_exams_are_a_whole_number_above_0(every):
    with pytest.raises(BadInput, match="exam_every is a number of iterations, 1 or more, not "):
        TrainConfig(exam_every=every)
