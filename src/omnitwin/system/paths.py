"""Where omnitwin keeps things: what can be made again in the cache folder, trained networks in the data folder.

`OMNITWIN_HOME` (or `omnitwin --home`) moves both under one folder.
"""

import os
import re
import stat
from contextlib import suppress
from pathlib import Path

from platformdirs import PlatformDirs

from omnitwin.errors import BadInput, CannotRun

HOME_VARIABLE = "OMNITWIN_HOME"
WEIGHTS_FILE = "weights.safetensors"  # in a run's folder: what `compare` and `eval` need
BEST_FILE = "best.safetensors"  # beside it: the best by the held-out alphabets, where the recipe holds some out
STATE_FILE = "state.safetensors"  # in a run's folder: what `train --resume` needs besides
CONFIG_FILE = "config.json"
METRICS_FILE = "metrics.jsonl"
PAGE_FILE = "report.html"  # in a run's folder: the page that `report` writes
NO_NAME = r'[<>:"/\\|?*\x00-\x1f]|[. ]\Z|^(con|prn|aux|nul|com\d|lpt\d)(\.|\Z)'  # of a file, on Windows
NEWEST, BUNDLED = "newest", "bundled"  # what stands for a checkpoint besides paths and the names of runs


def expand(path: str) -> Path:
    """A path with `~` as the home folder; what stands for nobody's home is left as it is."""
    return Path(os.path.expanduser(path))


def is_endless(path: Path) -> bool:
    """Whether a path is there and neither a file nor a folder: reading a pipe or a device may never end."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def cache_folder() -> Path:
    """Downloaded and packed data; may be deleted at any time."""
    return _folder("cache")


def data_folder() -> Path:
    """Runs and checkpoints; no clean-up of caches may reach it."""
    return _folder("data")


def _folder(kind: str) -> Path:
    """CannotRun where the user has no home, as in some containers, and none was named."""
    if home := os.environ.get(HOME_VARIABLE):
        return expand(home) / kind
    folder = Path("~")
    with suppress(RuntimeError):
        folder = Path(getattr(PlatformDirs("omnitwin", appauthor=False), f"user_{kind}_dir"))
    if not folder.is_absolute():
        raise CannotRun("this user has no home folder", f"Say where to keep things: --home FOLDER, or {HOME_VARIABLE}.")
    return folder


def omniglot_folder() -> Path:
    """Named as torchvision names it, so that both find the same zips."""
    return cache_folder() / "omniglot-py"


def runs_folder() -> Path:
    return data_folder() / "runs"


def run_folders() -> list[Path]:
    """Return the folders of all runs, also of those that stopped before they had weights, by name. No link is one."""
    found = {
        path.parent for name in (CONFIG_FILE, WEIGHTS_FILE, STATE_FILE) for path in runs_folder().glob(f"*/{name}")
    }
    return sorted(folder for folder in found if not folder.is_symlink() and not folder.name.startswith("."))


def check_run_name(name: str) -> None:
    """Raise BadInput unless a folder can have the name on every system, so that a run can be taken to any."""
    if not name or name in (NEWEST, BUNDLED) or re.search(NO_NAME, name, re.IGNORECASE):
        raise BadInput(f"{name!r} cannot name a run", "Use letters, digits, - and _.")


def trained_runs() -> list[Path]:
    """The folders of all runs that have weights, by name."""
    return sorted(path.parent for path in runs_folder().glob(f"*/{WEIGHTS_FILE}"))


def newest_run() -> Path | None:
    """The folder of the run whose weights were written last, or None."""
    return max(trained_runs(), key=lambda run: (run / WEIGHTS_FILE).stat().st_mtime_ns, default=None)


def is_set(variable: str) -> bool:
    """Whether an environment variable such as OMNITWIN_OFFLINE is on: there, and neither empty nor 0."""
    return os.environ.get(variable, "") not in ("", "0")
