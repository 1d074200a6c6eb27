"""How work reports its progress: a protocol, and a reporter that says nothing.

with reporter.task("Reading images", len(files), "images") as advance:
    for file in files:
        ...
        advance(1)
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from omnitwin.reports.training import PlanReport, StepReport

Advance = Callable[[int], None]
ShowStep = Callable[[StepReport], None]


class Reporter(Protocol):
    """Shows how long work proceeds. Any object with these methods is a reporter.

    >>> omnitwin.train("synthetic", recipe="fast", reporter=my_reporter)
    """

    def note(self, text: str) -> None:
        """Say a line."""

    def warn(self, text: str) -> None:
        """Say a line that should not be missed."""

    def task(self, label: str, total: int, unit: str) -> AbstractContextManager[Advance]:
        """Show the progress of total units of work. Call the callable with the number of units just done.

        unit: `bytes`, or a plural noun
        """

    def training(self, plan: PlanReport) -> AbstractContextManager[ShowStep]:
        """Show the progress of a training run. Call the callable with the newest step now and then."""


class _Silent:
    def note(self, text: str) -> None:
        pass

    def warn(self, text: str) -> None:
        pass

    def task(self, label: str, total: int, unit: str) -> AbstractContextManager[Advance]:
        return nullcontext(lambda count: None)

    def training(self, plan: PlanReport) -> AbstractContextManager[ShowStep]:
        return nullcontext(lambda step: None)


SILENT: Reporter = _Silent()
