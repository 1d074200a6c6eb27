"""Which run is to be gone on with, and what it is: by its state, or where it ended before it had one, its config."""

import json
from pathlib import Path

from omnitwin.errors import BadCheckpoint, BadInput
from omnitwin.model.description import Description, read_description
from omnitwin.model.locating import find_run, offered
from omnitwin.recipes import Recipe
from omnitwin.system.paths import CONFIG_FILE, STATE_FILE, WEIGHTS_FILE, run_folders
from omnitwin.training.runlog import FORMAT, FORMAT_VERSION


def recorded(run: str | None) -> tuple[Path, Description]:
    """The folder and description of a run to resume, by path or name, or None for the newest."""
    folder = find_run(run)
    if folder is None:
        if run is None:
            raise BadCheckpoint("no run to resume")
        raise BadCheckpoint(f"no run is called {run}", offered(run, [folder.name for folder in run_folders()]))
    folder = folder if folder.is_dir() else folder.parent
    if (folder / STATE_FILE).exists() or (folder / WEIGHTS_FILE).exists():
        return folder, read_description(folder / STATE_FILE)
    return folder, read_config(folder)


def read_config(run: Path) -> Description:
    """What a run was to do, as one that has done nothing of it; BadCheckpoint where its config does not tell."""
    path = run / CONFIG_FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if (record["format"], record["format_version"]) != (FORMAT, FORMAT_VERSION):
            raise BadCheckpoint(
                f"{path} is {record['format']!r} version {record['format_version']!r}, not what is read"
            )
        return Description(
            recipe=Recipe.from_json(record["recipe"]),
            iteration=0,
            precision=record["precision"],
            dataset=record["dataset"],
            fingerprint=record["fingerprint"],
            held_out=tuple(record["held_out"]),
            metrics={},
        )
    except FileNotFoundError as error:
        raise BadCheckpoint(f"{run} holds no run to go on with") from error
    except (OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError, BadInput) as error:
        raise BadCheckpoint(f"{path} does not tell what was to be run: {error!r}") from error
