"""`omnitwin runs`: list, rename and remove the runs in the runs folder. Imports no torch.

    old = [run.name for run in list_runs().runs if run.age > 30 * 86400]
    remove_runs(old)

Only folders directly in the runs folder that hold a run of omnitwin are touched; no link is followed.
"""

import json
import os
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from omnitwin.config import check_run_name
from omnitwin.errors import BadCheckpoint, BadInput, CannotWrite, OmnitwinError
from omnitwin.model.description import HELD_OUT_EER, Description, read_description
from omnitwin.model.locating import Choice, offered, read_default, trained_network, write_default
from omnitwin.reports.operating import CALIBRATION, OperatingPoint
from omnitwin.reports.runs import Removal, Renaming, RunList, StoredRun
from omnitwin.system.locks import LOCK_FILE, comes_and_goes, hold, holder_of, private_folder
from omnitwin.system.paths import (
    BEST_FILE,
    CONFIG_FILE,
    FOLDS_FILE,
    FOLDS_FOLDER,
    METRICS_FILE,
    PAGE_FILE,
    STATE_FILE,
    WEIGHTS_FILE,
    run_folders,
    runs_folder,
)
from omnitwin.system.plain import FOLDER, NotPlain, files_below, is_plain, odd, read_text

LATEST = 253_402_300_799.0  # seconds since 1970: the end of the year 9999, the last that a date can have
WRITTEN = {  # by omnitwin, in a run's folder
    BEST_FILE,
    CONFIG_FILE,
    FOLDS_FILE,
    METRICS_FILE,
    PAGE_FILE,
    STATE_FILE,
    WEIGHTS_FILE,
}


def list_runs() -> RunList:
    """Return all stored runs, the newest first; a damaged one is listed with its problem.

    >>> [run.name for run in omnitwin.list_runs().runs]
    ['my-run']
    """
    runs = sorted((_stored(folder) for folder in run_folders()), key=lambda run: run.age)
    return RunList(folder=runs_folder(), runs=tuple(runs))


def find_runs(names: Sequence[str]) -> tuple[StoredRun, ...]:
    """Return the runs of these names, each once. Raises BadCheckpoint for a name that is none, and offers others."""
    return tuple(_stored(folder) for folder in dict.fromkeys(map(_folder_of, names)))


def rename_run(old: str, new: str) -> Renaming:
    """Rename a run; if it is the one that `omnitwin use` chose, it stays chosen.

    Raises BadInput for a new name that no folder can have everywhere or that is taken, FolderInUse for a run that
    another process writes.

    >>> omnitwin.rename_run("fast-20261128-120000", "my-run")
    """
    folder = _folder_of(old)
    check_run_name(new)
    target = runs_folder() / new
    if os.path.lexists(target):
        raise BadInput(f"{target} is there already", "Choose another name.")
    choice = read_default()
    chosen = _chosen_below(choice, folder)
    with _alone(folder):
        _move(folder, target)
        (target / LOCK_FILE).unlink(missing_ok=True)
    if chosen is not None:
        name = new if choice.name == folder.name else str(target / chosen)
        write_default(Choice(name, choice.sha256))
    return Renaming(old=folder.name, new=new, folder=target, chosen=chosen is not None)


def remove_runs(names: Sequence[str]) -> Removal:
    """Remove runs for good: all of them, or if one may not be removed, none.

    Raises BadInput for the run that answers without --checkpoint and for one with files that omnitwin did not write,
    FolderInUse for one that another process writes.

    >>> omnitwin.remove_runs(["my-run"])
    """
    runs = find_runs(names)
    for run in runs:
        check_removable(run)
    for run in runs:
        with _alone(run.folder), private_folder(runs_folder()) as waste:  # what is moved there goes with it
            _move(run.folder, waste / run.name)
    return Removal(removed=tuple(run.name for run in runs), bytes=sum(run.bytes for run in runs))


def check_removable(run: StoredRun) -> None:
    """Raise what remove_runs would raise for the run; nothing is removed."""
    if run.chosen:
        raise BadInput(
            f"{run.name} is the network that answers without --checkpoint (omnitwin use)",
            "Choose another first: omnitwin use bundled",
        )
    if foreign := sorted(path.name for path in run.folder.iterdir() if not _is_written_by_us(path)):
        raise BadInput(f"{run.folder} also holds {', '.join(foreign[:3])}", "Move that away, or remove it yourself.")
    with _alone(run.folder):
        pass


def _is_written_by_us(path: Path) -> bool:
    """Return whether a run's command wrote it, by its name; never for a link or a folder of somebody else's."""
    if path.name == FOLDS_FOLDER and odd(path) == FOLDER:
        return all(_is_written_by_us(Path(entry)) for entry in files_below(path))
    return comes_and_goes(path) or (path.name in WRITTEN and is_plain(path))


def _folder_of(name: str) -> Path:
    """Return the folder of a run. Raises BadCheckpoint unless a run of that name is directly in the runs folder."""
    folder = runs_folder() / name
    if folder in run_folders():
        return folder
    names = [run.name for run in run_folders()]
    raise BadCheckpoint(f"no run is called {name}", offered(name, names) or f"There are none in {runs_folder()}.")


def _stored(folder: Path) -> StoredRun:
    description, problem = None, None
    config: dict[str, Any] = {}
    try:
        description = _described(folder)
        if description is None:
            first = folder / FOLDS_FOLDER / "1" / CONFIG_FILE  # of folds that are under way
            record = json.loads(read_text(first if os.path.lexists(first) else folder / CONFIG_FILE))
            config = {**record["recipe"], "dataset": record["dataset"]}
    except OmnitwinError as error:
        problem = str(error)
    except NotPlain as error:
        problem = f"{folder / CONFIG_FILE} cannot be used: {error.strerror}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        problem = f"{folder / CONFIG_FILE} cannot be read: {error!r}"
    network = trained_network(folder, description) if description else None
    changed, size = 0.0, 0
    try:
        changed, size = written(Path(entry) for entry in files_below(folder))
    except OSError as error:
        problem = problem or f"{folder} cannot be read: {error.strerror or error}"
    with suppress(OmnitwinError, OSError):
        best = read_description(folder / BEST_FILE) if is_plain(folder / BEST_FILE) else description
        description = best or description
    return StoredRun(
        name=folder.name,
        folder=folder,
        recipe=network.recipe if network else _text(config.get("name")),
        data=description.dataset if description else _text(config.get("dataset")),
        iteration=network.iteration if network else None if problem else 0,
        iterations=network.iterations if network else _number(config.get("iterations")),
        held_out_eer=description.metrics.get(HELD_OUT_EER) if description else None,
        changed=datetime.fromtimestamp(changed, UTC).isoformat(timespec="seconds"),
        age=max(0.0, time.time() - changed),
        bytes=size,
        chosen=_is_chosen(folder),
        holder=holder_of(folder),
        problem=problem,
        calibrated=_calibrated(description),
    )


def _calibrated(description: Description | None) -> OperatingPoint | None:
    point = description.operating if description else None
    return point if point is not None and point.chosen_on == CALIBRATION else None


def written(paths: Iterable[Path]) -> tuple[float, int]:
    """Return when omnitwin last wrote one of a run's paths (0.0: never), and the bytes of the files among them.

    A path that is gone by now is passed over: a run that is being saved has files that come and go. Raises OSError.
    """
    changed, size = 0.0, 0
    for path in paths:
        with suppress(FileNotFoundError, NotADirectoryError):
            there = path.lstat()
            if path.name in WRITTEN:
                changed = min(max(changed, there.st_mtime), LATEST)
            if stat.S_ISREG(there.st_mode):
                size += there.st_size
    return changed, size


def _described(folder: Path) -> Description | None:
    """Return what the run's last checkpoint says of itself, or None before the first."""
    for name in (STATE_FILE, WEIGHTS_FILE):
        if os.path.lexists(folder / name) and odd(folder / name) != FOLDER:
            return read_description(folder / name)
    return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _is_chosen(folder: Path) -> bool:
    with suppress(BadCheckpoint):  # a damaged choice: `omnitwin use` tells how to mend it
        return _chosen_below(read_default(), folder) is not None
    return False


def _chosen_below(choice: Choice, folder: Path) -> Path | None:
    """Return the path below a run's folder that the default network is at, or None if it is elsewhere."""
    chosen = runs_folder() / choice.name  # a run's name, or an absolute path
    with suppress(ValueError):
        return chosen.relative_to(folder)
    return None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a run's folder. Raises FolderInUse if another process writes there."""
    if os.name == "nt":  # no folder with an open file can be moved there: the lock is only tried
        with hold(folder):
            pass
        yield
        return
    with hold(folder):
        yield


def _move(folder: Path, target: Path) -> None:
    try:
        folder.rename(target)
    except OSError as error:
        raise CannotWrite(f"cannot move {folder}: {error.strerror or error}") from error
