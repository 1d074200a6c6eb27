"""Find the run that `--resume` names. Imports no torch."""

from pathlib import Path

from omnitwin.errors import BadCheckpoint
from omnitwin.model.locating import check_files, find_run, offered
from omnitwin.system.paths import run_folders


def run_to_resume(run: str | None) -> Path:
    """Return the folder of a run, by path or name; None: the newest. Raises BadCheckpoint if there is none."""
    folder = find_run(run)
    if folder is None:
        if run is None:
            raise BadCheckpoint("no run to resume")
        raise BadCheckpoint(f"no run is called {run}", offered(run, [folder.name for folder in run_folders()]))
    if not folder.is_dir():
        folder = folder.parent
        check_files(folder)
    return folder
