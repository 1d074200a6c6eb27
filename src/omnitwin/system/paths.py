"""The folders of omnitwin: data that can be fetched or made again in the cache, trained networks in the data folder.

Set `OMNITWIN_HOME` (or give `omnitwin --home`) to keep both in a folder of your own.
"""

import os
import re
import stat
from contextlib import suppress
from pathlib import Path

from platformdirs import PlatformDirs

from omnitwin.errors import CannotRun
from omnitwin.system.plain import is_folder, is_link, is_plain

HOME_VARIABLE = "OMNITWIN_HOME"
OFFLINE = "OMNITWIN_OFFLINE"  # the variable that forbids the network
WEIGHTS_FILE = "weights.safetensors"  # in a run's folder: what `compare` and `eval` need
BEST_FILE = "best.safetensors"  # beside it: the best by the held-out exam, if the recipe holds out
STATE_FILE = "state.safetensors"  # in a run's folder: what `train --resume` needs
CONFIG_FILE = "config.json"
METRICS_FILE = "metrics.jsonl"
FOLDS_FOLDER, FOLDS_FILE = "folds", "folds.json"  # in a run's folder: the folds under way, and what they said
PAGE_FILE = "report.html"  # in a run's folder: the page that `report` writes
INDEX_FILE = "embeddings.safetensors"  # in an index's folder: its images as a network embedded them
KEY = re.compile("[0-9a-f]{16}")  # the name of a store of decoded pictures
NEWEST, BUNDLED = "newest", "bundled"  # names of checkpoints that are neither a path nor a run


def expand(path: str) -> Path:
    """Return a path with `~` replaced by the home folder; `~unknown` stays as it is."""
    return Path(os.path.expanduser(path))


def is_endless(path: Path) -> bool:
    """Return whether a path is a pipe or a device, so that reading it may never end. False if it does not exist."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def cache_folder() -> Path:
    """Return the folder of downloaded and packed data, which may be deleted at any time. Raises CannotRun."""
    return _folder("cache")


def data_folder() -> Path:
    """Return the folder of runs and of the default network's name. Raises CannotRun."""
    return _folder("data")


def _folder(kind: str) -> Path:
    """Return the `cache` or `data` folder. Raises CannotRun if it is a link, or there is no home."""
    folder = _place(kind)
    return unlinked(folder) if os.environ.get(HOME_VARIABLE) else folder


def _place(kind: str) -> Path:
    """Return where the folder is. Raises CannotRun if OMNITWIN_HOME is not set and the user has no home."""
    if home := os.environ.get(HOME_VARIABLE):
        return expand(home) / kind
    folder = Path("~")
    with suppress(RuntimeError):
        folder = Path(getattr(PlatformDirs("omnitwin", appauthor=False), f"user_{kind}_dir"))
    if not folder.is_absolute():
        raise CannotRun("this user has no home folder", f"Say where to keep things: --home FOLDER, or {HOME_VARIABLE}.")
    return folder


def unlinked(folder: Path) -> Path:
    """Return a folder of omnitwin's own. Raises CannotRun if it is a link: whoever made home may lead anywhere."""
    if is_link(folder):
        raise CannotRun(
            f"{folder} is a link to {os.readlink(folder)}, and no link below home is followed",
            f"Name the place itself: --home FOLDER, or {HOME_VARIABLE}.",
        )
    return folder


def unlinked_in_data(path: Path) -> Path:
    """Return a path that the user names. Raises CannotRun for a link on the way to it from the data folder on."""
    try:
        data = _place("data")
    except CannotRun:  # without a home nothing is in it
        return path
    full = Path(os.path.abspath(path))
    for base in (Path(os.path.abspath(data)), Path(os.path.realpath(data.parent), data.name)):
        if full.is_relative_to(base):
            place = data_folder()
            for part in full.relative_to(base).parts:
                place = unlinked(place / part)
    return path


def omniglot_folder() -> Path:
    """Return the folder of Omniglot, named as in torchvision so that both find the same zips. Raises CannotRun."""
    return unlinked(cache_folder() / "omniglot-py")


def pictures_folder() -> Path:
    """Return the folder that holds a folder for each store of decoded pictures. Raises CannotRun."""
    return unlinked(cache_folder() / "pictures")


def picture_folders() -> list[Path]:
    """Return the folders of all stores of decoded pictures, sorted by name. Links don't count. Raises CannotRun."""
    try:
        with os.scandir(pictures_folder()) as inside:
            return sorted(Path(entry.path) for entry in inside if KEY.fullmatch(entry.name) and is_folder(entry))
    except OSError:  # there is none, or it may not be read
        return []


def runs_folder() -> Path:
    """Return the folder that holds a folder for each run. Raises CannotRun."""
    return unlinked(data_folder() / "runs")


def run_folders() -> list[Path]:
    """Return the folders of all runs, with and without weights, sorted by name. Links and hidden ones don't count."""
    try:
        with os.scandir(runs_folder()) as inside:
            folders = [Path(entry.path) for entry in inside if not entry.name.startswith(".") and is_folder(entry)]
    except OSError:  # there is none, or it may not be read
        return []
    marks = (CONFIG_FILE, WEIGHTS_FILE, STATE_FILE, FOLDS_FOLDER)
    return sorted(folder for folder in folders if any(os.path.lexists(folder / name) for name in marks))


def indexes_folder() -> Path:
    """Return the folder that holds a folder for each index of images. Raises CannotRun."""
    return unlinked(data_folder() / "indexes")


def index_folders() -> list[Path]:
    """Return the folders of all indexes, finished or not, sorted by name. Links and hidden ones don't count."""
    try:
        with os.scandir(indexes_folder()) as inside:
            return sorted(Path(entry.path) for entry in inside if not entry.name.startswith(".") and is_folder(entry))
    except OSError:  # there is none, or it may not be read
        return []


def is_over_folds(run: Path) -> bool:
    """Return whether a run's folder is of a training over folds of classes."""
    return os.path.lexists(run / FOLDS_FOLDER) or os.path.lexists(run / FOLDS_FILE)


def trained_runs() -> list[Path]:
    """Return the folders of all runs that have weights, sorted by name."""
    return [run for run in run_folders() if is_plain(run / WEIGHTS_FILE)]


def newest_run() -> Path | None:
    """Return the folder of the run whose weights were written last, or None if there is no run."""
    return max(trained_runs(), key=lambda run: (run / WEIGHTS_FILE).lstat().st_mtime_ns, default=None)


def is_set(variable: str) -> bool:
    """Return whether an environment variable such as OMNITWIN_OFFLINE is on: set, and neither empty nor 0."""
    return os.environ.get(variable, "") not in ("", "0")
