"""How work tells its progress while it is done: a protocol, and a reporter that says nothing."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from omnitwin.reports.training import PlanReport, StepReport

Advance = Callable[[int], None]
ShowStep = Callable[[StepReport], None]


class Reporter(Protocol):
    """Where a workflow tells what it is doing, while it is doing it."""

    def note(self, text: str) -> None:
        """Say one line."""

    def warn(self, text: str) -> None:
        """Say one line that should not be missed."""

    def task(self, label: str, total: int, unit: str) -> AbstractContextManager[Advance]:
        """Follow some work of total units; the callable is told how many more are done. unit: `bytes` or a noun."""

    def training(self, plan: PlanReport) -> AbstractContextManager[ShowStep]:
        """Follow a training run; the callable is given the newest step now and then."""


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
