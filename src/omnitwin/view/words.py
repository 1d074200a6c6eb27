"""Numbers and runs as short words, and a line of numbers as a small curve."""

import math
import shlex
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from omnitwin.errors import CannotRun
from omnitwin.reports.answers import TrainedNetwork
from omnitwin.reports.nouns import counted
from omnitwin.reports.operating import HELD_OUT, OperatingPoint
from omnitwin.reports.training import PlanReport, TrainReport
from omnitwin.system.paths import runs_folder

if TYPE_CHECKING:  # importing the records of exams takes time, and an answer needs none
    from omnitwin.reports.exams import NetworkReport

BUNDLED_WEIGHTS = "the bundled weights"
NAMED = 3  # files that a line names
STOPPED_BY = {"SIGINT": "Ctrl-C"}  # a signal by the key that sends it
GUESSING = 0.4  # equal error rate above which a network is called little better than that
LISTED = 10  # parts kept out of training: more are not all named
BLOCKS, LEVELS = "▁▂▃▄▅▆▇█", "_.-=*#"


def bytes_in_words(count: int) -> str:
    """Return `512 B` or `9.5 MB`, in decimal units, as disks and networks are sold."""
    if count < 1000:
        return f"{count} B"
    power = next((power for power in (1, 2) if count < 999.95 * 1000**power), 3)
    return f"{count / 1000**power:.1f} {('kB', 'MB', 'GB')[power - 1]}"


def time_in_words(seconds: float) -> str:
    """Return `0:07`, `12:30` or `3:04:05`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def age_in_words(seconds: float) -> str:
    """Return `now`, `5 minutes`, `3 hours` or `12 days`."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return counted(int(seconds // length), unit)
    return "now"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def weakness(held_out_eer: float | None) -> str:
    """Warn of a network that hardly tells held-out images apart; nothing for others."""
    weak = held_out_eer is not None and held_out_eer > GUESSING
    return "That is little better than guessing (50 %): train longer, or on more classes." if weak else ""


def rate(share: float, interval: tuple[float, float]) -> str:
    """Return `1.0 % (0.4 to 2.1)`, a rate with its 95 % interval."""
    low, high = (_share_in_words(bound) for bound in interval)
    return f"{_share_in_words(share)} % ({low} to {high})"


def _share_in_words(share: float) -> str:
    """Return percent with a digit that is not 0, if that takes no more than 3 after the point."""
    digits = max(1, min(3, math.ceil(-math.log10(100 * share) - 1e-9))) if share > 0 else 1
    return f"{100 * share:.{digits}f}"


def split_in_words(split: str, seed: int) -> str:
    """Return how images of the user's own were divided: `given` by their place, or made by `classes` or `images`."""
    if split == "given":
        return "given by the place itself"
    if split == "images":
        return f"made by images, seed {seed}: the test has other images of the classes that are trained on"
    return f"made by the names of the classes, seed {seed}: no class is in two parts"


def target_in_words(target: str) -> str:
    return "balanced accuracy" if target == "balanced" else target


def operating_in_words(point: OperatingPoint) -> str:
    """Return `chosen for far=0.01 on 5 held-out classes of omniglot/training: FAR 1.0 % (0.4 to 2.1), FRR ...`."""
    kind = "held-out class" if point.chosen_on == HELD_OUT else "class"
    rates = f"FAR {rate(point.far, point.far_interval)}, FRR {rate(point.frr, point.frr_interval)}"
    of = f" of {point.data}" if point.data else ""
    rates += f" within one {point.within}" if point.within else ""
    measured = f"; {point.measured}" if point.measured else ""
    return f"chosen for {target_in_words(point.target)} on {counted(point.classes, kind)}{of}: {rates}{measured}"


def run_in_words(folder: Path) -> str:
    """Return how a command line names a run: by its name if that suffices, else by its path."""
    with suppress(CannotRun):  # without a home folder, runs have no names
        if folder.parent == runs_folder() and not Path(folder.name).exists():
            return shlex.quote(folder.name)
    return shlex.quote(str(folder))


def measuring_in_words(report: TrainReport) -> str:
    """Return the command that measures a network."""
    exams = " --exam all-pairs --exam retrieval" if report.own_images else ""
    return f"omnitwin eval --checkpoint {run_in_words(report.output)}{exams}"


def trained(report: "TrainedNetwork | NetworkReport") -> str:
    """Return `fast, 1,200 iterations`, or `fast, 300 of 1,200 iterations` for a run that was stopped early."""
    of = "" if report.iteration == report.iterations else f"{report.iteration:,} of "
    return f"{report.recipe}, {of}{counted(report.iterations, 'iteration')}"


def network_in_words(plan: PlanReport) -> str:
    """`strong for 64 x 128 pixels in colour, 402,432 parameters`."""
    height, _, width = plan.image_size.partition("x")
    seen = f"{height} x {width or height} pixels{' in colour' if plan.channels == 3 else ''}"
    return f"{plan.encoder} for {seen}, {plan.parameters:,} parameters"


def batch_in_words(plan: PlanReport) -> str:
    """Return `180 pairs`, `256 images (64 classes, 32,640 pairs)` or `(10 classes in 3 orders of colours, ...)`."""
    count = counted(plan.batch_size, plan.unit.removesuffix("s"))
    if plan.batch_classes is None:
        return count
    orders = f" in {plan.colourings} orders of colours" if plan.colourings > 1 else ""
    return f"{count} ({counted(plan.batch_classes, 'class')}{orders}, {counted(plan.pairs_per_iteration, 'pair')})"


def end_in_words(plan: PlanReport) -> str:
    """Return `, or until 5 exams find no better network`; nothing for a run that takes all its iterations."""
    return f", or until {counted(plan.patience, 'exam')} in a row found no better network" if plan.patience else ""


def label_lines(label: str) -> list[str]:
    """Return the parts of a label such as `Alphabet/character07, drawing 3`, as lines that fit a narrow column."""
    return label.replace("/", "\n").replace(", ", "\n").splitlines()


def listed(names: Sequence[str], all_of: int = NAMED) -> str:
    """Return `a.png, b.png`, or the first few of many: `a.png, b.png, c.png and 9 more`. all_of: not many"""
    if len(names) <= all_of:
        return ", ".join(names)
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def curve(values: Sequence[float], columns: int, unicode: bool = True) -> str:
    """Draw the values in at most this many characters: each stands for the mean of its share, higher for larger."""
    count = min(columns, len(values))
    edges = [index * len(values) // count for index in range(count + 1)] if count else []
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    marks = BLOCKS if unicode else LEVELS
    low, high = (min(means), max(means)) if means else (0.0, 0.0)
    flat = high - low <= 1e-9 * abs(high)  # values that differ only by rounding are level
    span = math.inf if flat else high - low
    return "".join(marks[round((mean - low) / span * (len(marks) - 1))] for mean in means)


def done_in_words(report: TrainReport) -> str:
    """Return `Done: 40 iterations in 1:30`, with the reason if the run might have gone on."""
    early = " (the exams found no better network any more)" if report.stopped_by else ""
    return f"Done: {counted(report.iteration, 'iteration')} in {time_in_words(report.seconds)}{early}"


def stopped_in_words(report: TrainReport) -> str:
    """Return what was saved of a run that was stopped, and the command that goes on with it."""
    why = STOPPED_BY.get(report.stopped_by or "", report.stopped_by)
    go_on = f"Go on with: omnitwin train --resume {run_in_words(report.output)}"
    done = f"{report.iteration:,} of {counted(report.iterations, 'iteration')}"
    return f"Stopped ({why}) and saved after {done}. {go_on}"
