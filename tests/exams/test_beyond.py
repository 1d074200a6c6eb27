"""The exam beyond the set's own drawings, by models that know everything or nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from photos import photos
from PIL import Image
from sitters import taken, verifier_of

from omnitwin.config import EvalConfig
from omnitwin.errors import BadInput
from omnitwin.exams import beyond as variations
from omnitwin.exams.beyond import check_drawn
from omnitwin.exams.catalogue import EXAMS
from omnitwin.exams.scorer import seated
from omnitwin.images.marks import MARKS
from omnitwin.images.novelty import score, statistics_of
from omnitwin.images.variations import AS_DRAWN, VARIATIONS, two_level
from omnitwin.images.views import seen
from omnitwin.metrics.resampling import pair_figures, pair_replicates
from omnitwin.model.baselines import PixelBaseline
from omnitwin.recipes import square
from omnitwin.training.novelty import ground_of


class Constant(PixelBaseline):
    def score(self, left_B, right_B):
        return torch.zeros(len(left_B))


def scorer_of(model, packed, novelty=None):
    """A scorer that sees drawings by their ink, 20 pixels a side."""
    return seated(verifier_of(model, view=square(20, "ink"), novelty=novelty), packed)


def take(packed, model, novelty=None, **options):
    return taken(EXAMS["beyond"], scorer_of(model, packed, novelty), packed, EvalConfig(**options))


def test_a_constant_network_scores_chance_in_every_variation(tiny_105):
    report = take(tiny_105, Constant())
    for group in report.groups[: len(VARIATIONS)]:
        assert [measure.value for measure in group.measures] == [0.5, 0.5]
    assert report.measure("auc").value == 0.5


def test_there_is_a_group_for_each_variation_and_the_whole_leaves_out_the_plain_pairs(tiny_105):
    report = take(tiny_105, PixelBaseline(), seeds=2)
    assert [group.name for group in report.groups] == [*VARIATIONS, *MARKS]
    counts = [{measure.n for measure in group.measures} for group in report.groups]
    assert counts[: len(VARIATIONS)] == [{2 * variations.BEYOND_PAIRS}] * len(VARIATIONS)
    assert counts[len(VARIATIONS) :] == [{round(variations.MARKED_SHARE * 2 * variations.BEYOND_PAIRS)}] * len(MARKS)
    assert report.n == 2 * variations.BEYOND_PAIRS * (len(VARIATIONS) - 1)


def test_false_alarms_are_the_share_of_drawings_beyond_the_limits_and_untold_without_any(tiny_105):
    record = ground_of(tiny_105, tiny_105, square(20, "ink"), drawings=10).novelty  # few: its limits are not used
    nothing, everything = ({"limit": limit} for limit in (1e3, -1e3))
    for limits, share in ((nothing, 0.0), (everything, 1.0)):
        report = take(tiny_105, PixelBaseline(), record | limits)
        assert [group.measures[-1].value for group in report.groups] == [share] * len(VARIATIONS | MARKS)
        assert report.measure("false_alarms").n == 2 * report.n
        assert (report.measure("refused").value, report.measure("refused").n) == (share, report.n)
    names = [measure.name for measure in take(tiny_105, PixelBaseline()).measures]
    assert names == ["balanced_accuracy", "auc", "balanced_accuracy_marked"]


def test_pages_without_a_drawing_are_refused_whatever_the_limit_but_for_things(tiny_105):
    record = ground_of(tiny_105, tiny_105, square(20, "ink"), drawings=10).novelty
    report = take(tiny_105, PixelBaseline(), record | {"limit": 1e3})  # only findings are left to refuse
    shares = {name: report.measure(f"rightly_refused_{name}").value for name in ("empty_form", "ruled_sheet", "dirt")}
    assert min(shares.values()) >= 0.9
    strict = take(tiny_105, PixelBaseline(), record | {"limit": -1e3})
    assert (strict.measure("rightly_refused").value, strict.measure("rightly_refused").n) == (
        1.0,
        5 * variations.EMPTY_PAIRS,
    )


def test_the_pairs_as_drawn_are_those_of_the_set(tiny_105):
    """The intake of a drawing of the set is its row, so that its embedding is that of the row."""
    scorer = scorer_of(PixelBaseline(), tiny_105)
    rows = {tuple(row.flatten().tolist()) for row in scorer.packed.images_NHW}
    asked = []
    scorer.score_images = lambda left, right: (asked.append((left, right)), torch.zeros(len(left)))[1]
    taken(EXAMS["beyond"], scorer, tiny_105, EvalConfig())
    plain = torch.cat(asked[list(VARIATIONS).index(AS_DRAWN)])
    assert {tuple((image * 255).round().int().flatten().tolist()) for image in plain} <= rows


def test_the_same_seed_gives_the_same_report_and_another_one_other_pairs(tiny_105):
    first, again, other = (take(tiny_105, PixelBaseline(), seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert first.groups != other.groups


def test_seeds_that_differ_in_their_sign_alone_are_other_exams(tiny_105):
    """Random pairs differ, and so do variations and replicates, by which the same pairs have other figures."""
    one, other = (take(tiny_105, PixelBaseline(), seed=seed) for seed in (1, -1))
    assert one.groups != other.groups
    left, right = np.array([0, 0, 1]), np.array([0, 1, 2])
    assert (pair_replicates(left, right, 3, seed=1) != pair_replicates(left, right, 3, seed=-1)).any()


def test_pair_figures_are_those_of_counting_by_hand():
    score = np.array([0.1, 0.4, 0.4, 0.8, 0.9])
    similar = np.array([False, True, False, False, True])
    figures = pair_figures(score, similar, np.ones((1, 5)), 0.4)
    assert figures["balanced_accuracy"][0] == pytest.approx((2 / 2 + 1 / 3) / 2)
    assert figures["auc"][0] == pytest.approx((1.5 / 3 + 3 / 3) / 2)  # similar above dissimilar, a tie being half


def test_a_weight_of_a_pair_is_as_good_as_so_many_pairs():
    random = np.random.default_rng(0)
    score, similar = random.normal(size=30).round(1), random.random(30) < 0.5
    weight = random.integers(0, 4, 30)
    weighed = pair_figures(score, similar, weight[None], 0.2)
    copies = pair_figures(score.repeat(weight), similar.repeat(weight), np.ones((1, weight.sum())), 0.2)
    for name in weighed:
        assert weighed[name][0] == pytest.approx(copies[name][0])


def test_a_pair_counts_as_often_as_both_of_its_classes_are_drawn():
    left, right = np.array([0, 0, 1]), np.array([0, 1, 2])
    weights = pair_replicates(left, right, 3, seed=0, count=500)
    m0 = weights[:, 0]
    assert ((weights[:, 1] == 0) | (m0 > 0)).all()
    assert weights[:, 0].mean() == pytest.approx(1, abs=0.1)  # a class is drawn once, on average
    assert weights[:, 1].mean() == pytest.approx(2 / 3, abs=0.1)  # E[m n] = C (C - 1) / C ^ 2 of a multinomial


def test_only_ink_on_paper_is_varied_grey_or_in_colour():
    """Lines of dark blue on light paper are ink; a picture of all greys is not."""
    paper = torch.full((4, 3, 40, 60), 230, dtype=torch.uint8)
    paper[:, :, 10:14, 5:50] = torch.tensor([20, 20, 60], dtype=torch.uint8)[:, None, None]
    drawn = replace(photos(2, 2, height=40, width=60), images=paper)
    check_drawn(drawn, EvalConfig())
    assert two_level(drawn.picture(0)).tolist() == (paper[0, 0] > 100).int().tolist()
    greys = torch.arange(0, 240, 4, dtype=torch.uint8).expand(4, 3, 40, 60)
    with pytest.raises(BadInput, match="the variations are of ink on paper, and things is"):
        check_drawn(replace(drawn, images=greys), EvalConfig())


def test_a_pair_is_refused_if_either_image_is_novel_so_refusals_lie_between_the_alarms_and_twice_as_many(tiny_105):
    record = ground_of(tiny_105, tiny_105, square(20, "ink"), drawings=10).novelty
    intakes = [seen(Image.fromarray(image.numpy() * 255), square(20, "ink")) for image in tiny_105.images_NHW]
    record |= {"limit": float(np.median(score(statistics_of(intakes), record)))}
    report = take(tiny_105, PixelBaseline(), record)
    alarms, refused = (report.measure(name).value for name in ("false_alarms", "refused"))
    assert 0 < alarms <= refused <= 2 * alarms
