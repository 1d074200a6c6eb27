"""`import omnitwin`: everything the command line can do, as a user of the library would write it."""

import json
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from drawn_places import draw_place, signature
from photos import photos
from PIL import Image
from scripts import load_script
from torch import nn

import omnitwin
from omnitwin.data import synthetic
from omnitwin.recipes import FAST
from omnitwin.reports.exams import ExamReport, Measure
from omnitwin.reports.progress import SILENT

SMALL = {"image_size": 12, "batch_size": 16, "drawings": 2, "holdout": 1}


@pytest.fixture(scope="module")
def images():
    """3 alphabets to train on and 2 to test on, of 5 characters."""
    return {
        subset: synthetic.draw_set(subset, alphabets=count, characters=5)
        for subset, count in (("training", 3), ("test", 2))
    }


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    """The folder that docs/drawings.py writes."""
    folder = tmp_path_factory.mktemp("drawings")
    load_script("docs/drawings.py").write_all(folder)
    return folder


@pytest.fixture(scope="module")
def twin():
    return omnitwin.load("bundled")


def run_python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_the_public_names_are_sorted_and_all_there():
    assert omnitwin.__all__ == sorted(omnitwin.__all__, key=lambda name: (not name.isupper(), name))
    assert all(getattr(omnitwin, name).__doc__ for name in omnitwin.__all__)
    assert set(omnitwin.__all__) <= set(dir(omnitwin))
    with pytest.raises(AttributeError, match="no attribute 'compare_all'"):
        _ = omnitwin.compare_all


def test_importing_omnitwin_imports_nothing_else():
    """Of its own it has 24 names and no module; of others none that Python has not loaded already."""
    added = run_python(
        "import importlib, typing, sys, json; before = set(sys.modules); import omnitwin;"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    assert added == ["omnitwin"]


def test_neither_the_import_nor_a_config_changes_the_process():
    """Threads, random numbers, precision and the environment stay as they were."""
    same = run_python(
        "import json, os, random, torch\n"
        "def state(): return [torch.get_num_threads(), torch.initial_seed(), torch.get_default_dtype().__repr__(),"
        " random.getstate()[1][:5], sorted(os.environ)]\n"
        "before = state()\nimport omnitwin\n"
        "omnitwin.TrainConfig(); omnitwin.EvalConfig(); omnitwin.load('bundled'); omnitwin.open_images('synthetic')\n"
        "print(json.dumps([before == state()]))"
    )
    assert same == [True]


def test_two_files_get_the_verdict_of_the_command_line(twin, drawings):
    words = ["compare", drawings / "a.png", drawings / "b.png", "--json"]
    done = subprocess.run([sys.executable, "-m", "omnitwin", *words], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    answer = twin.compare(drawings / "a.png", str(drawings / "b.png"))
    assert (answer.verdict, answer.probability) == ("same", told["probability"])
    assert answer.threshold == told["threshold"] == twin.threshold


def test_files_pictures_and_arrays_of_one_image_get_one_answer(twin, drawings):
    path = drawings / "b.png"
    with Image.open(path) as image:
        pictures = [
            path,
            str(path),
            image.copy(),
            np.asarray(image.convert("L")),
            torch.from_numpy(np.array(image.convert("RGB"))),
        ]
    answers = {twin.compare(drawings / "a.png", picture).probability for picture in pictures}
    assert len(answers) == 1


def test_the_answer_does_not_depend_on_the_order(twin, drawings):
    forth = twin.compare(drawings / "a.png", drawings / "b.png")
    back = twin.compare(drawings / "b.png", drawings / "a.png")
    assert forth.probability == back.probability


@pytest.mark.parametrize(
    ("image", "named"),
    [
        ("nowhere.png", "nowhere.png does not exist"),
        (np.full((20, 20), 255, np.uint8), "the array has no ink that stands out"),
        (np.zeros((2, 3, 4, 5)), "an array is no image"),
        (np.array([["a"]]), "an array is no image"),
        (Image.new("L", (9, 9), 255), "the image has no ink that stands out"),
        (None, "an array is no image"),
    ],
    ids=["missing", "blank array", "4 dimensions", "words", "blank picture", "nothing"],
)
def test_what_is_no_image_is_refused_in_one_line(twin, drawings, image, named):
    with pytest.raises(omnitwin.BadImage) as refused:
        twin.compare(drawings / "a.png", image)
    assert named in refused.value.line()
    assert "\n" not in refused.value.line()


def test_embeddings_have_length_one_and_give_the_probability_of_compare(twin, drawings):
    files = [drawings / "a.png", drawings / "b.png"]
    embeddings = twin.embed(files)
    assert (embeddings.shape, embeddings.dtype) == ((2, 512), np.float32)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-6)
    probability = twin.probability(embeddings[:1], embeddings[1:])
    assert float(probability[0]) == pytest.approx(twin.compare(*files).probability, abs=1e-6)


def test_a_ranking_is_that_of_the_command_line(twin, drawings):
    words = ["compare", drawings / "a.png", drawings / "drawings", "--json"]
    done = subprocess.run([sys.executable, "-m", "omnitwin", *words], capture_output=True, text=True, check=True)
    told = [(image["file"], image["probability"]) for image in json.loads(done.stdout)["ranked"]]
    ranked = twin.rank(drawings / "a.png", [str(drawings / "drawings")]).ranked
    assert [(str(image.file), image.probability) for image in ranked] == told
    assert len(told) == 4


def test_a_report_of_a_run_is_a_page(tmp_path):
    run = omnitwin.train("synthetic", recipe="fast", iterations=1, output=tmp_path / "run", **SMALL)
    page = omnitwin.write_report(run.folder, tmp_path / "page.html", exams=["pairs"], batches=1, batch_size=5)
    assert page == tmp_path / "page.html"
    assert "accuracy" in page.read_text(encoding="utf-8")
    assert "Some pairs" in page.read_text(encoding="utf-8")  # as on the page of the command line


def test_a_threshold_of_ones_own_decides(drawings):
    pair = drawings / "a.png", drawings / "b.png"
    probability = omnitwin.load("bundled").compare(*pair).probability
    assert omnitwin.load("bundled", threshold=probability * 0.999).compare(*pair).verdict == "same"
    assert omnitwin.load("bundled", threshold=min(probability * 1.0001, 1 - 1e-9)).compare(*pair).verdict == "different"
    with pytest.raises(omnitwin.BadInput, match="between 0 and 1"):
        omnitwin.load("bundled", threshold=2)


def test_train_then_ask_then_measure_then_go_on(tmp_path):
    seen = []
    images = omnitwin.open_images("synthetic")
    run = omnitwin.train(images, recipe="fast", iterations=3, output=tmp_path / "run", callback=seen.append, **SMALL)
    assert run.report.iteration == 3
    assert [step.iteration for step in run.steps] == [1, 2, 3]
    assert seen[-1] == run.steps[-1]
    assert run.twin.recipe == FAST.changed(iterations=3, **SMALL)
    rows = omnitwin.evaluate(run.twin, images.test, exams=["pairs"], batches=2, batch_size=10).frame()
    assert [(row["exam"], row["part"], row["measure"], row["n"]) for row in rows] == [
        ("pairs", None, "accuracy", 20),
        ("pairs", "1", "accuracy", 10),
        ("pairs", "2", "accuracy", 10),
    ]
    assert all(row["low"] <= row["value"] <= row["high"] for row in rows)
    again = omnitwin.train(resume=run.folder, iterations=5)
    assert (again.report.iteration, again.folder) == (5, run.folder)
    with pytest.raises(omnitwin.BadInput, match="rotation cannot change"):
        omnitwin.train(resume=run.folder, iterations=6, rotation=3.0)


def test_a_callback_that_returns_true_stops_and_saves(tmp_path, images):
    run = omnitwin.train(
        images, recipe="fast", iterations=10_000, output=tmp_path / "run", callback=lambda step: True, **SMALL
    )
    assert run.report.stopped_by == "callback"
    assert 1 <= run.report.iteration < 10_000
    assert (tmp_path / "run" / "state.safetensors").exists()


def test_a_run_by_name_is_found_by_name(images):
    omnitwin.train(images, recipe="fast", iterations=1, name="mine", **SMALL)
    assert omnitwin.load("mine").recipe.iterations == omnitwin.load("newest").recipe.iterations == 1
    assert omnitwin.load().recipe.name == "strong"  # a training never changes what answers
    omnitwin.choose("mine")
    assert omnitwin.load().recipe.name == "fast"


def contrastive(embeddings, labels):
    """Hadsell et al. 2006: similar pairs together, others a margin of 1 apart."""
    apart = torch.cdist(embeddings, embeddings)
    same = labels[:, None] == labels
    return torch.where(same, apart.square(), (1 - apart).clamp(min=0).square()).mean()


def test_an_objective_of_ones_own_is_what_is_minimised(tmp_path, images):
    run = omnitwin.train(
        images,
        recipe="fast",
        objective=contrastive,
        iterations=30,
        output=tmp_path / "run",
        **{**SMALL, "averaging": 0.0},
    )
    losses = [step.loss for step in run.steps]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert run.twin.recipe.objective.function.endswith("contrastive")
    again = omnitwin.train(images, resume=run.folder, iterations=31, objective=contrastive)
    assert again.report.iteration == 31
    with pytest.raises(omnitwin.BadInput) as refused:
        omnitwin.train(images, resume=run.folder, iterations=32)
    assert "objective=FUNCTION" in refused.value.line()


def test_an_objective_may_be_given_by_its_name(tmp_path, images):
    named = {"recipe": "fast", "objective": "proxy-anchor", "iterations": 2}
    run = omnitwin.train(images, output=tmp_path / "run", **named, **SMALL)
    assert run.twin.recipe.objective.name == "proxy-anchor"
    assert omnitwin.plan(images, **named, **SMALL).iterations == 2
    with pytest.raises(omnitwin.BadInput, match="no objective is called 'proxy'"):
        omnitwin.train(images, **{**named, "objective": "proxy"}, **SMALL)


class Tiny(nn.Module):
    """An encoder: (B, 1, 12, 12) to (B, 8)."""

    features = 8

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(144, 8)

    def forward(self, images):
        return self.layer(images.flatten(1))


@pytest.mark.parametrize("recipe", ["fast", "classic"])
def test_an_encoder_of_ones_own_is_trained_saved_and_loaded(tmp_path, images, drawings, recipe):
    changes = SMALL if recipe == "fast" else {"image_size": 12, "batch_size": 8}
    encoder = Tiny()
    before = encoder.layer.weight.detach().clone()
    run = omnitwin.train(images, recipe=recipe, encoder=encoder, iterations=2, output=tmp_path / "run", **changes)
    assert torch.equal(encoder.layer.weight.detach(), before)  # a copy is trained
    pair = drawings / "a.png", drawings / "b.png"
    embedding = run.twin.embed(pair)
    omnitwin.train(
        images,
        recipe=recipe,
        encoder=encoder,
        iterations=2,
        output=tmp_path / "other",
        seed=1,
        learning_rate=0.5,
        **changes,
    )
    assert np.array_equal(run.twin.embed(pair), embedding)  # nor does another run with the same module change this one
    answer = run.twin.compare(*pair)
    assert 0 < answer.probability < 1
    assert omnitwin.load(run.folder, encoder=Tiny()).compare(*pair).probability == answer.probability
    with pytest.raises(omnitwin.BadInput) as refused:
        omnitwin.load(run.folder)
    assert "encoder=MODULE" in refused.value.line()
    wide = Tiny()
    wide.layer = nn.Linear(144, 9)
    wide.features = 9
    with pytest.raises(omnitwin.BadCheckpoint, match="its network needs"):
        omnitwin.load(run.folder, encoder=wide)


class Nameless(nn.Module):
    """An encoder without `features`."""

    def forward(self, images):
        return images.flatten(1)


class Flat(nn.Module):
    """An encoder that takes vectors, not images."""

    features = 8

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(9, 8)

    def forward(self, images):
        return self.layer(images)


class Detached(Tiny):
    """An encoder that no gradient reaches."""

    def forward(self, images):
        return super().forward(images).detach()


class Wrong(Tiny):
    """An encoder that makes other embeddings than it says."""

    features = 7


@pytest.mark.parametrize(
    ("encoder", "named"),
    [
        (Nameless(), "no attribute `features`"),
        (Flat(), "does not take images (2, 1, 12, 12)"),
        (Wrong(), "(2, 8)"),
        (Detached(), "no gradient reaches your encoder"),
        (Tiny, "not a torch.nn.Module"),
        ("stronk", "no encoder is called 'stronk'. Did you mean strong?"),
        (7, "not a torch.nn.Module"),
    ],
    ids=["no features", "vectors", "wrong size", "detached", "class", "word", "number"],
)
def test_a_module_that_is_no_encoder_is_refused_in_one_line(images, tmp_path, encoder, named):
    with pytest.raises(omnitwin.BadInput) as refused:
        omnitwin.train(images, recipe="fast", encoder=encoder, iterations=1, output=tmp_path / "run", **SMALL)
    assert named in refused.value.line()
    assert not (tmp_path / "run").exists()


def test_few_classes_are_trained_on_over_folds_stopped_and_gone_on_with(tmp_path, home):
    place = draw_place(tmp_path / "hands", {f"hand {index}": 3 for index in range(8)}, signature)
    asked = {"recipe": "fast", "iterations": 4, "device": "cpu", **SMALL}
    del asked["holdout"]  # the split of one's own images decides it
    stopped = omnitwin.train_folds(place, 2, callback=lambda step: True, output=tmp_path / "run", **asked)
    assert (stopped.stopped_by, stopped.weights) == ("callback", None)
    with pytest.raises(omnitwin.BadInput, match="has 2 folds, not 3"):
        omnitwin.train_folds(place, 3, resume=tmp_path / "run")
    for other in ({"iterations": 5}, {"recipe": "ink"}, {"target": "far=0.1"}, {"name": "mine"}, {"pattern": "(.*)"}):
        word = "--label-from" if "pattern" in other else next(iter(other))
        with pytest.raises(omnitwin.BadInput, match=f"{word} .*cannot change"):
            omnitwin.train_folds(resume=tmp_path / "run", **other)
    report = omnitwin.train_folds(resume=tmp_path / "run", device="cpu")
    assert (report.stopped_by, len(report.folds)) == (None, 2)
    twin = omnitwin.load(report.weights)
    assert twin.threshold == report.threshold
    assert twin.compare(place / "hand 0" / "0.png", place / "hand 0" / "1.png").threshold == report.threshold


def test_a_plan_tells_what_a_training_would_do_and_writes_nothing(images, tmp_path, home):
    asked = {"recipe": "fast", "iterations": 7, **SMALL}
    told = omnitwin.plan(images, **asked)
    assert (told.recipe, told.iterations, told.batch_size) == ("fast", 7, 16)
    assert told.seconds_in_all > 0
    assert not home.exists()
    run = omnitwin.train(images, output=tmp_path / "run", **{**asked, "iterations": 1})
    assert omnitwin.plan(images, resume=run.folder, iterations=3).first_iteration == 2


def test_what_a_resumed_run_cannot_be_told_is_refused_not_ignored(images, tmp_path):
    run = omnitwin.train(images, recipe="fast", iterations=1, output=tmp_path / "run", **SMALL)
    for asked in ({"recipe": "classic"}, {"objective": contrastive}, {"encoder": Tiny()}, {"name": "fast"}):
        with pytest.raises(omnitwin.BadInput, match="cannot change in a run that is resumed"):
            omnitwin.train(images, resume=run.folder, iterations=2, **asked)


def test_baselines_sit_exams_and_answer_no_files(images, drawings):
    evaluation = omnitwin.evaluate("pixels", images, exams=["pairs"], batches=1, batch_size=10)
    assert evaluation.report.baseline == "pixels"
    with pytest.raises(omnitwin.BadInput, match="takes exams, not image files"):
        omnitwin.load("pixels").compare(drawings / "a.png", drawings / "b.png")


def count_classes(sitting):
    """An exam of one's own: how many classes there are, as a share of 100."""
    classes = len(sitting.images.class_names)
    measure = Measure(name="classes", value=classes / 100, interval=None, n=classes, method="counted", percent=False)
    return ExamReport(
        exam="count-classes", description="", seeds=(), n=classes, unit="classes", threshold=None, measures=(measure,),
        grouped_by="",
    )  # fmt: skip


def test_an_exam_of_ones_own_is_taken_beside_the_others(twin, images):
    evaluation = omnitwin.evaluate(twin, images, exams=["pairs", count_classes], batches=1, batch_size=10)
    row = evaluation.frame()[-1]
    assert (row["exam"], row["value"], row["low"]) == ("count-classes", 0.1, None)


def test_offline_and_mirror_are_arguments_and_a_missing_set_says_what_to_do(home):
    with pytest.raises(omnitwin.CannotRun, match="the network is forbidden"):
        _ = omnitwin.open_images("omniglot", offline=True).test
    with pytest.raises(omnitwin.BadInput, match=r"does not exist|holds neither"):
        _ = omnitwin.open_images("omniglot", source=str(home / "nowhere")).test


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: omnitwin.open_images("mnist"), "no data set is called 'mnist', and there is no such"),
        (lambda: omnitwin.train("synthetic", recipe="huge"), "no recipe is called 'huge'"),
        (lambda: omnitwin.train("synthetic", recipe="fast", warp=3), "no field is called 'warp'"),
        (lambda: omnitwin.evaluate("bundled", "synthetic", exams=["maths"]), "no exam is called 'maths'"),
        (lambda: omnitwin.load("bundled").embed([]), "no image was given"),
    ],
    ids=["set", "recipe", "field", "exam", "no images"],
)
def test_wrong_words_are_refused_in_one_line(call, named):
    with pytest.raises(omnitwin.BadInput) as refused:
        call()
    assert named in refused.value.line()


class Glance(nn.Module):
    """An encoder of small images in colour: (B, 3, 8, 8) to (B, 6)."""

    features = 6

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3 * 8 * 8, 6)

    def forward(self, images):
        return self.layer(images.flatten(1))


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A run on photos of things, a class of image set that omnitwin knows nothing of."""
    return omnitwin.train(
        photos(4, 4, 4, 4, 4, 4),
        recipe="fast",
        encoder=Glance(),
        channels=3,
        image_size=8,
        batch_size=6,
        drawings=2,
        holdout=2,
        iterations=2,
        output=tmp_path_factory.mktemp("own") / "run",
        device="cpu",
    )


def test_images_of_ones_own_are_trained_on_and_examined(own):
    notes = []
    listener = SimpleNamespace(note=notes.append, warn=SILENT.warn, task=SILENT.task, training=SILENT.training)
    things = replace(photos(4, 4, 4), fingerprint="1" * 64)
    evaluation = omnitwin.evaluate(own.twin, things, exams=["all"], way=3, episodes=20, reporter=listener)
    assert [exam.exam for exam in evaluation.report.exams] == ["pairs", "all-pairs", "one-shot", "retrieval"]
    assert [note.split()[0] for note in notes if "left out" in note] == ["same-group", "official", "beyond"]
    assert evaluation.report.dataset == things.name
    assert all(0 <= row["value"] <= 1 for row in evaluation.frame())


def test_images_of_ones_own_are_asked_for_where_they_are_needed_again(own):
    for call in (lambda: omnitwin.evaluate(own.twin), lambda: omnitwin.train(resume=own.folder, iterations=3)):
        with pytest.raises(omnitwin.BadInput) as refused:
            call()
        assert refused.value.line() == (
            "the network was trained on images of your own, things. Say where they are: --data PATH; in Python: "
            "images=IMAGES."
        )
    again = omnitwin.train(photos(4, 4, 4, 4, 4, 4), resume=own.folder, iterations=3, encoder=Glance(), device="cpu")
    assert again.report.iteration == 3


def test_a_network_for_numpy_answers_without_torch(drawings):
    pair = [str(drawings / name) for name in ("a.png", "b.png")]
    loaded = run_python(
        f"import json, sys, omnitwin; answer = omnitwin.load('bundled').compare(*{pair!r}).verdict\n"
        "print(json.dumps([answer, 'torch' in sys.modules]))"
    )
    assert loaded == ["same", False]


def test_the_page_of_the_door_is_current():
    page = load_script("docs/api.py")
    assert page.PAGE.read_text(encoding="utf-8") == page.page()


@pytest.mark.parametrize("name", omnitwin.__all__)
def test_every_public_name_is_documented_with_a_use(name):
    value = getattr(omnitwin, name)
    if callable(value) and not issubclass(value if isinstance(value, type) else int, Exception):
        assert ">>> " in value.__doc__
        assert "omnitwin." in value.__doc__ or "twin" in value.__doc__


class Partly(Tiny):
    """An encoder with a frozen layer, an unused one, and one layer under two names."""

    def __init__(self):
        super().__init__()
        self.frozen, self.unused = nn.Linear(8, 8), nn.Linear(3, 3)
        self.frozen.requires_grad_(False)
        self.again = self.layer

    def forward(self, images):
        return self.frozen(self.again(images.flatten(1)))


@pytest.mark.parametrize("recipe", ["fast", "classic"])
def test_frozen_unused_and_shared_layers_are_saved_and_a_run_with_them_goes_on(images, tmp_path, recipe):
    changes = SMALL if recipe == "fast" else {"image_size": 12, "batch_size": 8}
    encoder = Partly()
    asked = {"recipe": recipe, "encoder": encoder, "precision": "fp32", "device": "cpu", **changes}
    straight = omnitwin.train(images, iterations=4, output=tmp_path / "straight", **asked)
    parts = omnitwin.train(images, iterations=2, output=tmp_path / "parts", **asked)
    parts = omnitwin.train(images, resume=parts.folder, iterations=4, encoder=encoder)
    frozen = parts.twin.verifier.network.model.encoder.frozen
    assert torch.equal(frozen.weight, encoder.frozen.weight)
    if recipe == "classic":  # the schedule of fast depends on the number of iterations
        assert parts.report.weights_sha256 == straight.report.weights_sha256


def test_an_error_in_a_callback_is_raised_again_after_the_run_is_saved(images, tmp_path):
    def fail(step):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        omnitwin.train(images, recipe="fast", iterations=9999, output=tmp_path / "run", callback=fail, **SMALL)
    assert omnitwin.train(images, resume=tmp_path / "run", max_seconds=1e-9).report.iteration >= 2


@pytest.mark.parametrize(
    "objective", [lambda e, y: 1.0, lambda e, y: None, lambda e, y: e.sum(1), lambda e, y: e.detach().sum()]
)
def test_an_objective_that_returns_no_loss_is_refused_in_one_line(images, tmp_path, objective):
    with pytest.raises(omnitwin.BadInput, match="your objective returned") as refused:
        omnitwin.train(images, recipe="fast", objective=objective, iterations=2, output=tmp_path / "run", **SMALL)
    assert "scalar tensor with a gradient" in refused.value.line()
