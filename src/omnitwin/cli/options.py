"""Options that several commands share, and how their words become config fields. Imports nothing heavy.

Each option checks its words as they are read, so that a wrong one is refused before anything heavy is imported.
"""

import os
import re
from collections.abc import Callable, Collection
from contextlib import suppress
from glob import escape, glob
from pathlib import Path
from typing import Annotated, Any

import typer

from omnitwin.config import DATASETS, EXAMS, OLDER_EXAMS, SEVERAL_EXAMS, SPLITS, SourceConfig, Target, parse_target
from omnitwin.errors import BadInput, OmnitwinError
from omnitwin.system.paths import BUNDLED, NEWEST, index_folders, run_folders, trained_runs
from omnitwin.system.words import DEVICES, PRECISIONS, check_device, check_precision

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}  # seconds
AGES = {**UNITS, "d": 86400, "w": 7 * 86400}  # seconds
PLAIN_NAME = r"[\w.][\w.+@-]*"  # a run's name without any character that a shell gives another meaning


def one_of(*words: str) -> Callable[[str], list[str]]:
    """Return a completion that offers these words."""
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]


def any_of(*words: str) -> str:
    """`a, b or c`."""
    return " or ".join([", ".join(words[:-1]), *words[-1:]]) if len(words) > 1 else words[0]


def known(kind: str, *words: str, older: Collection[str] = ()) -> Callable[[Any], Any]:
    """Return an option's callback that raises BadInput for a word, or one of several, that is not among these.

    older: words that are understood, but not offered
    """

    def check(given: Any) -> Any:
        for word in [given] if isinstance(given, str) else given or []:
            if word not in words and word not in older:
                raise BadInput(f"no {kind} is called {word!r}", f"Use {any_of(*words)}.")
        return given

    return check


def passed_by(check: Callable[[str], None]) -> Callable[[str], str]:
    """Return an option's callback that gives back the word if the check raises nothing."""

    def callback(word: str) -> str:
        check(word)
        return word

    return callback


def complete_run(incomplete: str) -> list[str]:
    """Offer runs whose names mean themselves in every shell: bash puts an offered word on its line as it is."""
    return _offered(trained_runs, incomplete)


def complete_stored_run(incomplete: str) -> list[str]:
    """The same with the runs that stopped before they had weights."""
    return _offered(run_folders, incomplete)


def _offered(found: Callable[[], list[Path]], incomplete: str) -> list[str]:
    names: list[str] = []
    with suppress(OmnitwinError):  # no home, or a link to one: the command tells it, TAB is silent
        names = [run.name for run in found() if re.fullmatch(PLAIN_NAME, run.name)]
    return [name for name in names if name.startswith(incomplete)]


def complete_index(incomplete: str) -> list[str]:
    """Offer indexes, likewise."""
    return _offered(index_folders, incomplete)


def complete_checkpoint(incomplete: str) -> list[str]:
    return [*one_of(BUNDLED, NEWEST)(incomplete), *complete_run(incomplete)]


def exams_option(default: str) -> Any:
    return typer.Option(
        "--exam",
        metavar="NAME",
        help=f"{any_of(*EXAMS, *SEVERAL_EXAMS)}; may be given several times. "
        "usual: all, but not beyond on your own images.",
        show_default=default,
        autocompletion=one_of(*EXAMS, *SEVERAL_EXAMS),
        callback=known("exam", *EXAMS, *SEVERAL_EXAMS, older=OLDER_EXAMS),
    )


Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="DEVICE",
        help="auto, cpu, cuda, cuda:N or mps.",
        autocompletion=one_of(*DEVICES),
        callback=passed_by(check_device),
    ),
]
Precision = Annotated[
    str,
    typer.Option(
        "--precision",
        metavar="NAME",
        help=f"Number format: {any_of(*PRECISIONS)}.",
        autocompletion=one_of(*PRECISIONS),
        callback=passed_by(check_precision),
    ),
]


def check_target(words: str | None) -> str | None:
    """Return a target's words. Raises BadInput for what is none."""
    return None if words is None else str(parse_target(words))


ThresholdTarget = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="TARGET",
        help="Choose the threshold for this: balanced (accuracy), far=0.01 (share of dissimilar pairs accepted, at "
        "most) or precision=0.95 (share of similar pairs among the accepted, at least, if both kinds are as many).",
        show_default=str(Target()),
        autocompletion=one_of("balanced", "far=0.01", "precision=0.95"),
        callback=check_target,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only errors.")]
Checkpoint = Annotated[
    str | None,
    typer.Option(
        "--checkpoint",
        metavar="NAME",
        help="The network: a run's name or folder, a weights file, newest or bundled.",
        show_default="bundled, or the choice of omnitwin use",
        autocompletion=complete_checkpoint,
    ),
]
Figure = Annotated[
    Path | None, typer.Option("--figure", metavar="FILE.png", help="Write the pictures to an image file.")
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="GLOB",
        help="Leave out files and folders of this name, or of this path from the folder: *.gif, old/*. May be given "
        "several times.",
    ),
]
ListedFrom = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="FILE.csv",
        help="Take the images that a table lists in its column path, or a text file, a path a line; - is standard "
        "input.",
    ),
]
Processes = Annotated[
    int | None,
    typer.Option(
        "--processes",
        metavar="N",
        min=0,
        help="Processes that read images side by side; 0: none besides this one.",
        show_default="as many as processors",
    ),
]
OWN_IMAGES = "or a folder, or a CSV or TSV, of your own images"


def check_data(word: str) -> None:
    """Raise BadInput unless a word is a data set's name or the path of something that exists."""
    if word not in DATASETS and not os.path.lexists(word):
        raise BadInput(
            f"no data set is called {word!r}, and there is no such folder or file",
            f"Use {', '.join(DATASETS)}, {OWN_IMAGES}.",
        )


def complete_data(incomplete: str) -> list[str]:
    """Offer the names of data sets, and what complete_place offers."""
    return [*one_of(*DATASETS)(incomplete), *complete_place(incomplete)]


def complete_place(incomplete: str) -> list[str]:
    """Offer folders and tables whose paths mean themselves in every shell."""
    places = [place + os.sep if os.path.isdir(place) else place for place in glob(f"{escape(incomplete)}*")]
    endings = (os.sep, ".csv", ".tsv")
    plain = [place for place in places if place.endswith(endings) and re.fullmatch(r"[\w./+@-]+", place)]
    return sorted(plain)


def _data(**settings: Any) -> Any:
    help = f"{', '.join(DATASETS)}, {OWN_IMAGES}."
    return typer.Option("--data", metavar="DATA", help=help, autocompletion=complete_data, **settings)


Data = Annotated[str, _data()]
DataOrNone = Annotated[str | None, _data(show_default="omniglot, or what the network was trained on")]
LabelFrom = Annotated[
    str | None,
    typer.Option(
        "--label-from",
        metavar="REGEX",
        help="Take the class from each file's path by a regular expression, not from its folder: its group label, or "
        "its first group. group, source and split may be named groups, too.",
        show_default="the folder is the class",
    ),
]
OldDataset = Annotated[str | None, typer.Option("--dataset", metavar="NAME", hidden=True)]

Split = Annotated[
    str | None,
    typer.Option(
        "--split",
        metavar="NAME",
        help="How your own images are divided: the test has other classes than training (classes), or other images of "
        "the same classes (images), which says nothing about new classes.",
        show_default="as the network was trained, else classes",
        autocompletion=one_of(*SPLITS),
        callback=known("split", *SPLITS),
    ),
]


def data_given(data: str | None, old: str | None) -> str | None:
    """Return the word of --data, or of --dataset, which it was called before. Raises BadInput."""
    if data is not None and old is not None:
        raise BadInput("--dataset is the old name of --data", "Give --data only.")
    given = old if data is None else data
    if given is not None:
        check_data(given)
    return given


def source_given(data: str | None, label_from: str | None, split: str | None) -> SourceConfig:
    """Return how the images of --data are read. Raises BadInput for an option that has no effect on a named set."""
    for option, value in (("--label-from", label_from), ("--split", split)):
        if value is not None and data in DATASETS:
            raise BadInput(f"{option} has no effect on {data}", "Leave it out.")
    return SourceConfig(pattern=label_from, split=split)


def parse_size(text: str | None) -> dict[str, int]:
    """Return the fields of a network for `96` or `64x128` (height x width); BadInput for anything else."""
    if text is None:
        return {}
    match = re.fullmatch(r"(\d{1,9})(?:x(\d{1,9}))?", text)
    if match is None:
        raise BadInput(f"{text!r} is no size of an image", "Write it like 96, or 64x128 (height x width).")
    return {"image_size": int(match[1]), "image_width": int(match[2] or 0)}


def parse_duration(text: str | None) -> float | None:
    """Return the seconds of `90`, `90s`, `30m` or `1.5h`; BadInput for anything else."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if match is None or float(match[1]) == 0:
        raise BadInput(f"{text!r} is no duration", "Write it like 90s, 30m or 1.5h.")
    return float(match[1]) * UNITS[match[2]]


def parse_age(text: str | None) -> float:
    """Return the seconds of `12h`, `30d` or `8w`, 0 for None; BadInput for anything else."""
    if text is None:
        return 0.0
    match = re.fullmatch(r"(\d{1,9}(?:\.\d+)?)([smhdw])", text)
    if match is None:
        raise BadInput(f"{text!r} is no age", "Write it like 12h, 30d or 8w.")
    return float(match[1]) * AGES[match[2]]
