"""Options that several commands share, and how their words become config fields. Imports nothing heavy."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from omnitwin.config import DATASETS, EXAMS, SourceConfig
from omnitwin.errors import BadInput
from omnitwin.system.paths import BUNDLED, NEWEST, trained_runs

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}  # seconds
PLAIN_NAME = r"[\w.][\w.+@-]*"  # of a run, with no character that a shell knows another meaning of


def one_of(*words: str) -> Callable[[str], list[str]]:
    """A completion that offers these words."""
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]


def any_of(*words: str) -> str:
    """`a, b or c`."""
    return " or ".join([", ".join(words[:-1]), *words[-1:]]) if len(words) > 1 else words[0]


def complete_run(incomplete: str) -> list[str]:
    """Only names that mean themselves in every shell: bash puts what is offered on its command line as it is."""
    names = [run.name for run in trained_runs() if re.fullmatch(PLAIN_NAME, run.name)]
    return [name for name in names if name.startswith(incomplete)]


def complete_checkpoint(incomplete: str) -> list[str]:
    return [*one_of(BUNDLED, NEWEST)(incomplete), *complete_run(incomplete)]


DEVICES, PRECISIONS = ("auto", "cpu", "cuda", "cuda:0", "mps"), ("auto", "fp32", "bf16")


def exams_option(default: str) -> Any:
    return typer.Option(
        "--exam",
        metavar="NAME",
        help=f"{', '.join(EXAMS)} or all; may be given several times.",
        show_default=default,
        autocompletion=one_of(*EXAMS, "all"),
    )


Device = Annotated[
    str,
    typer.Option("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps.", autocompletion=one_of(*DEVICES)),
]
Precision = Annotated[
    str,
    typer.Option("--precision", metavar="NAME", help="auto, fp32 or bf16.", autocompletion=one_of(*PRECISIONS)),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
Checkpoint = Annotated[
    str | None,
    typer.Option(
        "--checkpoint",
        metavar="PATH or NAME",
        help="A weights file, a run's folder or name, newest or bundled.",
        show_default="bundled, or the choice of omnitwin use",
        autocompletion=complete_checkpoint,
    ),
]
Figure = Annotated[
    Path | None, typer.Option("--figure", metavar="FILE.png", help="Write the pictures to an image file.")
]
Dataset = Annotated[
    str,
    typer.Option("--dataset", metavar="NAME", help=f"{any_of(*DATASETS)}.", autocompletion=one_of(*DATASETS)),
]

DatasetOrNone = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        metavar="NAME",
        help=f"{any_of(*DATASETS)}.",
        show_default="omniglot, or the one trained on",
        autocompletion=one_of(*DATASETS),
    ),
]


def source(from_: str | None = None, force: bool = False) -> SourceConfig:
    """Return where data comes from."""
    return SourceConfig(source=from_, force=force)


def parse_duration(text: str | None) -> float | None:
    """Seconds of `90`, `90s`, `30m` or `1.5h`."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if match is None or float(match[1]) == 0:
        raise BadInput(f"{text!r} is no duration", "Write it like 90s, 30m or 1.5h.")
    return float(match[1]) * UNITS[match[2]]
