"""What exams found, as frozen records of plain numbers: one shape for all exams, so that one table draws them all."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnitwin.reports.pictures import ScoredPair
from omnitwin.reports.training import StepReport


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A figure (a share from 0 to 1) with its 95 % interval and what it was counted over.

    interval is None where there is none to give; n counts units (pairs, trials) and method says how the interval came.
    """

    name: str
    value: float
    interval: tuple[float, float] | None
    n: int
    method: str


@dataclass(frozen=True, kw_only=True)
class Group:
    """Figures of a part of the exam: a batch, an alphabet, a run, a seed."""

    name: str
    measures: tuple[Measure, ...]


@dataclass(frozen=True, kw_only=True)
class Curves:
    """The ROC, thinned out (FAR and TAR, both rising), and how scores spread.

    edges are those of bins of the logit; similar and dissimilar are the shares of each kind in each bin.
    """

    far: tuple[float, ...]
    tar: tuple[float, ...]
    edges: tuple[float, ...]
    similar: tuple[float, ...]
    dissimilar: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """How probabilities of being similar keep their word, both kinds of pair weighing one half in all.

    mean, share, weight: of each bin of probabilities its mean, its share of similar pairs and its weight. The two
    figures count all n pairs of the exam and have no interval: resampling pushes ECE upwards.
    """

    mean: tuple[float, ...]
    share: tuple[float, ...]
    weight: tuple[float, ...]
    expected_calibration_error: float
    brier_score: float


@dataclass(frozen=True, kw_only=True)
class CalibrationReport:
    """before: as trained; after: with temperature and bias fitted on held-out alphabets, None where there are none."""

    prior: str
    temperature: float | None
    bias: float | None
    before: Reliability
    after: Reliability | None


@dataclass(frozen=True, kw_only=True)
class PublishedFigure:
    """An error rate that others report for the same exam."""

    name: str
    error: float
    source: str
    trained_on: str


@dataclass(frozen=True, kw_only=True)
class ExamReport:
    """One exam: seeds are those of its draws, none where it draws nothing; n counts unit.

    threshold: probability from which a pair counts as similar, None where the exam has none. groups are of the kind
    grouped_by. hardest: the wrong pairs that the scorer was surest of. seconds do not count embedding the images.
    """

    exam: str
    description: str
    weights_sha256: str | None = None
    seeds: tuple[int, ...]
    n: int
    unit: str
    threshold: float | None
    measures: tuple[Measure, ...]
    grouped_by: str
    groups: tuple[Group, ...] = ()
    curves: Curves | None = None
    calibration: CalibrationReport | None = None
    published: tuple[PublishedFigure, ...] = ()
    shown: tuple[ScoredPair, ...] = ()
    hardest: tuple[ScoredPair, ...] = ()
    seconds: float = 0.0

    def measure(self, name: str) -> Measure:
        """The figure of this name; KeyError where the exam has none such."""
        for measure in self.measures:
            if measure.name == name:
                return measure
        raise KeyError(name)


@dataclass(frozen=True, kw_only=True)
class NetworkReport:
    """Which network sat the exams."""

    checkpoint: str
    weights_sha256: str
    recipe: str
    iteration: int
    iterations: int
    trained_on: str
    held_out: tuple[str, ...]
    threshold: float
    temperature: float | None
    bias: float | None
    bundled: bool = False  # whether it came with omnitwin


@dataclass(frozen=True, kw_only=True)
class EvalReport:
    """Exams of a network (or a baseline) on a set of images.

    seen: `never` for images of characters unknown to the network, `held-out` for alphabets kept out of training that
    chose its threshold, `training` for what it was trained on. embedded images took embed_seconds.
    """

    network: NetworkReport | None
    baseline: str | None
    dataset: str
    subset: str
    seen: str
    images: int
    classes: int
    alphabets: int
    device: str
    precision: str
    exams: tuple[ExamReport, ...]
    embedded: int
    embed_seconds: float
    seconds: float
    peak_bytes: int | None


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """A run from its training to its exams. steps: what metrics.jsonl has of it; recipe: its fields by name."""

    evaluation: EvalReport
    recipe: dict[str, Any]
    steps: tuple[StepReport, ...]
    versions: dict[str, str]
    page: Path
