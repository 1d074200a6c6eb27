"""Reports of `runs`: the stored runs, and the runs that were renamed or removed."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class StoredRun:
    """A run in the runs folder. A field is None if the files lack it; problem then says why.

    data: name of the image set that it was trained on
    iteration: iterations done at the last checkpoint; iterations: those that the recipe asked for
    held_out_eer: the lowest equal error rate on the held-out alphabets
    changed: when its files were written last, in UTC (ISO 8601); age: seconds since then
    bytes: of all its files
    chosen: whether it answers without --checkpoint
    holder: the process that writes there now
    """

    name: str
    folder: Path
    recipe: str | None
    data: str | None
    iteration: int | None
    iterations: int | None
    held_out_eer: float | None
    changed: str
    age: float
    bytes: int
    chosen: bool
    holder: str | None
    problem: str | None


@dataclass(frozen=True, kw_only=True)
class RunList:
    """The runs in a folder, the newest first."""

    folder: Path
    runs: tuple[StoredRun, ...]


@dataclass(frozen=True, kw_only=True)
class Renaming:
    """A run's new name. chosen: whether the run answers without --checkpoint, before and after"""

    old: str
    new: str
    folder: Path
    chosen: bool


@dataclass(frozen=True, kw_only=True)
class Removal:
    """The runs that were removed. bytes: their size on the disk"""

    removed: tuple[str, ...]
    bytes: int
