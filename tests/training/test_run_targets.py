"""`train --target`: the threshold is chosen for it on the held-out classes, and the checkpoint says how it errs."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from sitters import CPU, dyadic_network, uneven_set

from omnitwin.config import Target, TrainConfig
from omnitwin.data import synthetic
from omnitwin.errors import BadInput
from omnitwin.metrics.calibration import calibrated, sigmoid
from omnitwin.model.description import read_description
from omnitwin.recipes import SMALL
from omnitwin.reports.operating import BY_ITSELF, BY_OTHERS, HELD_OUT
from omnitwin.system.paths import CONFIG_FILE, WEIGHTS_FILE
from omnitwin.training.heldout import HeldOutExam
from omnitwin.training.runs import continued
from omnitwin.training.training import train

FAR = Target("far", 0.1)


def config(output, target="balanced", **recipe):
    drawings = synthetic.draw_set("training", alphabets=3, characters=4, drawers=5, size=28)
    return TrainConfig(
        recipe=SMALL.changed(iterations=4, batch_size=8, **{"holdout": 1, **recipe}),
        dataset={"training": drawings},
        device="cpu",
        precision="fp32",
        output=output,
        exam_every=2,
        target=target,
    )


def exam_of(alphabets, target=FAR):
    packed = uneven_set(alphabets)
    exam = HeldOutExam(packed, SMALL.network, CPU)
    exam.aim_at(target)
    return exam, dyadic_network(packed)


def probabilities(exam, network, calibration):
    """Of all pairs of the exam, as take scores them."""
    with torch.inference_mode():
        prepared = network.eval().prepare(network.embed(exam.packed.gather(exam.rows)))
        scores = network.score_all(prepared, prepared)[exam.pair[0], exam.pair[1]].double().numpy()
    return sigmoid(calibrated(scores, calibration))


def test_the_threshold_keeps_to_the_target_and_only_it_differs_from_a_balanced_exam():
    exam, network = exam_of(((8, 8), (8, 8)))
    result = exam.take(network)
    balanced = HeldOutExam(exam.packed, SMALL.network, CPU).take(network)
    assert (result.eer, result.calibration) == (balanced.eer, balanced.calibration)
    probability = probabilities(exam, network, result.calibration)
    assert (probability[~exam.similar & exam.near_N] >= result.threshold).mean() <= 0.1
    assert result.operating.target == "far=0.1"
    assert balanced.operating.target == "balanced"


def test_with_few_classes_the_point_is_that_of_the_exam_itself_and_says_so():
    exam, network = exam_of(((8, 8), (8, 8)))
    result = exam.take(network)
    probability = probabilities(exam, network, result.calibration)
    point = result.operating
    within = ~exam.similar & exam.near_N
    assert point.far == (probability[within] >= result.threshold).mean()
    assert point.within == "group"
    assert point.frr == (probability[exam.similar] < result.threshold).mean()
    assert (point.similar, point.dissimilar) == (exam.similar.sum(), within.sum())
    assert (point.classes, point.chosen_on, point.data) == (4, HELD_OUT, exam.packed.name)
    assert point.method.startswith(BY_ITSELF)


def test_half_of_the_weight_of_dissimilar_pairs_is_on_pairs_of_one_alphabet_and_for_a_far_all_of_it():
    exam, _ = exam_of(((8, 8), (8, 4, 4)))
    group_M = exam.packed.group_C[exam.class_M]
    near = (group_M[exam.pair[0]] == group_M[exam.pair[1]]).numpy()
    for kind, share in (("balanced", 0.5), ("precision", 0.5), ("far", 1.0)):
        weight = exam.weights(kind)
        assert (weight[exam.similar] == 1).all()
        assert weight[~exam.similar].sum() == pytest.approx((~exam.similar).sum())
        assert weight[~exam.similar & near].sum() == pytest.approx(share * (~exam.similar).sum())


@pytest.mark.parametrize("alphabets", [((8, 8, 8, 8),), ((8,), (4,), (4,))], ids=["one alphabet", "no two alike"])
def test_where_pairs_are_all_of_one_kind_they_weigh_the_same(alphabets):
    exam, _ = exam_of(alphabets)
    weight = exam.weights("balanced")
    assert weight is None or (weight == 1).all()


def test_with_ten_classes_the_point_is_cross_validated():
    exam, network = exam_of(((4,) * 8, (4,) * 8))
    point = exam.take(network).operating
    assert point.method.startswith(BY_OTHERS)
    assert point.far_interval[0] <= point.far <= point.far_interval[1]


def test_a_training_reports_the_threshold_of_the_network_that_it_keeps_and_what_it_reached(tmp_path):
    report = train(config(tmp_path / "run"))
    kept = read_description(report.best or report.weights)
    assert (report.threshold, report.operating) == (kept.threshold, kept.operating)
    assert report.operating is not None


def test_a_target_that_the_held_out_pairs_cannot_show_is_refused_before_the_run(tmp_path):
    with pytest.raises(BadInput, match="rule of three") as caught:
        train(config(tmp_path / "run", "far=0.0001"))
    assert "30,000" in caught.value.line()
    assert not (tmp_path / "run" / CONFIG_FILE).exists()


def test_a_target_needs_held_out_classes(tmp_path):
    with pytest.raises(BadInput, match="kept out of training"):
        train(config(tmp_path / "run", "far=0.1", holdout=0))


def test_a_target_that_no_threshold_reaches_is_warned_of_and_the_checkpoint_claims_nothing_else(tmp_path):
    class Blind(HeldOutExam):
        """Every two pairs of a kind get the same score, the dissimilar ones the higher one in one case of three."""

        def take(self, network):
            result = super().take(network)
            return replace(result, operating=replace(result.operating, target="balanced")) if result.operating else None

    report = train(config(tmp_path / "run", "far=0.1"), new_exam=Blind)
    assert any("far=0.1" in line for line in report.warnings)
    point = read_description(tmp_path / "run" / WEIGHTS_FILE).operating
    assert point is None or point.target == "balanced"


def test_a_run_keeps_its_target_when_it_is_resumed(tmp_path):
    run = tmp_path / "run"
    train(config(run, "far=0.1"))
    assert json.loads((run / CONFIG_FILE).read_text())["target"] == "far=0.1"
    going_on, _, _ = continued(replace(config(None), output=None), str(run), {"iterations": 6})
    assert going_on.target == FAR
    with pytest.raises(BadInput, match="target cannot change"):
        continued(config(None), str(run), {"target": "balanced"})


def test_the_default_target_changes_no_bit_of_threshold_and_calibration(tmp_path):
    for target, name in (("balanced", "plain"), ("far=0.1", "far")):
        train(config(tmp_path / name, target))
    plain, far = (read_description(tmp_path / name / WEIGHTS_FILE) for name in ("plain", "far"))
    assert plain.calibration == far.calibration
    assert np.isfinite(plain.threshold)
    assert plain.operating is None or plain.operating.target == "balanced"


def test_a_resumed_run_takes_its_exams_as_often_as_before_and_not_otherwise(tmp_path):
    """Patience counts exams: as many of another length would stop it elsewhere."""
    run = tmp_path / "run"
    train(config(run))
    resume, more = str(run), {"iterations": 8}
    assert continued(TrainConfig(device="cpu"), resume, more)[0].exam_every == 2
    assert continued(TrainConfig(device="cpu", exam_every=2), resume, more)[0].exam_every == 2
    for other in (3, 100):  # also the number that is usual
        with pytest.raises(BadInput, match="exam_every cannot change in a run that is resumed: it is 2"):
            continued(TrainConfig(device="cpu", exam_every=other), resume, more)
    record = json.loads((run / CONFIG_FILE).read_text())
    (run / CONFIG_FILE).write_text(json.dumps(record | {"exam_every": 1}))  # which a run of its length has by itself
    longer = continued(TrainConfig(device="cpu"), resume, {"iterations": 4000})[0]
    assert (longer.exam_every, longer.examined_every) == (None, 100)
    for older in ({}, {"exam_every": 0}, {"exam_every": True}):
        kept = {name: value for name, value in record.items() if name != "exam_every"}
        (run / CONFIG_FILE).write_text(json.dumps(kept | older))
        assert continued(TrainConfig(device="cpu", exam_every=3), resume, more)[0].exam_every == 3
