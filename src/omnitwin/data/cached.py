"""List the picture stores in the cache folder, and remove them. Nothing but what data.store writes is ever removed."""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from omnitwin.data.store_index import INDEX, LEAKS, PIXELS, read_head
from omnitwin.errors import BadInput, CannotWrite, DatasetCorrupt, FolderInUse
from omnitwin.reports.cache import CacheClearing, CachedPictures, CacheList
from omnitwin.system.locks import hold, holder_of
from omnitwin.system.paths import picture_folders, pictures_folder


def list_cache(places: Sequence[str | os.PathLike[str]] = (), unused: float = 0.0) -> CacheList:
    """Return the pictures that are kept decoded in the cache folder.

    places: folders or tables of images, or keys of the list; without any, all
    unused: seconds for which they have not been used, at least

    Raises BadInput if nothing is kept of a place.

    >>> omnitwin.list_cache().stores[0].place
    '/home/me/products'
    """
    found = [_stored(folder) for folder in picture_folders()]
    if places:
        wanted: set[str] = set()
        for place in places:
            of_place = {each.key for each in found if place == each.key or os.path.realpath(place) == each.place}
            if not of_place:
                raise BadInput(
                    f"the cache keeps no pictures of {os.fspath(place)}", "See what it keeps: omnitwin cache"
                )
            wanted |= of_place
        found = [each for each in found if each.key in wanted]
    found = [each for each in found if (each.unused or 0.0) >= unused]
    found.sort(key=lambda each: (each.unused or 0.0, each.key))
    return CacheList(folder=pictures_folder(), stores=tuple(found), bytes=sum(each.bytes for each in found))


def clear_cache(
    places: Sequence[str | os.PathLike[str]] = (), unused: float = 0.0, dry_run: bool = False
) -> CacheClearing:
    """Remove decoded pictures from the cache folder; they are decoded again when they are needed.

    places, unused: which, as in list_cache
    dry_run: remove nothing, and return what would be removed

    >>> omnitwin.clear_cache(["products"]).bytes
    49100000
    """
    removed, kept = [], []
    for each in list_cache(places, unused).stores:
        problem = None if dry_run else _remove(each.folder)
        if problem is None:
            removed.append(each)
        else:
            kept.append(replace(each, problem=problem))
    size = sum(each.bytes for each in removed)
    return CacheClearing(dry_run=dry_run, removed=tuple(removed), kept=tuple(kept), bytes=size)


def _stored(folder: Path) -> CachedPictures:
    head: dict[str, Any] = {}
    problem = None
    try:
        head = read_head(folder) or {}
    except DatasetCorrupt as error:
        problem = str(error)
    size, used = 0, None
    for path in _ours(folder):
        with suppress(OSError):
            there = path.lstat()
            size += there.st_size
            used = max(used or 0.0, there.st_mtime)
    view, now = head.get("view", {}), time.time()
    return CachedPictures(
        key=folder.name,
        folder=folder,
        place=head.get("place"),
        gone="place" in head and not os.path.exists(head["place"]),
        height=view.get("height"),
        width=view.get("width"),
        channels=view.get("channels"),
        frame=view.get("frame"),
        images=head.get("images"),
        bytes=size,
        age=max(0.0, now - head["made"]) if head else None,
        unused=None if used is None else max(0.0, now - used),
        holder=holder_of(folder),
        problem=problem,
    )


def _ours(folder: Path) -> list[Path]:
    """Return what data.store writes into a store's folder, by the names, the index first."""
    try:
        found = sorted(folder.iterdir())
    except OSError:
        return []
    return [path for path in found if path.name in (INDEX, LEAKS) or PIXELS.fullmatch(path.name)]


def _remove(folder: Path) -> str | None:
    """Remove a store, or return why not."""
    try:
        with hold(folder):
            for path in _ours(folder):
                path.unlink()
        foreign = sorted(path.name for path in folder.iterdir())
        if not foreign:
            folder.rmdir()
    except (FolderInUse, CannotWrite) as error:
        return str(error)
    except OSError as error:
        return f"{folder} cannot be removed: {error.strerror or error}"
    return f"{folder} also holds {', '.join(foreign[:3])}" if foreign else None
