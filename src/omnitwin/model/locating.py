"""Find the weights file that a name stands for: a path, a run, `newest`, `bundled`, or None for the default.

The default is what `omnitwin use NAME` chose, else the bundled weights.
"""

import json
import os
import re
import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from omnitwin.errors import BadCheckpoint, BadInput, CannotRun
from omnitwin.model.description import Description
from omnitwin.reports.answers import TrainedNetwork
from omnitwin.system.files import digest, write_text
from omnitwin.system.paths import (
    BEST_FILE,
    BUNDLED,
    CONFIG_FILE,
    METRICS_FILE,
    NEWEST,
    STATE_FILE,
    WEIGHTS_FILE,
    data_folder,
    expand,
    newest_run,
    runs_folder,
    trained_runs,
    unlinked,
    unlinked_in_data,
)
from omnitwin.system.plain import FOLDER, is_link, is_plain, odd, read_text

NAMED = 3  # runs that a hint names
BUNDLED_WEIGHTS = Path(os.path.realpath(Path(__file__).parent / "weights" / "bundled.safetensors"))
LARGEST_WEIGHTS = 1 << 32  # bytes that are read to know a network again; the largest published network has 50 million
READ = (CONFIG_FILE, METRICS_FILE, STATE_FILE, WEIGHTS_FILE, BEST_FILE)  # of a run's files: those that are read again
FILE = "default.json"  # in the data folder
FORMAT, FORMAT_VERSION = "omnitwin-default", 2  # 1 had no digest, so any weights of that name could answer
HINT = "Choose again: omnitwin use NAME, or: omnitwin use bundled"


@dataclass(frozen=True)
class Choice:
    """The default network.

    name: a run's name, an absolute path, or `bundled`
    sha256: digest of its weights file, or None for `bundled`
    """

    name: str
    sha256: str | None

    def __post_init__(self) -> None:
        pinned = self.sha256 is None if self.name == BUNDLED else re.fullmatch("[0-9a-f]{64}", self.sha256 or "")
        if not isinstance(self.name, str) or not self.name or not pinned:
            raise ValueError("a choice needs a name and, unless it is bundled, a SHA-256")


def read_default() -> Choice:
    """Return the choice of `omnitwin use`, else the bundled weights. Raises BadCheckpoint if its file is damaged."""
    try:
        path = data_folder() / FILE
    except CannotRun:  # a user without a home folder cannot have chosen any
        return Choice(BUNDLED, None)
    try:
        record = json.loads(read_text(path))
        kind, version = record["format"], record["format_version"]
        if (kind, version) == (FORMAT, FORMAT_VERSION):
            return Choice(record["checkpoint"], record["sha256"])
    except FileNotFoundError:
        return Choice(BUNDLED, None)
    except OSError as error:
        raise BadCheckpoint(f"{path} cannot be read: {error.strerror or error}", HINT) from error
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise BadCheckpoint(f"{path} cannot be read: {error!r}", HINT) from error
    raise BadCheckpoint(
        f"{path} is {kind!r} version {version!r}; this omnitwin reads {FORMAT} version {FORMAT_VERSION}", HINT
    )


def write_default(choice: Choice) -> None:
    """Make a choice the default, in a file that is complete or absent. Raises CannotWrite."""
    record = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "checkpoint": choice.name,
        "sha256": choice.sha256,
    }
    write_text(data_folder() / FILE, json.dumps(record, sort_keys=True) + "\n")


def locate_checkpoint(name: str | None) -> Path:
    """Return the weights file of a path, a run's name, `newest`, `bundled`, or the default (None).

    A run with a best checkpoint stands for that one, else for its last. Raises BadCheckpoint if nothing has that name.
    """
    if name is None:
        return _default()
    if name == BUNDLED:
        return BUNDLED_WEIGHTS
    found = find_run(None if name == NEWEST else name)
    if found is None:
        if name == NEWEST:
            raise BadCheckpoint("no trained network yet")
        raise BadCheckpoint(f"no run or file is called {name}", offered(name, [run.name for run in trained_runs()]))
    return _weights_of(found)


def offered(name: str, names: Sequence[str]) -> str | None:
    """Return a hint for a name that is not among these: the close ones, else the first few; None if there are none."""
    from difflib import get_close_matches  # only a mistake needs it

    if not names:
        return None
    if close := get_close_matches(name, names, n=NAMED, cutoff=0.5):
        return f"Did you mean {' or '.join(close)}? All runs: omnitwin runs"
    more = f" and {len(names) - NAMED:,} more (omnitwin runs)" if len(names) > NAMED else ""
    return f"Runs here: {', '.join(names[:NAMED])}{more}."


def find_run(name: str | None) -> Path | None:
    """Return the file or folder of a path or a run's name, or the newest run for None; None if there is none.

    A path comes before a run of that name, unless it is a folder without a run. It may be a link, but nothing below
    home, and no file in a run. Raises BadInput for an empty name, which as a
    path would mean the current folder, CannotRun for a link below home, BadCheckpoint for a link or a pipe among the
    run's files.
    """
    if name is None:
        found = newest_run()
    elif not name:
        raise BadInput("an empty word names no run and no file", "List the runs: omnitwin runs")
    else:
        path = expand(name)
        found = unlinked_in_data(path) if _exists(path) else None
        if found is None or (path.name == name and _is_other_folder(path)):  # `products` are images, and a run's name
            found = _stored(name) or found
    if found is not None and found.is_dir():
        check_files(found)
    return found


def _stored(name: str) -> Path | None:
    """Return the run of that name in the runs folder, or None. Raises CannotRun for a link below that folder."""
    run = runs_folder()
    for part in Path(name).parts:
        run = unlinked(run / part)
    return run if _exists(run) else None


def _is_other_folder(path: Path) -> bool:
    """Return whether a path is a folder that has none of a run's files."""
    with suppress(OSError):
        return path.is_dir() and not any(os.path.lexists(path / name) for name in READ)
    return False


def check_files(run: Path) -> None:
    """Raise BadCheckpoint if a file of a run is a link, a pipe or a device: whoever made it may lead anywhere."""
    for name in READ:
        with suppress(OSError):
            reason = odd(run / name)
            if reason not in (None, FOLDER):
                raise BadCheckpoint(f"{run / name} cannot be used: {reason}", "Put the file itself there.")


def _exists(path: Path) -> bool:
    """Return False also for a name that no file system takes, and for a folder that may not be read."""
    with suppress(OSError):
        return path.exists()
    return False


def _default() -> Path:
    """Return the default network's file. Raises BadCheckpoint if the chosen one is missing or has changed."""
    choice = read_default()
    if choice.name == BUNDLED:
        return BUNDLED_WEIGHTS
    try:
        chosen = Path(choice.name) if os.path.isabs(choice.name) else _stored(choice.name)
        if chosen is None or not chosen.exists():
            raise BadCheckpoint("it is gone")
        if chosen.is_dir():
            check_files(chosen)
        weights = _weights_of(chosen)
        if digest(weights, "sha256", LARGEST_WEIGHTS) == choice.sha256:
            return weights
    except (OSError, BadCheckpoint) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadCheckpoint(
            f"the default network, {choice.name}, cannot be used: {reason}",
            "Choose another: omnitwin use NAME, or: omnitwin use bundled",
        ) from error
    raise BadCheckpoint(
        f"the default network, {choice.name}, has changed since it was chosen",
        f"To take it as it is now: omnitwin use {shlex.quote(choice.name)}, or else: omnitwin use bundled",
    )


def _weights_of(found: Path) -> Path:
    if not found.is_dir():
        return Path(os.path.realpath(found)) if is_link(found) else found
    weights = next((found / name for name in (BEST_FILE, WEIGHTS_FILE) if is_plain(found / name)), None)
    if weights is None:
        raise BadCheckpoint(f"{found} holds no {WEIGHTS_FILE}")
    return weights


def folder_of(name: str, weights: Path) -> Path:
    """Return the folder of the run that locate_checkpoint found by that name: where a link is, not what it leads to."""
    path = expand(name)
    return path.parent if path.is_symlink() and not path.is_dir() else weights.parent


def trained_network(path: Path, description: Description) -> TrainedNetwork:
    """Return a report's record of the network in a weights file."""
    return TrainedNetwork(
        checkpoint=path,
        bundled=path == BUNDLED_WEIGHTS,
        recipe=description.recipe_name,
        iteration=description.iteration,
        iterations=description.iterations,
    )
