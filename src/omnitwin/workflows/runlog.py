"""metrics.jsonl of a run: a line an iteration, in order, none twice, whatever was killed in between."""

import json
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from omnitwin.errors import CannotWrite
from omnitwin.files import write_text
from omnitwin.paths import METRICS_FILE
from omnitwin.reports import StepReport


class RunLog:
    """Appends steps to a run's metrics; lines after iteration `done`, or half written, are dropped first."""

    def __init__(self, output: Path, done: int) -> None:
        self.path = output / METRICS_FILE
        write_text(self.path, "".join(f"{line}\n" for line in self._lines() if _iteration(line) in range(1, done + 1)))
        self.file: TextIO | None = None

    def __enter__(self) -> Self:
        try:
            self.file = self.path.open("a", encoding="utf-8")
        except OSError as error:
            raise CannotWrite(f"cannot write {self.path}: {error.strerror or error}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self.file is not None
        self.file.close()

    def write(self, steps: list[StepReport]) -> None:
        assert self.file is not None
        try:
            self.file.write("".join(json.dumps(asdict(step), sort_keys=True) + "\n" for step in steps))
            self.file.flush()
        except OSError as error:
            raise CannotWrite(f"cannot write {self.path}: {error.strerror or error}") from error

    def _lines(self) -> list[str]:
        return self.path.read_text(encoding="utf-8", errors="replace").splitlines() if self.path.exists() else []


def _iteration(line: str) -> int:
    try:
        return int(json.loads(line)["iteration"])
    except (ValueError, KeyError, TypeError):
        return 0
