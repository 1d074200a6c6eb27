"""Reports of `runs`: the stored runs, and the runs that were renamed or removed."""

from dataclasses import dataclass
from pathlib import Path

from omnitwin.reports.operating import OperatingPoint


@dataclass(frozen=True, kw_only=True)
class StoredRun:
    """A run in the runs folder. A field is None if the files lack it."""

    name: str
    folder: Path
    recipe: str | None
    data: str | None  # name of the image set that it was trained on
    iteration: int | None  # iterations done at the last checkpoint
    iterations: int | None  # that the recipe asks for
    held_out_eer: float | None  # the lowest equal error rate on the held-out alphabets
    changed: str  # when its files were written last, in UTC (ISO 8601)
    age: float  # seconds since then
    bytes: int  # of all its files
    chosen: bool  # whether it answers without --checkpoint
    holder: str | None  # the process that writes there now
    problem: str | None  # why a field is None
    calibrated: OperatingPoint | None = None  # of a verifier that `omnitwin calibrate` wrote, its threshold's


@dataclass(frozen=True, kw_only=True)
class RunList:
    """The runs in a folder, the newest first."""

    folder: Path
    runs: tuple[StoredRun, ...]


@dataclass(frozen=True, kw_only=True)
class Renaming:
    """A run that was renamed."""

    old: str  # name before
    new: str  # name now
    folder: Path  # now
    chosen: bool  # whether it answers without --checkpoint, before and after


@dataclass(frozen=True, kw_only=True)
class Removal:
    """Runs that were removed."""

    removed: tuple[str, ...]  # names
    bytes: int  # that they took on the disk
