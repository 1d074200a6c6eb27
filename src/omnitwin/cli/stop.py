"""The stop button: the first Ctrl-C, SIGTERM or SIGHUP asks to finish the step, the second ends at once.

And what is said of an interruption by work that has no such button.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

import typer

from omnitwin.errors import ExitCode

SIGNAL_EXIT = {"SIGINT": ExitCode.INTERRUPTED, "SIGTERM": ExitCode.TERMINATED, "SIGHUP": ExitCode.HUNG_UP}
SIGNALS = [signal.Signals[name] for name in SIGNAL_EXIT if hasattr(signal, name)]  # Windows has no SIGHUP


class StopButton:
    """Catch signals within the context. A call returns the name of the signal that came, or None."""

    def __init__(self, note: Callable[[str], None] = lambda text: None) -> None:
        self.note = note
        self.pressed: str | None = None
        self.before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        heard = [number for number in SIGNALS if number.name != "SIGHUP" or signal.getsignal(number) != signal.SIG_IGN]
        self.before = {number: signal.signal(number, self._press) for number in heard}  # ignored under nohup
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def __call__(self) -> str | None:
        return self.pressed

    def _press(self, number: int, frame: FrameType | None) -> None:
        self.pressed = signal.Signals(number).name
        for heard in self.before:
            signal.signal(heard, signal.default_int_handler if heard == signal.SIGINT else signal.SIG_DFL)
        again = "Ctrl-C again" if number == signal.SIGINT else "A second signal"
        self.note(f"Finishing this step, then saving. {again} ends at once, without saving.")


@contextmanager
def saying_what_was_done(kept: str) -> Iterator[None]:
    """Exit 130 with one line if work is interrupted that knows how far it came: `interrupted: 2 of 6 ... . No page ...`

    kept: a sentence about what was written
    """
    try:
        yield
    except KeyboardInterrupt as interruption:
        if not interruption.args:  # Typer hands no message on, and main has none to add
            raise
        from omnitwin.view.console import message_console, say

        say(message_console(), f"omnitwin: interrupted: {interruption}. {kept}", "bold red")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
