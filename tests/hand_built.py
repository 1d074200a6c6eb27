"""Reports made by hand, of every kind of exam and of a ranking, for tests of what is drawn from them."""

from pathlib import Path

from omnitwin.reports.answers import BEST, RankedImage, RankingReport, TrainedNetwork
from omnitwin.reports.exams import (
    CalibrationReport,
    Curves,
    EvalReport,
    ExamReport,
    Group,
    Measure,
    NetworkReport,
    PublishedFigure,
    Reliability,
)
from omnitwin.reports.operating import OperatingPoint
from omnitwin.reports.pictures import Picture, ScoredPair

PICTURE = Picture(width=28, height=28, pixels=bytes([255] * 28 * 14 + [0] * 28 * 14))
SHA256 = "0123456789abcdef" * 4
WEIGHTS = "/a/folder/that/is/deep/and/has/a/long/name/runs/small/best.safetensors"
ORACLE = {"far": (0.0, 0.0, 1.0), "tar": (0.0, 1.0, 1.0)}  # all similar pairs first
CONSTANT = {"far": (0.0, 1.0), "tar": (0.0, 1.0)}  # every pair the same score: a tossed coin
ORDINARY = {"far": (0.0, 0.0001, 0.01, 0.1, 0.4, 1.0), "tar": (0.0, 0.1, 0.5, 0.8, 0.97, 1.0)}
FIGURES = {
    "balanced_accuracy": 0.85,
    "balanced_accuracy_at_0.5": 0.84,
    "auc": 0.9092,
    "eer": 0.14,
    "tar_at_far_1e-2": 0.5,
    "tar_at_far_1e-3": 0.2,
    "tar_at_far_1e-4": 0.1,
    "average_precision": 0.61,
}


LABELS = {  # label and head of a column
    "error": ("error rate", "error"),
    "balanced_accuracy": ("balanced accuracy at 0.4766, the threshold", "balanced"),
    "auc": ("ROC AUC", "AUC"),
    "eer": ("equal error rate (EER)", "EER"),
}
DETAILS = ("balanced_accuracy_at_0.5", "tar_at_far_1e-2", "tar_at_far_1e-3", "tar_at_far_1e-4", "average_precision")


def measure(name: str, value: float, interval: tuple[float, float] | None = (0.25, 0.75), **fields: object) -> Measure:
    label, short = LABELS.get(name, ("", ""))
    words = {"label": label, "short": short, "percent": name not in ("auc", "average_precision")}
    known = {"name": name, "value": value, "interval": interval, "n": 300, "method": "Wilson"}
    return Measure(**{**known, **words, "detail": name in DETAILS, **fields})


def curves(points: dict[str, tuple[float, ...]]) -> Curves:
    edges = tuple(-4.0 + number for number in range(9))
    similar, dissimilar = (0.0, 0.0, 0.0, 0.1, 0.2, 0.3, 0.3, 0.1), (0.2, 0.4, 0.2, 0.1, 0.1, 0.0, 0.0, 0.0)
    return Curves(**points, edges=edges, similar=similar, dissimilar=dissimilar)


def reliability(error: float) -> Reliability:
    return Reliability(
        mean=(0.1, 0.5, 0.9),
        share=(0.05, 0.4, 0.95),
        weight=(0.4, 0.2, 0.4),
        expected_calibration_error=error,
        brier_score=error / 2,
    )


def drawn_pair(similar: bool, predicted: bool, score: float) -> ScoredPair:
    labels = {"left_label": "Greek/character01, drawing 1", "right_label": "Greek/character02, drawing 2"}
    return ScoredPair(left=PICTURE, right=PICTURE, similar=similar, predicted=predicted, score=score, **labels)


def pairs_exam(**fields: object) -> ExamReport:
    known = {
        "exam": "pairs",
        "description": "300 random pairs of different images, similar with probability 1/2",
        "weights_sha256": SHA256,
        "seeds": (7,),
        "n": 300,
        "unit": "pairs",
        "threshold": 0.5,
        "measures": (measure("accuracy", 0.88, (0.8386, 0.9119)),),
        "grouped_by": "batch",
        "groups": (
            Group(name="1", measures=(measure("accuracy", 0.9, (0.84, 0.938), n=150),)),
            Group(name="2", measures=(measure("accuracy", 0.86, (0.795, 0.907), n=150),)),
        ),
        "shown": tuple(drawn_pair(True, number % 2 == 0, 0.75 - number / 10) for number in range(3)),
        "seconds": 1.25,
    }
    return ExamReport(**{**known, **fields})


def curved_exam(
    name: str = "all-pairs", points: dict[str, tuple[float, ...]] = ORDINARY, **fields: object
) -> ExamReport:
    """An exam of all pairs with the curve through these points."""
    known = {
        "exam": name,
        "description": "every pair of the 240 images, 2,280 of them similar",
        "weights_sha256": SHA256,
        "seeds": (),
        "n": 28_680,
        "unit": "pairs",
        "threshold": 0.4766,
        "measures": tuple(
            measure(figure, value, (value - 0.05, value + 0.05), n=28_680, method="percentile bootstrap")
            for figure, value in FIGURES.items()
        ),
        "grouped_by": "",
        "curves": curves(points),
        "calibration": CalibrationReport(
            prior="1:1", temperature=0.5, bias=0.1, before=reliability(0.12), after=reliability(0.03)
        ),
        "hardest": (drawn_pair(False, True, 0.99), drawn_pair(True, False, 0.01)),
        "seconds": 2.5,
    }
    return ExamReport(**{**known, **fields})


def same_alphabet_exam(*alphabets: str, **fields: object) -> ExamReport:
    groups = tuple(
        Group(
            name=name,
            measures=(
                measure("balanced_accuracy", 0.697, (0.665, 0.732)),
                measure("auc", 0.7118, (0.5801, 0.8342)),
                measure("eer", 0.36, (0.256, 0.456)),
            ),
        )
        for name in alphabets or ("Greek", "Hebrew")
    )
    return curved_exam("same-alphabet", **{"grouped_by": "alphabet", "groups": groups, **fields})


def one_shot_exam(*alphabets: str, **fields: object) -> ExamReport:
    known = {
        "exam": "one-shot",
        "description": "200 episodes, 5-way 1-shot, characters from one alphabet; a tie is wrong",
        "weights_sha256": SHA256,
        "seeds": (7, 8, 9),
        "n": 200,
        "unit": "episodes",
        "threshold": None,
        "measures": (measure("accuracy", 0.58, (0.141, 0.921), n=200, method="Wilson, variance between 2 alphabets"),),
        "grouped_by": "alphabet",
        "groups": tuple(
            Group(name=name, measures=(measure("accuracy", 0.533, (0.438, 0.626), n=100),))
            for name in alphabets or ("Greek", "Hebrew")
        ),
        "seconds": 0.04,
    }
    return ExamReport(**{**known, **fields})


def official_exam(*runs: str, **fields: object) -> ExamReport:
    known = {
        "exam": "official",
        "description": "2 official one-shot runs, 40 trials in all; a tie is wrong",
        "weights_sha256": SHA256,
        "seeds": (),
        "n": 40,
        "unit": "trials",
        "threshold": None,
        "measures": (measure("error", 0.0875, (0.05, 0.15), n=40, method="Wilson, variance between 2 alphabets"),),
        "grouped_by": "run",
        "groups": tuple(
            Group(name=name, measures=(measure("error", 0.05, (0.0089, 0.2361), n=20),))
            for name in runs or ("run 01, Atemayar_Qelisayer", "run 02, Sylheti")
        ),
        "published": (
            PublishedFigure(name="humans", error=0.045, source="Lake et al. 2015", trained_on="-"),
            PublishedFigure(
                name="modified Hausdorff distance",
                error=0.388,
                source="Lake's demo of the official runs",
                trained_on="-",
            ),
        ),
        "seconds": 0.1,
    }
    return ExamReport(**{**known, **fields})


def operating_point(**fields: object) -> OperatingPoint:
    known = {
        "target": "far=0.01",
        "far": 0.01,
        "far_interval": (0.004, 0.021),
        "frr": 0.0625,
        "frr_interval": (0.03, 0.125),
        "similar": 400,
        "dissimilar": 20_000,
        "classes": 5,
        "chosen_on": "held-out",
        "data": "omniglot/training",
        "method": "by hand",
    }
    return OperatingPoint(**{**known, **fields})


def network(**fields: object) -> NetworkReport:
    known = {
        "checkpoint": WEIGHTS,
        "weights_sha256": SHA256,
        "recipe": "small",
        "iteration": 40,
        "iterations": 40,
        "trained_on": "omniglot/training",
        "held_out": ("Greek", "Latin"),
        "threshold": 0.4766,
        "temperature": 0.5,
        "bias": 0.1,
    }
    return NetworkReport(**{**known, **fields})


def evaluation(*exams: ExamReport, **fields: object) -> EvalReport:
    """A report of these exams, or of one of each kind."""
    known = {
        "network": network(),
        "baseline": None,
        "dataset": "omniglot/test",
        "subset": "test",
        "seen": "never",
        "images": 240,
        "classes": 12,
        "alphabets": 2,
        "device": "cpu (2 threads)",
        "precision": "fp32",
        "exams": exams or (pairs_exam(), curved_exam(), same_alphabet_exam(), one_shot_exam(), official_exam()),
        "embedded": 240,
        "embed_seconds": 0.5,
        "seconds": 4.0,
        "peak_bytes": 1_000_000,
    }
    return EvalReport(**{**known, **fields})


def trained_network():
    return TrainedNetwork(
        checkpoint=Path("weights.safetensors"), bundled=False, recipe="small", iteration=3, iterations=3
    )


def ranking(count, drawn=PICTURE, *, notes=(), novelties=()):
    """query.png, and 01.png, 02.png ... ranked after it, every other of them the same."""
    return RankingReport(
        network=trained_network(),
        engine="numpy",
        calibrated=False,
        threshold=0.5,
        query=Path("query.png"),
        notes=(),
        novelty=None,
        query_picture=drawn,
        ranked=tuple(
            RankedImage(
                rank=number,
                file=Path("drawings") / f"{number:02d}.png",
                probability=1 / (1 + number),
                same=number % 2 == 1,
                notes=notes[number - 1] if notes else (),
                novelty=novelties[number - 1] if novelties else None,
            )
            for number in range(1, count + 1)
        ),
        pictures=(drawn,) * min(count, BEST),
        unread=(),
        images=count + 1,
        seconds=0.5,
        images_per_second=2.0 * (count + 1),
    )
