"""Find the test images that another part has and the held-out ones that are trained on, and remember them in a store.

Finding them takes seconds for a hundred thousand pictures, and a folder is opened by every command. The file says what
it was made from, so it holds for these pictures with these parts only.
"""

import json
from contextlib import suppress
from hashlib import sha256
from typing import Any

from omnitwin.data.duplicates import Duplicates, find_duplicates
from omnitwin.data.listing import HELD_OUT, TEST
from omnitwin.data.parts import Parts, without_leaks
from omnitwin.data.store import PictureStore
from omnitwin.data.store_index import LEAKS
from omnitwin.errors import CannotWrite
from omnitwin.system.files import write_text
from omnitwin.system.plain import LARGEST_TEXT, read_text

FORMAT, FORMAT_VERSION = "omnitwin-leaks", 2  # 1 had one division
RULES = 2  # version of data.duplicates.find_duplicates: another one finds other pictures
MOST_KEPT = 24  # divisions of a place, the newest ones: those of folds are as many as folds
LISTS = ("leaking", "trained")  # of Duplicates, that are kept


def without_leaks_of(store: PictureStore, parts: Parts) -> Parts:
    """Return parts without the test and held-out images whose picture is, exactly or nearly, elsewhere, too.

    data.parts.without_leaks says which.
    """
    if not {TEST, HELD_OUT} & set(parts.part_N):
        return parts
    key, kept = _key(store, parts), _kept(store)
    found = _sound(kept.get(key), len(store.files))
    if found is None:
        labels = [file.label for file in store.files]
        found = find_duplicates(list(store.facts), labels, parts.part_N)
        lists = {name: getattr(found, name) for name in LISTS}
        newest = dict(list(kept.items())[1 - MOST_KEPT :])
        record = {"format": FORMAT, "format_version": FORMAT_VERSION, "found": {**newest, key: lists}}
        text = json.dumps(record)
        if len(text) >= LARGEST_TEXT:
            text = json.dumps({**record, "found": {key: lists}})
        if len(text) < LARGEST_TEXT:
            with suppress(CannotWrite):  # it is found again
                write_text(store.folder / LEAKS, text)
    return without_leaks(parts, found)


def _key(store: PictureStore, parts: Parts) -> str:
    """Return a hash of what decides: what is known of each picture, and its part."""
    found = sha256(f"{RULES} {' '.join(parts.part_N)} ".encode())
    found.update(store.facts.entries_N.tobytes())
    return found.hexdigest()


def _sound(found: Any, files: int) -> Duplicates | None:
    """Return what was found before, or None if it is not there, or names other pictures than there are."""
    try:
        lists = {name: found[name] for name in LISTS}
        sound = all(type(place) is int and 0 <= place < files for places in lists.values() for place in places)
        return Duplicates(**lists) if sound else None
    except (KeyError, TypeError):
        return None


def _kept(store: PictureStore) -> dict[str, Any]:
    """Return what was found before, by key."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        record: Any = json.loads(read_text(store.folder / LEAKS))
        if (record["format"], record["format_version"]) == (FORMAT, FORMAT_VERSION):
            return dict(record["found"].items())
    return {}
