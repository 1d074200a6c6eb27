"""Which network answers where none is named: a choice of the user's in a small file, and nothing else."""

import json
import re
from dataclasses import dataclass

from omnitwin.errors import BadCheckpoint
from omnitwin.files import write_text
from omnitwin.paths import BUNDLED, data_folder

FILE = "default.json"  # in the data folder
FORMAT, FORMAT_VERSION = "omnitwin-default", 2  # 1 had no digest, so any weights of that name could answer
HINT = "Choose anew: omnitwin use NAME, or: omnitwin use bundled"


@dataclass(frozen=True)
class Choice:
    """A run's name, an absolute path or `bundled`, and the SHA-256 of its weights file (None for the bundled one)."""

    name: str
    sha256: str | None

    def __post_init__(self) -> None:
        pinned = self.sha256 is None if self.name == BUNDLED else re.fullmatch("[0-9a-f]{64}", self.sha256 or "")
        if not isinstance(self.name, str) or not self.name or not pinned:
            raise ValueError("a choice without a name, or without the SHA-256 that goes with it")


def read_default() -> Choice:
    """What `omnitwin use` chose, or else the bundled weights; BadCheckpoint for a damaged file."""
    path = data_folder() / FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
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
    record = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "checkpoint": choice.name,
        "sha256": choice.sha256,
    }
    write_text(data_folder() / FILE, json.dumps(record, sort_keys=True) + "\n")
