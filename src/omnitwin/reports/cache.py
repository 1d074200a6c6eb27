"""Reports of `cache`: pictures that are kept decoded, and those that were removed."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class CachedPictures:
    """The decoded pictures of a place as networks with one view see them. A field is None if the files lack it."""

    key: str  # name of the folder
    folder: Path
    place: str | None  # the folder or table whose images they are
    gone: bool  # whether it is no longer there
    height: int | None  # pixels of each picture
    width: int | None
    channels: int | None  # 1 is grey, 3 is in colour
    frame: str | None  # photo, ink or whole
    images: int | None
    bytes: int  # of all files
    age: float | None  # seconds since they were first decoded
    unused: float | None  # seconds since they were last used
    holder: str | None  # the process that writes there now
    problem: str | None  # why a field is None, or why they were not removed


@dataclass(frozen=True, kw_only=True)
class CacheList:
    """The pictures that are kept decoded, the last used first."""

    folder: Path
    stores: tuple[CachedPictures, ...]
    bytes: int


@dataclass(frozen=True, kw_only=True)
class CacheClearing:
    """What was removed from the cache, or would be in a dry run."""

    dry_run: bool
    removed: tuple[CachedPictures, ...]
    kept: tuple[CachedPictures, ...]  # that could not be removed
    bytes: int  # of what was removed
