"""The report of a training over folds of classes."""

from dataclasses import dataclass
from pathlib import Path

from omnitwin.reports.exams import ExamReport
from omnitwin.reports.operating import OperatingPoint


@dataclass(frozen=True, kw_only=True)
class FoldReport:
    """One fold: a network, and what it says of classes that it never saw."""

    fold: int  # from 1
    classes: int  # to train on
    tested: int  # classes
    iteration: int  # of the network that was kept: the best by the held-out classes
    held_out_eer: float | None  # equal error rate on the classes that chose it
    eer: float | None  # equal error rate on the classes that chose nothing; None: it has no pairs of both kinds


@dataclass(frozen=True, kw_only=True)
class FoldsReport:
    """How a training over folds ended: with a network of all classes, measured by the networks of the folds."""

    output: Path  # the run's folder
    weights: Path | None  # of the network of all classes; None: the training was stopped before
    weights_sha256: str | None
    count: int  # folds
    done: int  # folds whose network is trained
    folds: tuple[FoldReport, ...]  # measured, once all are trained
    iterations: int | None  # of the network of all classes: the median of the folds' iterations
    threshold: float | None
    operating: OperatingPoint | None  # of the threshold
    exam: ExamReport | None  # all pairs that are within a fold's test classes, together
    seconds: float  # of this process
    stopped_by: str | None  # `SIGINT`, `SIGTERM`, `time` or `callback`; None: all is done
