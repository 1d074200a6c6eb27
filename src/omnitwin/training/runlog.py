"""What a run writes of itself: config.json, and metrics.jsonl with a line an iteration, none twice, none half."""

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import torch

from omnitwin import __version__
from omnitwin.config import TrainConfig
from omnitwin.errors import CannotWrite
from omnitwin.reports.training import StepReport
from omnitwin.system.device import describe_device
from omnitwin.system.files import followed, open_unlinked, write_text
from omnitwin.system.paths import CONFIG_FILE, METRICS_FILE
from omnitwin.training.trainer import Trainer

FORMAT, FORMAT_VERSION = "omnitwin-run-config", 1  # of config.json
LARGEST = 1e300  # of a number in the metrics: what is beyond, or is none, can be neither added up nor drawn


def write_config(config: TrainConfig, trainer: Trainer, held_out: tuple[str, ...], output: Path) -> None:
    """What is run, on what, with everything that has a bearing on the result."""
    effective = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "omnitwin": __version__,
        "torch": torch.__version__,
        "recipe": asdict(config.recipe),
        "dataset": trainer.packed.name,
        "fingerprint": trainer.packed.fingerprint,
        "held_out": held_out,
        "device": describe_device(trainer.device),
        "precision": trainer.precision,
        "compile": config.compile,
    }
    write_text(output / CONFIG_FILE, json.dumps(effective, indent=2, sort_keys=True) + "\n")


def read_steps(run: Path) -> tuple[StepReport, ...]:
    """The iterations that a run's metrics tell of, in their order; lines that are none are passed over."""
    path = run / METRICS_FILE
    if not path.is_file():
        return ()
    steps = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        with suppress(ValueError, TypeError, AttributeError, RecursionError):
            record = json.loads(line)
            if all(isinstance(value, int | float) and abs(value) < LARGEST for value in record.values()):
                steps.append(StepReport(**record))
    return tuple(steps)


class RunLog:
    """Appends steps to a run's metrics; lines after iteration `done`, or half written, are dropped first."""

    def __init__(self, output: Path, done: int) -> None:
        self.path = followed(output / METRICS_FILE)
        write_text(self.path, "".join(f"{line}\n" for line in self._lines() if _iteration(line) in range(1, done + 1)))
        self.file: IO[str] | None = None

    def __enter__(self) -> Self:
        try:
            self.file = open_unlinked(self.path, "a", encoding="utf-8", newline="\n")
        except OSError as error:
            raise CannotWrite(f"cannot write {self.path}: {error.strerror or error}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self.file is not None
        with suppress(OSError):  # of a full disk, which write has told already
            self.file.close()

    def write(self, steps: list[StepReport]) -> None:
        assert self.file is not None
        try:
            self.file.write("".join(_line(step) for step in steps))
            self.file.flush()
        except OSError as error:
            raise CannotWrite(f"cannot write {self.path}: {error.strerror or error}") from error

    def _lines(self) -> list[str]:
        return self.path.read_text(encoding="utf-8", errors="replace").splitlines() if self.path.exists() else []


def _line(step: StepReport) -> str:
    there = {name: value for name, value in asdict(step).items() if value is not None}
    return json.dumps(there, sort_keys=True) + "\n"


def _iteration(line: str) -> int:
    try:
        return int(json.loads(line)["iteration"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):  # 1e400, and [[[[
        return 0
