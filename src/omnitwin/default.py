"""Which network answers where none is named: a choice of the user's in a small file, and nothing else."""

import json

from omnitwin.errors import BadCheckpoint
from omnitwin.files import write_text
from omnitwin.paths import BUNDLED, data_folder

FILE = "default.json"  # in the data folder
FORMAT, FORMAT_VERSION = "omnitwin-default", 1


def read_default() -> str:
    """`bundled`, or what `omnitwin use` chose: a run's name or an absolute path; BadCheckpoint for a damaged file."""
    path = data_folder() / FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        kind, version, name = record["format"], record["format_version"], record["checkpoint"]
    except FileNotFoundError:
        return BUNDLED
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise BadCheckpoint(f"{path} cannot be read: {error!r}", "Choose anew: omnitwin use NAME or bundled") from error
    if (kind, version) != (FORMAT, FORMAT_VERSION) or not isinstance(name, str) or not name:
        raise BadCheckpoint(
            f"{path} is {kind!r} version {version!r}; this omnitwin reads {FORMAT} version {FORMAT_VERSION}",
            "Choose anew: omnitwin use NAME or bundled",
        )
    return name


def write_default(name: str) -> None:
    record = {"format": FORMAT, "format_version": FORMAT_VERSION, "checkpoint": name}
    write_text(data_folder() / FILE, json.dumps(record, sort_keys=True) + "\n")
