"""What `omnitwin eval` reports: whose exams, on what, with which seeds, and probabilities that compare tells too."""

import hashlib
import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from drawn_places import draw_place, signature
from omniglot_like import RUN_ANSWERS, RUN_DRAWERS
from photos import photos
from PIL import Image
from sitters import Sitter, same_picture, verifier_of

from omnitwin.answers.comparison import compare
from omnitwin.answers.engines import on_device, open_baseline
from omnitwin.answers.verifier import open_verifier
from omnitwin.config import EXAMS, REPORT, CompareConfig, EvalConfig, ShowConfig, SourceConfig
from omnitwin.data import synthetic
from omnitwin.data.omniglot import decode
from omnitwin.data.show import show
from omnitwin.errors import BadCheckpoint, BadInput, DatasetMissing, DeviceMissing
from omnitwin.exams import catalogue, evaluation
from omnitwin.exams.measures import TAR_3
from omnitwin.model import checkpoint
from omnitwin.model.baselines import HausdorffBaseline, PixelBaseline
from omnitwin.model.description import Description
from omnitwin.model.locating import BUNDLED_WEIGHTS
from omnitwin.recipes import SMALL, square
from omnitwin.reports.exams import ExamReport, Measure
from omnitwin.reports.progress import SILENT
from omnitwin.system.paths import WEIGHTS_FILE
from omnitwin.training.trainer import build_network

ALL = EvalConfig(exams=("all",), batches=2, batch_size=50, way=4, episodes=60, device="cpu")
SYNTHETIC_EXAMS = ["pairs", "all-pairs", "same-alphabet", "one-shot", "retrieval", "beyond"]


@cache
def drawn(subset):
    """2 alphabets of 5 characters by 4 drawers."""
    return synthetic.draw_set(subset, alphabets=2, characters=5, drawers=4)


@cache
def baseline(name, pairs=500):
    return evaluation.fitted(open_baseline(name), drawn("training"), seed=0, pairs=pairs)


def evaluate(config, reporter=SILENT, **given):
    """The exams on few images, unless others are given."""
    few = {subset: drawn(subset) for subset in ("training", "test")}
    return evaluation.evaluate(replace(config, dataset=config.dataset or few), reporter, **given)


def save(folder, network=None, **description):
    """A run as training would leave it; its network is new and knows nothing, unless given."""
    trained_on = drawn("training")
    known = {"iteration": 1, "precision": "fp32", "dataset": trained_on.name, "metrics": {}}
    recipe = description.pop("recipe", SMALL)
    described = Description.of_recipe(recipe, **{**known, "fingerprint": trained_on.fingerprint, **description})
    checkpoint.save_checkpoint(folder / WEIGHTS_FILE, network or build_network(SMALL).eval(), described)
    return str(folder)


@pytest.fixture
def run(tmp_path):
    return save(tmp_path / "run")


def sensible_network():
    """The nearer two embeddings, the higher the score; scores of test pairs lie about 0 with a deviation of 2."""
    network = build_network(SMALL).eval()
    packed = drawn("test").framed(square(28))
    with torch.no_grad():
        embeddings = network.embed(packed.gather(torch.arange(len(packed))))
        distances = torch.pdist(embeddings, 1)
        network.head.weight.fill_(-2 / distances.std())
        network.head.bias.fill_(2 * distances.mean() / distances.std())
    return network


class Listener:
    """A reporter that remembers what it was told."""

    def __init__(self):
        self.notes, self.warnings = [], []
        self.note, self.warn = self.notes.append, self.warnings.append
        self.task, self.training = SILENT.task, SILENT.training


def untimed(report):
    """What a report says but for how long it took."""
    exams = tuple(replace(exam, seconds=0) for exam in report.exams)
    return replace(report, exams=exams, seconds=0, embed_seconds=0, peak_bytes=None)


def values(report):
    return {(exam.exam, measure.name): measure.value for exam in report.exams for measure in exam.measures}


# ---- which exams ----


def test_all_exams_are_those_that_apply_in_their_order_and_what_is_left_out_is_said(run):
    listener = Listener()
    report = evaluate(replace(ALL, checkpoint=run), listener)
    assert [exam.exam for exam in report.exams] == SYNTHETIC_EXAMS
    assert [note for note in listener.notes if "left out" in note] == [
        "official is left out: the official runs belong to omniglot/test, not to synthetic/test"
    ]
    assert listener.warnings == []


def test_exams_are_taken_once_each_in_their_order_however_they_are_asked_for(run):
    report = evaluate(replace(ALL, checkpoint=run, exams=("one-shot", "pairs", "one-shot")))
    assert [exam.exam for exam in report.exams] == ["pairs", "one-shot"]


def test_the_exam_of_the_example_is_the_one_taken_by_default(run):
    report = evaluate(EvalConfig(checkpoint=run, device="cpu"))
    assert [(exam.exam, exam.n, len(exam.groups)) for exam in report.exams] == [("pairs", 750, 5)]


@pytest.mark.parametrize("exams", [("official",), ("official", "all"), ("pairs", "official")])
def test_the_official_runs_asked_for_on_other_data_are_refused(run, exams):
    with pytest.raises(BadInput, match="belong to omniglot/test, not to synthetic/test"):
        evaluate(replace(ALL, checkpoint=run, exams=exams))


def test_on_omniglots_test_set_all_means_the_official_runs_too(run, fake_omniglot):
    source = SourceConfig(source=str(fake_omniglot.zips))
    listener = Listener()
    config = replace(ALL, checkpoint=run, dataset="omniglot", source=source, way=2, scope="any")
    report = evaluation.evaluate(config, listener)
    assert [exam.exam.replace("same-alphabet", "same-group") for exam in report.exams] == list(EXAMS)
    assert not any("left out" in note for note in listener.notes)
    # a trial is lost where the example that shows the query's character does not score above the other one
    packed = decode(fake_omniglot.zip_of("test"), fake_omniglot.sets["test"], lambda count: None).framed(square(28))
    network = build_network(SMALL).eval()

    def image(character, drawer):
        return packed.gather(torch.tensor([20 * character + drawer - 1]))  # 20 drawers

    lost = []
    with torch.inference_mode():
        for teacher, asker in RUN_DRAWERS:
            for answer in RUN_ANSWERS:
                query = image(answer - 1, asker)
                right, other = image(answer - 1, teacher), image(2 - answer, teacher)
                lost.append(not float(network(query, right)) > float(network(query, other)))
    exam = report.exams[list(EXAMS).index("official")]
    assert (exam.n, exam.measure("error").value) == (len(lost), sum(lost) / len(lost))


def test_the_official_runs_belong_to_the_test_set_and_not_to_the_training_set(run, fake_omniglot):
    source = SourceConfig(source=str(fake_omniglot.zips))
    config = replace(ALL, checkpoint=run, dataset="omniglot", source=source, subset="training")
    with pytest.raises(BadInput, match="not to omniglot/training"):
        evaluation.evaluate(replace(config, exams=("official",)))


def test_the_older_names_of_an_exam_and_a_scope_mean_the_new_ones(run):
    assert EvalConfig(exams=("same-alphabet",), scope="alphabet") == EvalConfig(exams=("same-group",), scope="group")
    assert catalogue.chosen(["same-alphabet"]) == catalogue.chosen(["same-group"])
    report = evaluate(replace(ALL, exams=("same-alphabet",), checkpoint=run))
    assert [exam.exam for exam in report.exams] == ["same-alphabet"]  # of a set that has alphabets


def test_the_command_line_knows_the_names_of_the_catalogue():
    """In its order, and without torch."""
    assert list(catalogue.EXAMS) == list(EXAMS)
    assert [exam.name for exam in catalogue.EXAMS.values()] == list(EXAMS)


def test_the_usual_exams_of_a_set_are_all_of_it(run):
    assert EvalConfig(exams=("usual",)).exams == REPORT.exams
    assert list(catalogue.chosen(["usual"])) == list(catalogue.chosen(["all"]))
    assert not any(catalogue.chosen(["usual"]).values())


@pytest.mark.parametrize(
    ("asked", "taken", "said"),
    [(("usual",), ["stub"], 1), (("all",), ["stub", "beyond"], 0), (("usual", "beyond"), ["stub", "beyond"], 0)],
)
def test_the_usual_exams_of_ones_own_ink_leave_out_beyond_unless_it_is_asked_for(
    run, tmp_path, monkeypatch, asked, taken, said
):
    """Each exam but its name and what it needs is a stub: the choice is all that is looked at."""
    draw_place(tmp_path / "ink", dict.fromkeys("abcdefgh", 2), lambda key: signature(key[0]).rotate(4 * key[1]))
    stub = lambda name: lambda sitting: replace(coin(sitting), exam=name)  # noqa: E731
    stubs = {"stub": catalogue.Exam(name="stub", take=stub("stub"))}
    stubs["beyond"] = replace(catalogue.EXAMS["beyond"], take=stub("beyond"))
    monkeypatch.setattr(catalogue, "EXAMS", stubs)
    listener = Listener()
    report = evaluate(EvalConfig(exams=asked, checkpoint=run, dataset=tmp_path / "ink", device="cpu"), listener)
    assert [exam.exam for exam in report.exams] == taken
    assert sum("beyond is left out: it takes many minutes" in note for note in listener.notes) == said


def test_an_interruption_says_which_exams_were_done(run):
    def interrupted(sitting):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"^1 of 2 exams was done \(pairs\)$"):
        evaluate(EvalConfig(checkpoint=run, device="cpu"), exams=["pairs", interrupted])
    with pytest.raises(KeyboardInterrupt, match=r"^no exam was done$"):
        evaluate(EvalConfig(checkpoint=run, device="cpu"), exams=[interrupted])


def coin(sitting):
    """An exam from outside: tosses that nobody in omnitwin knows of."""
    measure = Measure(name="heads", value=0.5, interval=None, n=len(sitting.images), method="by hand")
    return ExamReport(exam="coin", description="tosses", n=measure.n, unit="tosses", measures=(measure,))


class Tosser:
    """The same as an object."""

    def __call__(self, sitting):
        return replace(coin(sitting), exam="tosser")


def test_an_exam_may_be_a_function_or_an_object_of_ones_own(run):
    report = evaluate(replace(ALL, checkpoint=run), exams=[coin, "pairs", Tosser()])
    assert [exam.exam for exam in report.exams] == ["pairs", "coin", "tosser"]
    assert [exam.n for exam in report.exams[1:]] == [40, 40]
    assert {exam.weights_sha256 for exam in report.exams} == {report.network.weights_sha256}


def test_an_exam_of_ones_own_says_what_it_needs_of_a_set_and_gets_what_it_fetched(run):
    def refuse(images, config):
        raise BadInput(f"{images.name} is not for tossing", "")

    fetched = catalogue.Exam(
        name="coin",
        fetch=lambda images, config, reporter: 7,
        take=lambda sitting: replace(coin(sitting), n=sitting.material),
    )
    assert evaluate(EvalConfig(checkpoint=run, device="cpu"), exams=[fetched]).exams[0].n == 7
    with pytest.raises(BadInput, match="synthetic/test is not for tossing"):
        evaluate(EvalConfig(checkpoint=run, device="cpu"), exams=[replace(fetched, check=refuse)])


def test_an_exam_that_nobody_knows_by_that_name_is_refused(run):
    with pytest.raises(BadInput, match="no exam is called 'oral'"):
        evaluate(EvalConfig(checkpoint=run, device="cpu"), exams=["pairs", "oral"])


def test_every_figure_of_every_exam_brings_its_words(run):
    labels = {}
    for exam in evaluate(replace(ALL, checkpoint=run)).exams:
        for one in (*exam.measures, *(one for group in exam.groups for one in group.measures)):
            labels.setdefault(one.name, set()).add((one.label, one.short, one.percent, one.detail))
    assert labels["auc"] == {("ROC AUC", "AUC", False, False)}
    assert labels["eer"] == {("equal error rate (EER)", "EER", True, False)}
    assert labels["balanced_accuracy"] == {
        ("balanced accuracy", "balanced", True, False),
        ("balanced accuracy at 0.5, the threshold", "balanced", True, False),
    }
    tar = "TAR at FAR 1e-3"
    assert labels["tar_at_far_1e-3"] == {(f"{tar} (too few pairs to show it)", tar, True, True)}
    assert TAR_3.of(3000) is TAR_3
    assert TAR_3.of(2999).label.endswith("(too few pairs to show it)")


# ---- whose ----


def test_every_exam_names_the_bytes_of_the_checkpoint_that_sat_it(run):
    report = evaluate(replace(ALL, checkpoint=run))
    with open(f"{run}/{WEIGHTS_FILE}", "rb") as file:
        expected = hashlib.sha256(file.read()).hexdigest()
    assert [exam.weights_sha256 for exam in report.exams] == [expected] * len(SYNTHETIC_EXAMS)
    assert report.network.weights_sha256 == expected


def test_a_report_says_of_its_network_what_the_checkpoint_says(tmp_path):
    calibration = {"temperature": 0.5, "bias": -1.5}
    run = save(tmp_path, iteration=77, threshold=0.375, calibration=calibration, held_out=("Synthetic 02",))
    network = evaluate(EvalConfig(checkpoint=run, device="cpu")).network
    assert (network.recipe, network.iteration, network.iterations) == ("small", 77, SMALL.iterations)
    assert (network.threshold, network.temperature, network.bias) == (0.375, 0.5, -1.5)
    assert (network.trained_on, network.held_out) == ("synthetic/training", ("Synthetic 02",))
    assert network.checkpoint == f"{run}/{WEIGHTS_FILE}"


def test_a_baseline_instead_of_a_network_has_no_checkpoint():
    report = evaluate(ALL, verifier=baseline("pixels"))
    assert (report.network, report.baseline, report.seen) == (None, "pixels", "never")
    assert [exam.exam for exam in report.exams] == SYNTHETIC_EXAMS
    assert {exam.weights_sha256 for exam in report.exams} == {None}
    assert all(exam.calibration is None for exam in report.exams)


def test_a_baseline_and_a_checkpoint_together_are_refused(run):
    with pytest.raises(BadInput, match="--baseline and --checkpoint exclude each other"):
        EvalConfig(baseline="pixels", checkpoint=run)


def ink_of(picture):
    """Where a picture has ink, (H, W) bool."""
    return torch.tensor(list(picture.pixels)).view(picture.height, picture.width) == 0


def test_the_pixel_baseline_tells_probabilities_that_are_logistic_in_the_share_of_pixels_that_differ():
    shown = evaluate(EvalConfig(show=100), verifier=baseline("pixels")).exams[0].shown
    differing = np.array([float((ink_of(pair.left) != ink_of(pair.right)).double().mean()) for pair in shown])
    logit = np.array([math.log(pair.score / (1 - pair.score)) for pair in shown])
    slope, bias = np.polyfit(differing, logit, 1)
    assert slope < 0
    np.testing.assert_allclose(logit, slope * differing + bias, atol=1e-3)
    assert {pair.predicted for pair in shown} == {True, False}


def test_the_hausdorff_baseline_tells_probabilities_that_are_logistic_in_the_distance():
    config = EvalConfig(batches=1, batch_size=20, show=20)
    shown = evaluate(config, verifier=baseline("hausdorff", pairs=50)).exams[0].shown
    left, right = (torch.stack([ink_of(getattr(pair, side)) for pair in shown]) for side in ("left", "right"))
    distance = -HausdorffBaseline().score(left, right).double().numpy()
    logit = np.array([math.log(pair.score / (1 - pair.score)) for pair in shown])
    slope, bias = np.polyfit(distance, logit, 1)
    assert slope < 0
    np.testing.assert_allclose(logit, slope * distance + bias, atol=1e-3)


def test_what_a_baseline_knows_comes_from_the_training_set_alone():
    """The probabilities of other test images lie on the same curve of their differing pixels."""
    curves = []
    for seed in (0, 1):
        test = synthetic.draw_set("test", alphabets=2, characters=5, drawers=4, seed=seed)
        images = {"training": drawn("training"), "test": test}
        for pair in evaluate(EvalConfig(baseline="pixels", dataset=images, show=30, device="cpu")).exams[0].shown:
            differing = float((ink_of(pair.left) != ink_of(pair.right)).double().mean())
            curves.append((seed, differing, math.log(pair.score / (1 - pair.score))))
    seeds, differing, logit = (np.array(column) for column in zip(*curves, strict=True))
    slope, bias = np.polyfit(differing[seeds == 0], logit[seeds == 0], 1)
    np.testing.assert_allclose(logit[seeds == 1], slope * differing[seeds == 1] + bias, atol=1e-3)


# ---- fair: a network that knows nothing, and one that knows all ----


@pytest.mark.parametrize("bias", [-3.0, 0.0, 3.0])
def test_a_network_that_gives_all_pairs_one_score_is_at_chance_in_every_exam(tmp_path, bias):
    network = build_network(SMALL).eval()
    torch.nn.init.zeros_(network.head.weight)
    torch.nn.init.constant_(network.head.bias, bias)
    report = evaluate(replace(ALL, checkpoint=save(tmp_path, network), batches=20, batch_size=200))
    found = values(report)
    assert abs(found.pop(("pairs", "accuracy")) - 0.5) < 5 * 0.5 / math.sqrt(4000)
    assert found.pop(("one-shot", "accuracy")) == 0
    for exam in ("all-pairs", "same-alphabet"):
        for name in ("balanced_accuracy", "balanced_accuracy_at_0.5", "auc", "eer"):
            assert found[exam, name] == pytest.approx(0.5, abs=1e-12)


class Oracle(PixelBaseline):
    """Its one feature is the number of the class, its score minus the distance of the two."""

    def embed(self, images):
        return drawn("test").class_N[Sitter(drawn("test"), same_picture).embed(images)[:, 0]][:, None].float()

    def score(self, left, right):
        return 0.5 - (left - right).abs()[:, 0]

    def score_all(self, left, right):
        return 0.5 - (left - right.T).abs()


def test_an_oracle_is_perfect_in_every_exam():
    exams = tuple(exam for exam in SYNTHETIC_EXAMS if exam != "beyond")  # whose images are not of the set
    for name, value in values(evaluate(replace(ALL, exams=exams), verifier=verifier_of(Oracle()))).items():
        assert value == (0.0 if name[1] in ("eer", "far", "frr") else 1.0), name


# ---- who sits them ----


def test_images_in_colour_are_refused_by_a_network_of_grey_ones_before_any_exam(run):
    listener = Listener()
    with pytest.raises(BadInput, match="things has images of 3 channels, the network takes 1"):
        evaluate(replace(ALL, checkpoint=run, dataset=photos(4, 4, 4)), listener)
    assert not any("Exam" in note for note in listener.notes)


def test_a_baseline_takes_all_exams_of_photos_but_those_that_do_not_fit_them():
    listener = Listener()
    things = photos(4, 4, 4)
    report = evaluate(
        EvalConfig(baseline="pixels", dataset=things, device="cpu", way=2, episodes=20), listener, exams=["all"]
    )
    assert [exam.exam for exam in report.exams] == ["pairs", "all-pairs", "one-shot", "retrieval"]
    assert [note.split()[0] for note in listener.notes if "left out" in note] == ["same-group", "official", "beyond"]
    with pytest.raises(BadInput, match="things is in colour"):
        evaluate(EvalConfig(baseline="pixels", dataset=things, device="cpu", exams=("beyond",)))


def test_the_variations_are_taken_of_grey_images_that_are_not_square():
    wide = replace(drawn("test"), images_NHW=drawn("test").images_NHW[:, :80])
    config = EvalConfig(baseline="pixels", dataset={"training": wide, "test": wide}, device="cpu", exams=("beyond",))
    assert evaluate(config).exams[0].exam == "beyond"


@pytest.mark.parametrize("name", [{"checkpoint": "bundled"}, {"baseline": "pixels"}])
def test_a_second_one_named_beside_the_one_that_was_given_is_refused(name):
    with pytest.raises(BadInput, match="was named too"):
        evaluate(EvalConfig(device="cpu", **name), verifier=open_baseline("pixels"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_one_that_was_given_goes_to_the_device_that_was_asked_for_and_not_to_one_that_is_not_here(engine):
    with pytest.raises(DeviceMissing):
        evaluate(EvalConfig(device="cuda"), verifier=open_verifier("bundled", engine=engine))


def test_a_network_that_moves_leaves_the_given_one_where_it_is():
    given = open_verifier("bundled", engine="torch")
    moved = on_device(given, torch.device("meta"))
    assert (moved.network.device.type, given.network.device.type) == ("meta", "cpu")
    devices = [{weight.device.type for weight in one.network.model.parameters()} for one in (moved, given)]
    assert devices == [{"meta"}, {"cpu"}]


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_a_file_that_changes_after_it_was_opened_never_gives_its_name_to_other_weights(tmp_path, engine):
    """NumPy's network is read again for the exams; torch's is the one that was opened."""
    path = tmp_path / "mine.safetensors"
    path.write_bytes(BUNDLED_WEIGHTS.read_bytes())
    opened = open_verifier(str(path), engine=engine)
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    network, description = checkpoint.load_checkpoint(path)
    with torch.no_grad():
        network.head.bias += 1
    checkpoint.save_checkpoint(path, network, description)
    config = EvalConfig(batches=1, batch_size=4, device="cpu")
    if engine == "numpy":
        with pytest.raises(BadCheckpoint, match=r"mine\.safetensors has changed since it was opened"):
            evaluate(config, verifier=opened)
    else:
        assert evaluate(config, verifier=opened).network.weights_sha256 == before


# ---- with which seeds ----


@pytest.mark.parametrize("exam", ["pairs", "one-shot"])
def test_an_exam_of_three_seeds_is_the_exams_of_each_seed_together(tmp_path, exam):
    config = replace(ALL, checkpoint=save(tmp_path, sensible_network()), exams=(exam,))
    many = evaluate(replace(config, seed=5, seeds=3)).exams[0]
    ones = [evaluate(replace(config, seed=seed)).exams[0] for seed in (5, 6, 7)]
    assert many.seeds == (5, 6, 7)
    assert [one.seeds for one in ones] == [(5,), (6,), (7,)]
    assert many.n == sum(one.n for one in ones)
    accuracies = [one.measure("accuracy").value for one in ones]
    assert many.measure("accuracy").value == pytest.approx(sum(accuracies) / 3)
    assert [(group.name, group.measures[0].value) for group in many.groups] == [
        (f"seed {seed}", accuracy) for seed, accuracy in zip((5, 6, 7), accuracies, strict=True)
    ]


def test_the_pairs_of_several_seeds_are_those_of_each(run):
    config = EvalConfig(checkpoint=run, batches=2, batch_size=10, show=1000, device="cpu")
    many = evaluate(replace(config, seed=8, seeds=2)).exams[0].shown
    assert many == sum((evaluate(replace(config, seed=seed)).exams[0].shown for seed in (8, 9)), ())


def test_the_same_seed_is_the_same_exam_and_another_seed_another(run):
    config = replace(ALL, checkpoint=run, show=9)
    first, again, other = (evaluate(replace(config, seed=seed)) for seed in (3, 3, 4))
    assert untimed(first) == untimed(again)
    assert [pair.left_label for pair in first.exams[0].shown] != [pair.left_label for pair in other.exams[0].shown]


def test_exams_do_not_disturb_each_other(run):
    """Each alone is as among all."""
    together = untimed(evaluate(replace(ALL, checkpoint=run, show=5))).exams
    alone = [
        untimed(evaluate(replace(ALL, checkpoint=run, show=5, exams=(exam,)))).exams[0] for exam in SYNTHETIC_EXAMS
    ]
    assert list(together) == alone


def test_images_are_embedded_once_for_all_exams_and_only_where_needed(run):
    assert evaluate(replace(ALL, checkpoint=run)).embedded == 2 * 5 * 4
    few = evaluate(replace(ALL, checkpoint=run, exams=("pairs",), batches=1, batch_size=3, show=3))
    labels = {label for pair in few.exams[0].shown for label in (pair.left_label, pair.right_label)}
    assert few.embedded == len(labels)
    assert few.images == 40


# ---- which probabilities ----


def test_the_accuracy_is_the_share_of_right_answers_shown(run):
    exam = evaluate(EvalConfig(checkpoint=run, batches=3, batch_size=20, show=60, device="cpu")).exams[0]
    right = sum(pair.predicted == pair.similar for pair in exam.shown)
    assert (exam.n, len(exam.shown), exam.measure("accuracy").value) == (60, 60, right / 60)
    for number, group in enumerate(exam.groups):
        batch = exam.shown[20 * number : 20 * (number + 1)]
        assert group.measures[0].value == sum(pair.predicted == pair.similar for pair in batch) / 20


def compared(pair, run, folder):
    """What compare says of the two drawings of a pair, saved as files."""
    for name, picture in (("a.png", pair.left), ("b.png", pair.right)):
        Image.frombytes("L", (picture.width, picture.height), picture.pixels).save(folder / name)
    return compare(CompareConfig(first=folder / "a.png", second=folder / "b.png", checkpoint=run))


@pytest.mark.parametrize("calibration", [None, {"temperature": 2.5, "bias": -0.75}])
def test_a_dataset_drawing_compared_as_a_file_gets_the_probability_of_the_exam(tmp_path, calibration):
    run = save(tmp_path, sensible_network(), calibration=calibration)
    shown = evaluate(EvalConfig(checkpoint=run, batches=1, batch_size=8, show=8, device="cpu")).exams[0].shown
    assert len({round(pair.score, 2) for pair in shown}) > 3
    for pair in shown:
        assert compared(pair, run, tmp_path).probability == pytest.approx(pair.score, abs=0.02)


def test_probabilities_told_are_the_calibrated_ones(tmp_path):
    shown = []
    for name, calibration in (("raw", None), ("calibrated", {"temperature": 2.5, "bias": -0.75})):
        run = save(tmp_path / name, sensible_network(), calibration=calibration)
        shown.append(evaluate(EvalConfig(checkpoint=run, show=20, device="cpu")).exams[0].shown)
    for raw, told in zip(*shown, strict=True):
        logit = math.log(raw.score / (1 - raw.score))
        assert told.score == pytest.approx(1 / (1 + math.exp(-(logit / 2.5 - 0.75))), rel=1e-4)
        assert told.predicted == (told.score >= 0.5)


def test_the_exams_of_all_pairs_use_the_threshold_of_the_checkpoint_and_the_example_one_half(tmp_path):
    run = save(tmp_path, sensible_network(), threshold=0.8, calibration={"temperature": 2.0, "bias": 0.5})
    thresholds = {exam.exam: exam.threshold for exam in evaluate(replace(ALL, checkpoint=run)).exams}
    assert thresholds == {
        "pairs": 0.5,
        "all-pairs": 0.8,
        "same-alphabet": 0.8,
        "one-shot": None,
        "retrieval": None,
        "beyond": 0.8,
    }
    same = evaluate(replace(ALL, checkpoint=save(tmp_path / "half", sensible_network()), exams=("all-pairs",))).exams[0]
    assert same.measure("balanced_accuracy").value == same.measure("balanced_accuracy_at_0.5").value


def test_a_calibration_moves_thresholds_and_probabilities_and_leaves_every_curve_and_answer(tmp_path):
    """It keeps the order of scores, so AUC, EER, TAR, precision and one-shot answers stay."""
    at_threshold = ("balanced_accuracy", "balanced_accuracy_at_0.5", "balanced_accuracy_marked", "far", "frr")
    reports = []
    for name, calibration in (("raw", None), ("calibrated", {"temperature": 2.0, "bias": -3.0})):
        run = save(tmp_path / name, sensible_network(), calibration=calibration)
        reports.append(values(evaluate(replace(ALL, checkpoint=run))))
    for name, value in reports[0].items():
        if name[1] not in at_threshold and name[0] != "pairs":
            assert reports[1][name] == pytest.approx(value, abs=0.004), name
    assert reports[0]["all-pairs", "balanced_accuracy"] != reports[1]["all-pairs", "balanced_accuracy"]


# ---- on what ----


def test_the_exam_takes_the_test_characters_of_the_set_trained_on(run):
    report = evaluation.evaluate(EvalConfig(checkpoint=run, device="cpu"))
    assert (report.dataset, report.subset, report.seen) == ("synthetic/test", "test", "never")
    wanted = synthetic.draw_set("test")
    counts = (len(wanted), len(wanted.class_names), len(wanted.group_names))
    assert (report.images, report.classes, report.alphabets) == counts


def test_images_that_a_network_was_trained_on_are_called_training(run):
    report = evaluate(EvalConfig(checkpoint=run, subset="training", device="cpu"))
    assert (report.dataset, report.seen, report.left_out) == ("synthetic/training", "training", ())
    assert report.images == 40


def test_what_was_trained_on_is_without_the_alphabets_held_out(tmp_path):
    run = save(tmp_path, held_out=("Synthetic 02",))
    report, held_out = (
        evaluate(EvalConfig(checkpoint=run, subset=subset, device="cpu")) for subset in ("training", "held-out")
    )
    assert (report.seen, report.left_out, report.alphabets, report.images) == ("training", ("Synthetic 02",), 1, 20)
    assert (held_out.seen, held_out.left_out, held_out.alphabets, held_out.images) == ("held-out", (), 1, 20)
    other = evaluate(EvalConfig(checkpoint=run, device="cpu"))
    assert (other.seen, other.left_out, other.alphabets) == ("never", (), 2)


def test_images_that_a_baseline_was_calibrated_on_are_called_training():
    assert evaluate(EvalConfig(subset="training"), verifier=baseline("pixels")).seen == "training"


def test_a_baseline_has_seen_the_only_images_there_are():
    """One set stands for every part, so its threshold is fitted on the images of the exam."""
    assert evaluate(EvalConfig(baseline="pixels", dataset=drawn("test"), device="cpu")).seen == "training"
    assert evaluate(EvalConfig(baseline="pixels", device="cpu")).seen == "never"


def test_a_verifier_that_numpy_runs_sits_the_exams_as_its_checkpoint_does():
    config = EvalConfig(batches=1, batch_size=8, show=8, device="cpu")
    named = evaluate(replace(config, checkpoint="bundled"))
    assert untimed(named) == untimed(evaluate(config, verifier=open_verifier("bundled")))
    higher = evaluate(config, verifier=open_verifier("bundled", threshold=0.75), exams=["all-pairs"]).exams[0]
    assert higher.threshold == 0.75


def test_images_of_another_data_set_were_never_seen(tmp_path):
    run = save(tmp_path, dataset="omniglot/training", fingerprint="f" * 64)
    report = evaluate(EvalConfig(checkpoint=run, subset="training", device="cpu"))
    assert report.seen == "never"


def test_a_set_of_which_no_pairs_can_be_drawn_is_refused(run):
    alone = synthetic.draw_set("test", alphabets=1, characters=1, drawers=2)
    with pytest.raises(BadInput, match="pairs need at least 2"):
        evaluate(EvalConfig(checkpoint=run, dataset=alone, device="cpu"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
@pytest.mark.parametrize(
    ("wrong", "error"),
    [({"device": "cuda"}, DeviceMissing), ({"device": "x"}, BadInput), ({"precision": "x"}, BadInput)],
)
def test_a_device_or_precision_that_is_not_there_is_refused_before_data_is_looked_for(wrong, error):
    """Without any: what is missing first is the data."""
    config = EvalConfig(baseline="pixels", dataset="omniglot", source=SourceConfig(offline=True))
    with pytest.raises(DatasetMissing):
        evaluation.evaluate(config)
    with pytest.raises(error):
        evaluation.evaluate(replace(config, **wrong))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"exams": ("pairs", "oral")}, "no exam is called 'oral'"),
        ({"subset": "validation"}, "no set is called 'validation'"),
        ({"scope": "all"}, "no scope is called 'all'"),
        ({"baseline": "nearest"}, "no baseline is called 'nearest'"),
        ({"way": 1}, "way must be at least 2, not 1"),
        ({"shot": 0}, "shot must be at least 1, not 0"),
        ({"episodes": 0}, "episodes must be at least 1"),
        ({"seeds": 0}, "seeds must be at least 1"),
        ({"batches": 0}, "batches must be at least 1"),
        ({"batch_size": 0}, "batch size must be at least 1"),
    ],
    ids=str,
)
def test_words_and_numbers_that_make_no_exam_are_refused(wrong, words):
    with pytest.raises(BadInput, match=words):
        EvalConfig(**wrong)


@pytest.mark.parametrize(("way", "shot", "words"), [(6, 1, "no alphabet of 6 characters"), (2, 4, "4 drawers")])
def test_episodes_that_the_set_cannot_give_are_refused_before_any_exam_is_taken(run, way, shot, words):
    listener = Listener()
    with pytest.raises(BadInput, match=words):
        evaluate(replace(ALL, exams=("all", "one-shot"), checkpoint=run, way=way, shot=shot), listener)
    assert not any("Exam" in note for note in listener.notes)


def test_all_exams_leave_out_episodes_that_the_set_cannot_give_and_say_so(run):
    listener = Listener()
    report = evaluate(replace(ALL, checkpoint=run, way=6), listener)
    assert [exam.exam for exam in report.exams] == ["pairs", "all-pairs", "same-alphabet", "retrieval", "beyond"]
    assert any("one-shot is left out" in note and "6 characters" in note for note in listener.notes)


# ---- omnitwin show ----


def test_show_draws_different_images_and_both_kinds_of_pair():
    report = show(ShowConfig(dataset="synthetic", subset="test", images=30, pairs=40))
    assert len({image.label for image in report.images}) == 30
    assert {pair.similar for pair in report.pairs} == {True, False}
    for pair in report.pairs:
        same_class = pair.left_label.split(",")[0] == pair.right_label.split(",")[0]
        assert pair.similar == same_class
        assert pair.left_label != pair.right_label


def test_show_refuses_more_images_than_there_are():
    count = len(synthetic.draw_set("test"))
    with pytest.raises(BadInput, match=f"{count:,} images, fewer than {count + 1:,}"):
        show(ShowConfig(dataset="synthetic", subset="test", images=count + 1))
