"""The exam of retrieval: each image asks all others for its class, as a gallery is searched. Nothing is sampled.

N images, b of them at once, R other images of an image's class, K best dissimilar images, C classes

R@k is the share of images with one of their class among the k nearest. MAP@R is the mean of average precision over the
first R places, R being the number of images to be found (Musgrave, Belongie and Lim 2020, "A Metric Learning Reality
Check", sec. 3.2): it is 1 only if they come before all others.
"""

import torch

from omnitwin.exams.exam import Sitting, bootstrap_method
from omnitwin.exams.measures import MAP_R, RECALL_1, RECALL_5
from omnitwin.exams.scorer import Scorer
from omnitwin.metrics.arrays import Array
from omnitwin.metrics.intervals import bootstrap_interval
from omnitwin.metrics.resampling import group_replicates
from omnitwin.reports.exams import ExamReport

KINDS = (RECALL_1, RECALL_5, MAP_R)
DEEPEST = 5  # place that R@5 looks at


def retrieval(sitting: Sitting) -> ExamReport:
    """Rank all other images for each image of a class with two or more. A dissimilar image wins a tie.

    Intervals come from resampling the classes that ask; the images that they search stay the same.
    """
    scorer, images, seed = sitting.scorer, sitting.images, sitting.config.seed
    asking_C = images.count_C > 1
    found_3C = torch.zeros(len(KINDS), len(images.class_names), dtype=torch.float64)
    prepared_N = scorer.prepared()
    with scorer.reporter.task("Searching", len(images), "images") as advance, torch.inference_mode():
        for start in range(0, len(images), scorer.rows_at_once):
            row_b = torch.arange(start, min(start + scorer.rows_at_once, len(images)))
            figures_3b = _figures_of(scorer, prepared_N, row_b)
            found_3C.index_add_(1, images.class_N[row_b], figures_3b)
            advance(len(row_b))
    sums_C4 = torch.cat([found_3C[:, asking_C], images.count_C[asking_C].double()[None]]).T.numpy()
    n, classes = int(sums_C4[:, -1].sum()), len(sums_C4)
    replicates_R4 = group_replicates(sums_C4, seed)
    measures = []
    for place, kind in enumerate(KINDS):
        value = float(sums_C4[:, place].sum() / n)
        drawn_R: Array = replicates_R4[:, place] / replicates_R4[:, -1]
        method = bootstrap_method(f"{classes} classes", seed, value)
        measures.append(kind.measure(value, bootstrap_interval(drawn_R, value, value, classes), n, method))
    alone = int((~asking_C).sum())
    without = f"; {alone:,} images are alone in their class, so they are only searched" if alone else ""
    return ExamReport(
        exam="retrieval",
        description=f"each image searches the other {len(images) - 1:,} for its class{without}; a tie is wrong",
        n=n,
        unit="images",
        measures=tuple(measures),
    )


def _figures_of(scorer: Scorer, prepared_N: torch.Tensor, row_b: torch.Tensor) -> torch.Tensor:
    """Return R@1, R@5 and average precision of some rows, (3, b) float64 on the CPU; 0 for one alone in its class."""
    images = scorer.packed
    scores_bN = scorer.score_all(prepared_N[row_b.to(scorer.device)], prepared_N).float()
    row_b = row_b.to(images.device)
    class_b = images.class_N[row_b]
    similar_bN = class_b[:, None] == images.class_N
    most = int(images.count_C[class_b].max()) - 1
    if most < 1:
        return torch.zeros(len(KINDS), len(row_b), dtype=torch.float64)
    depth = min(max(most, DEEPEST), len(images))
    others_bK = scores_bN.masked_fill(similar_bN, -torch.inf).topk(depth, dim=1).values
    similar_bN[torch.arange(len(row_b)), row_b] = False  # an image is not its own answer
    own_bR = scores_bN.masked_fill(~similar_bN, -torch.inf).topk(most, dim=1).values
    return _figures(own_bR, others_bK, images.count_C[class_b] - 1).cpu()


def _figures(own_bR: torch.Tensor, others_bK: torch.Tensor, wanted_b: torch.Tensor) -> torch.Tensor:
    """Return R@1, R@5 and average precision, (3, b) float64.

    own_bR: scores of similar images, descending; from column wanted_b on they mean nothing
    others_bK: the K highest scores of dissimilar images, descending, K at least R and 5
    """
    # the number of dissimilar images that score as high: exact up to K, and more than K matters to no figure
    above_bR = torch.searchsorted(-others_bK, -own_bR.contiguous(), right=True)
    order_R = torch.arange(1, own_bR.shape[1] + 1, device=own_bR.device)
    place_bR = order_R + above_bR
    there_bR = order_R <= wanted_b[:, None]
    first_b = torch.where(there_bR[:, 0], place_bR[:, 0], DEEPEST + 1)
    counted_bR = there_bR & (place_bR <= wanted_b[:, None])
    precision_bR = torch.where(counted_bR, order_R.double() / place_bR, 0.0)
    average_b = precision_bR.sum(1) / wanted_b.clamp(min=1)
    return torch.stack([(first_b <= 1).double(), (first_b <= DEEPEST).double(), average_b])
