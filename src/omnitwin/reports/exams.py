"""The results of exams, as frozen records of plain numbers. All exams have the same shape, so one table draws them all.

The records also carry the words and colours of their drawings, so that a new exam needs no change in view/.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnitwin.reports.data import PlaceFacts
from omnitwin.reports.operating import OperatingPoint
from omnitwin.reports.pictures import ScoredPair
from omnitwin.reports.training import StepReport


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A figure (a share from 0 to 1) with its 95 % interval and the number of things it counts.

    >>> Measure(name="recall_at_1", value=0.5, interval=(0.25, 0.75), n=12, method="Wilson").label
    'recall at 1'
    """

    name: str
    value: float
    interval: tuple[float, float] | None  # None: no interval is known
    n: int  # pairs, trials or images that were counted
    method: str  # how the interval was computed
    label: str = ""  # in a table of figures; by default the name
    short: str = ""  # head of a column; by default the label
    percent: bool = True  # drawn in percent, not as a number from 0 to 1
    detail: bool = False  # drawn for a whole exam only, not in the table of its parts

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", self.label or self.name.replace("_", " "))
        object.__setattr__(self, "short", self.short or self.label)


@dataclass(frozen=True, kw_only=True)
class Group:
    """Figures of a part of an exam: a batch, an alphabet, a run, a seed."""

    name: str
    measures: tuple[Measure, ...]


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Some points of the ROC, and a histogram of the scores of each kind of pair."""

    far: tuple[float, ...]  # false accept rates, ascending
    tar: tuple[float, ...]  # true accept rates, ascending
    edges: tuple[float, ...]  # of the histogram's bins, in logits
    similar: tuple[float, ...]  # share of the similar pairs in each bin
    dissimilar: tuple[float, ...]  # share of the dissimilar pairs in each bin


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """How far predicted probabilities match observed frequencies. Both kinds of pair have the same total weight.

    The two figures count all n pairs of the exam and have no interval: resampling pushes ECE upwards.
    """

    mean: tuple[float, ...]  # mean probability of each bin
    share: tuple[float, ...]  # share of similar pairs in each bin
    weight: tuple[float, ...]  # weight of each bin
    expected_calibration_error: float
    brier_score: float


@dataclass(frozen=True, kw_only=True)
class CalibrationReport:
    """Reliability as trained, and with the temperature and bias that were fitted on held-out alphabets."""

    prior: str
    temperature: float | None
    bias: float | None
    before: Reliability
    after: Reliability | None  # None: nothing was fitted


@dataclass(frozen=True, kw_only=True)
class PublishedFigure:
    """An error rate that others report for the same exam."""

    name: str
    error: float
    source: str
    trained_on: str


@dataclass(frozen=True, kw_only=True)
class ClassErrors:
    """The wrong pairs of one class at the exam's threshold.

    They are counts without an interval: the pairs of a class share its images, and the worst of many classes is in part
    the unluckiest.
    """

    name: str
    error: float  # mean of the shares rejected and accepted; of one image: the share accepted
    similar: int  # pairs of two of its images; 0: it has one image
    rejected: int  # of them, wrongly
    dissimilar: int  # pairs of one of its images with one of another class
    accepted: int  # of them, wrongly


@dataclass(frozen=True, kw_only=True)
class ExamReport:
    """One exam."""

    exam: str
    description: str
    weights_sha256: str | None = None
    seeds: tuple[int, ...] = ()  # of its draws; empty: nothing is drawn
    n: int
    unit: str  # what n counts, in the plural
    threshold: float | None = None  # probability from which a pair counts as similar; None: the exam has none
    measures: tuple[Measure, ...]  # at least one; the first is the headline
    grouped_by: str = ""  # kind of the groups
    groups: tuple[Group, ...] = ()
    curves: Curves | None = None
    colour: str = ""  # of its curve, a name of view.plots.PALETTE; by default the next free one
    calibration: CalibrationReport | None = None
    published: tuple[PublishedFigure, ...] = ()
    shown: tuple[ScoredPair, ...] = ()
    hardest: tuple[ScoredPair, ...] = ()  # the wrong pairs with the surest scores
    worst: tuple[ClassErrors, ...] = ()  # the classes with the highest error, worst first; not all if there are many
    classes: int = 0  # that the worst are of
    seconds: float = 0.0  # without embedding the images

    def __post_init__(self) -> None:
        if not self.measures:
            raise ValueError(f"the exam {self.exam} has no measure")

    def find(self, name: str) -> Measure | None:
        """Return the figure of this name, or None."""
        return next((measure for measure in self.measures if measure.name == name), None)

    def measure(self, name: str) -> Measure:
        """Return the figure of this name. KeyError if the exam has none."""
        measure = self.find(name)
        if measure is None:
            raise KeyError(name)
        return measure


@dataclass(frozen=True, kw_only=True)
class NetworkReport:
    """The network that sat the exams."""

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
    operating: OperatingPoint | None = None  # of the threshold; None: not known
    bundled: bool = False  # it came with omnitwin


@dataclass(frozen=True, kw_only=True)
class EvalReport:
    """Exams of a network (or a baseline) on a set of images.

    seen: `never`: the network never saw these characters; `held-out`: they are of the alphabets kept out of training,
        which chose its best checkpoint; `training`: it was trained on them; `closed`: it was trained on other images of
        the same classes; `unknown`: it was trained on more classes than its file has names, and whether on these is
        not known
    chose_threshold: whether some of these images chose the threshold and calibration of the network or baseline
    """

    network: NetworkReport | None  # None: a baseline sat the exams
    baseline: str | None
    dataset: str
    subset: str
    seen: str
    chose_threshold: bool = False
    left_out: tuple[str, ...] = ()  # alphabets of the set that the exams leave out
    images: int
    classes: int
    alphabets: int
    single_classes: int = 0  # of one image, which make dissimilar pairs only
    place: PlaceFacts | None = None  # None: a set of the catalogue, or images that only Python can name
    device: str
    precision: str
    exams: tuple[ExamReport, ...]
    embedded: int  # images
    embed_seconds: float
    seconds: float
    peak_bytes: int | None  # None: the system does not tell


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """A run from its training to its exams."""

    evaluation: EvalReport
    recipe: dict[str, Any]  # its fields by name
    steps: tuple[StepReport, ...]  # those in metrics.jsonl
    versions: dict[str, str]
    page: Path
