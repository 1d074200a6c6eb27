"""Numbers as short words, and a line of numbers as a small curve."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from omnitwin.reports.answers import TrainedNetwork
from omnitwin.reports.training import PlanReport

if TYPE_CHECKING:  # records of exams take their time to be made, and an answer needs none
    from omnitwin.reports.exams import NetworkReport

BUNDLED_WEIGHTS = "the bundled weights"
NAMED = 3  # of many files
BLOCKS, LEVELS = "▁▂▃▄▅▆▇█", "_.-=*#"


def bytes_in_words(count: int) -> str:
    """`512 B`, `9.5 MB`: decimal units, as disks and networks are sold."""
    if count < 1000:
        return f"{count} B"
    power = next((power for power in (1, 2) if count < 999.95 * 1000**power), 3)
    return f"{count / 1000**power:.1f} {('kB', 'MB', 'GB')[power - 1]}"


def counted(count: int, name: str) -> str:
    """`1 image`, `1,000 images`."""
    return f"{count:,} {name}{'' if count == 1 else 's'}"


def time_in_words(seconds: float) -> str:
    """`0:07`, `12:30`, `3:04:05`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def trained(report: "TrainedNetwork | NetworkReport") -> str:
    """Which recipe, and how much of it: a run that was stopped early should be seen to be one."""
    of = "" if report.iteration == report.iterations else f" of {report.iterations:,}"
    return f"{report.recipe}, {report.iteration:,}{of} iterations"


def batch_in_words(plan: PlanReport) -> str:
    """`180 pairs`, `256 images (64 classes, 32,640 pairs)`."""
    count = f"{plan.batch_size:,} {plan.unit}"
    if plan.batch_classes is None:
        return count
    return f"{count} ({plan.batch_classes:,} classes, {plan.pairs_per_iteration:,} pairs)"


def label_lines(label: str) -> list[str]:
    """An image's label, `Alphabet/character07, drawing 3`, a part a line, so that a narrow column cuts none away."""
    return label.replace("/", "\n").replace(", ", "\n").splitlines()


def listed(names: Sequence[str]) -> str:
    """`a.png, b.png`, or the first few of many: `a.png, b.png, c.png and 9 more`."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def curve(values: Sequence[float], columns: int, unicode: bool = True) -> str:
    """The values from first to last in at most columns characters, each the mean of its share, higher for larger."""
    count = min(columns, len(values))
    edges = [index * len(values) // count for index in range(count + 1)] if count else []
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    marks = BLOCKS if unicode else LEVELS
    low, high = (min(means), max(means)) if means else (0.0, 0.0)
    flat = high - low <= 1e-9 * abs(high)  # what differs by rounding alone is level
    span = math.inf if flat else high - low
    return "".join(marks[round((mean - low) / span * (len(marks) - 1))] for mean in means)
