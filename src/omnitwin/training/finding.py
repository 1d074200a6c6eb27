"""Find the run that `--resume` names. Imports no torch."""

import os
from pathlib import Path

from omnitwin.errors import BadCheckpoint, BadInput
from omnitwin.model.description import read_description
from omnitwin.model.locating import check_files, find_run, offered
from omnitwin.reports.operating import CALIBRATION
from omnitwin.system.paths import STATE_FILE, WEIGHTS_FILE, run_folders


def run_to_resume(run: str | None) -> Path:
    """Return the folder of a run, by path or name; None: the newest.

    Raises BadCheckpoint if there is none, BadInput for a verifier that was only calibrated.
    """
    folder = find_run(run)
    if folder is None:
        if run is None:
            raise BadCheckpoint("no run to resume")
        raise BadCheckpoint(f"no run is called {run}", offered(run, [folder.name for folder in run_folders()]))
    if not folder.is_dir():
        folder = folder.parent
        check_files(folder)
    _check_trained(folder)
    return folder


def _check_trained(folder: Path) -> None:
    """Raise BadInput for a verifier that `omnitwin calibrate` wrote: it has no training to go on with."""
    weights = folder / WEIGHTS_FILE
    if not os.path.lexists(weights) or os.path.lexists(folder / STATE_FILE):
        return
    point = read_description(weights).operating
    if point is not None and point.chosen_on == CALIBRATION:
        raise BadInput(
            f"{folder.name} was calibrated (omnitwin calibrate), not trained: it has no training to go on with",
            "Resume the run that it came from, or train a new one.",
        )
