"""The index of a picture store: a safetensors file that says which row of pixels is of which file, and what is known.

    index = read_index(folder, view)   # None if there is none; raises DatasetCorrupt

    N entries

Each entry is a record of fixed size, so that a hundred thousand are read in a moment. Names and problems are bytes, one
after the other, and where each ends. It is written whole and takes the place of the one before in one step.
"""

import os
import re
import secrets
import zlib
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from omnitwin.data.listing import ListedFile
from omnitwin.errors import DatasetCorrupt
from omnitwin.images.facts import ImageFacts
from omnitwin.metrics.arrays import Array
from omnitwin.recipes import View
from omnitwin.system import tensorfile
from omnitwin.system.plain import odd

FORMAT, FORMAT_VERSION = "omnitwin-picture-store", 1
INDEX = "index.safetensors"
LEAKS = "leaks.json"  # of data.leaks
PIXELS = re.compile("pixels-[0-9a-f]{16}")  # a name for each file of pixels: none is ever written over
LARGEST = 1 << 32  # bytes of an index: some fourteen million files
MOST_PIXELS = 1 << 28  # of a row, in all channels
LATEST = 2.0**40  # seconds since 1970
NO_ROW = -1
COLOURED, INK, BLANK = 1, 2, 4  # flags
ENTRY = np.dtype(
    [
        ("state", "<i8", 3),  # of images.packing
        ("row", "<i8"),  # of the pixels; NO_ROW: there is a problem instead
        ("hash", "<u8"),
        ("crc", "<u4"),  # of the row's pixels
        ("width", "<i4"),
        ("height", "<i4"),
        ("flags", "u1"),
        ("digest", "u1", 16),
        ("thumb", "u1", 192),
    ]
)


@dataclass(kw_only=True)
class Index:
    """What a store knows of its files.

    place: the folder or table that the files are listed in, its real path
    pixels, rows: name of the file of pixels, and its rows: also those of files that are gone
    made: when it was made, in seconds since 1970
    readers: versions of the libraries that decode, as which files are broken depends on them
    keys: each file's path and box, as bytes (key_of)
    problems: why a file has no row, by the place of its entry
    """

    place: str
    view: View
    pixels: str
    readers: str
    made: float
    rows: int = 0
    keys: list[bytes] = field(default_factory=list)
    entries_N: Array = field(default_factory=lambda: np.zeros(0, ENTRY))
    problems: dict[int, str] = field(default_factory=dict)

    def places(self) -> dict[bytes, int]:
        """Return the place of each key's entry."""
        return {key: place for place, key in enumerate(self.keys)}

    def forget(self, keys: Container[bytes]) -> None:
        """Remove entries. Their rows stay, and belong to nobody."""
        kept = [place for place, key in enumerate(self.keys) if key not in keys]
        self.problems = {new: self.problems[old] for new, old in enumerate(kept) if old in self.problems}
        self.keys = [self.keys[place] for place in kept]
        self.entries_N = self.entries_N[kept]

    def add(self, new: "NewEntries") -> None:
        """Add entries, whose rows follow those that are there."""
        start = len(self.keys)
        self.keys += new.keys
        self.entries_N = np.concatenate([self.entries_N, np.array(new.entries, ENTRY)])
        self.problems |= {start + place: problem for place, problem in new.problems.items()}
        self.rows += new.rows

    def renumber(self, pixels: str, live_L: Array) -> None:
        """Take another file of pixels, which has the rows of these entries in this order."""
        self.pixels, self.rows = pixels, len(live_L)
        self.entries_N["row"][live_L] = np.arange(len(live_L))


class NewEntries:
    """What decoding has shown of some files that no index knows yet."""

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.entries: list[Any] = []
        self.problems: dict[int, str] = {}
        self.rows = 0

    def add(self, key: bytes, found: dict[str, Any], row: int) -> None:
        """Add what images.packing.pack_record returned. row: of the pixels, if there is no problem"""
        entry = np.zeros((), ENTRY)
        entry["state"] = found["state"]
        if "problem" in found:
            entry["row"] = NO_ROW
            self.problems[len(self.keys)] = found["problem"]
        else:
            self.rows += 1
            entry["row"] = row
            entry["flags"] = COLOURED * found["coloured"] | INK * found["ink"] | BLANK * found["blank"]
            for name in ("hash", "crc", "width", "height"):
                entry[name] = found[name]
            for name in ("digest", "thumb"):
                entry[name] = np.frombuffer(bytes.fromhex(found[name]), np.uint8)
        self.keys.append(key)
        self.entries.append(entry[()])


def row_bytes(view: View) -> int:
    """Return the bytes of a picture's pixels."""
    return view.channels * view.height * view.width


def new_pixels() -> str:
    """Return a name for a file of pixels that no other has."""
    return f"pixels-{secrets.token_hex(8)}"


def key_of(file: ListedFile) -> bytes:
    """Return the path and the box of a file as bytes, which even a name of no encoding has."""
    name = file.path.encode("utf-8", "surrogatepass")
    return name if file.box is None else b"%s\0%d %d %d %d" % (name, *file.box)


def has_box(key: bytes) -> bool:
    """Return whether a key is of a part of a file."""
    return b"\0" in key


def path_of(key: bytes) -> str:
    """Return the path in a key."""
    name = key.partition(b"\0")[0]
    try:
        return name.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:  # no name of ours: an index by somebody else
        return name.decode("utf-8", "replace")


def facts_of_entry(entry: Any) -> ImageFacts:
    """Return the facts of a file that has a row."""
    return ImageFacts(
        width=int(entry["width"]),
        height=int(entry["height"]),
        coloured=bool(entry["flags"] & COLOURED),
        ink=bool(entry["flags"] & INK),
        blank=bool(entry["flags"] & BLANK),
        digest=entry["digest"].tobytes(),
        hash=int(entry["hash"]),
        thumb=entry["thumb"].tobytes(),
    )


def write_index(folder: Path, index: Index) -> None:
    """Write an index into its folder. Raises CannotWrite."""
    names, name_end_N = _joined(index.keys)
    places = sorted(index.problems)
    texts, problem_end_P = _joined([index.problems[place].encode("utf-8", "replace") for place in places])
    arrays = {
        "entries": index.entries_N.view(np.uint8).reshape(len(index.keys), ENTRY.itemsize),
        "names": names,
        "name_end": name_end_N,
        "problems": texts,
        "problem_end": problem_end_P,
        "problem_place": np.array(places, np.int64),
    }
    record = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "place": index.place,
        "view": vars(index.view),
        "pixels": index.pixels,
        "readers": index.readers,
        "made": index.made,
        "rows": index.rows,
        "crc32": _checksum(arrays),
        "images": int((index.entries_N["row"] != NO_ROW).sum()),
    }
    tensorfile.save_arrays(folder / INDEX, arrays, record)


def read_head(folder: Path) -> dict[str, Any] | None:
    """Return the checked record of an index, and read no more of it; None if there is none. Raises DatasetCorrupt."""
    path = folder / INDEX
    try:
        if not os.path.lexists(path):
            return None
        if problem := odd(path) or tensorfile.header_problem(path):
            raise DatasetCorrupt(f"{path} cannot be used: {problem}")
        with safe_open(path, framework="numpy") as file:
            return _checked_record(tensorfile.read_record(file))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise DatasetCorrupt(f"{path} cannot be used: {error}") from error


def read_index(folder: Path) -> Index | None:
    """Return the index in a folder, or None if there is none. Raises DatasetCorrupt if it is damaged or not ours."""
    record = read_head(folder)
    if record is None:
        return None
    path = folder / INDEX
    try:
        if path.lstat().st_size > LARGEST:
            raise DatasetCorrupt(f"{path} has more than {LARGEST:,} bytes")
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in _checked_layout(tensorfile.layout_of(file))}
        if _checksum(arrays) != record["crc32"]:
            raise ValueError("it is damaged")
        index = Index(
            place=record["place"],
            view=View(**record["view"]),
            pixels=record["pixels"],
            readers=record["readers"],
            made=record["made"],
            rows=record["rows"],
            keys=_split(arrays["names"], arrays["name_end"]),
            entries_N=arrays["entries"].reshape(-1).view(ENTRY).copy(),
        )
        texts = _split(arrays["problems"], arrays["problem_end"])
        places = arrays["problem_place"].tolist()
        index.problems = {place: text.decode() for place, text in zip(places, texts, strict=True)}
        _check_entries(index, folder / index.pixels)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise DatasetCorrupt(f"{path} cannot be used: {error}") from error
    return index


def _checked_record(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record whose values have the right types. Raises KeyError, TypeError or ValueError."""
    if (record["format"], record["format_version"]) != (FORMAT, FORMAT_VERSION):
        raise ValueError(f"it has format {record['format']} {record['format_version']}")
    view = record["view"]
    numbers = [view[name] for name in ("height", "width", "channels")]
    words = [record["place"], record["readers"], record["pixels"], view["frame"]]
    if not all(type(number) is int and number > 0 for number in numbers) or not all(isinstance(w, str) for w in words):
        raise TypeError("its record has values of a wrong type")
    counts = [record["rows"], record["images"]]
    if numbers[0] * numbers[1] * numbers[2] > MOST_PIXELS or not all(type(n) is int and n >= 0 for n in counts):
        raise ValueError("its record has values that cannot be")
    if type(record["made"]) is not float or not 0 <= record["made"] < LATEST:
        raise ValueError("it was made at no time")
    if not PIXELS.fullmatch(record["pixels"]):
        raise ValueError("it names a file of pixels that is none")
    View(**view)
    return record


def _checked_layout(found: tensorfile.Layout) -> tuple[str, ...]:
    """Return the names of the arrays. Raises ValueError or KeyError unless their shapes fit each other."""
    count, problems = found["name_end"][0], found["problem_end"][0]
    wanted: tensorfile.Layout = {
        "entries": ((*count, ENTRY.itemsize), "uint8"),
        "names": (found["names"][0], "uint8"),
        "name_end": (count, "int64"),
        "problems": (found["problems"][0], "uint8"),
        "problem_end": (problems, "int64"),
        "problem_place": (problems, "int64"),
    }
    if found != wanted or any(len(found[name][0]) != 1 for name in wanted if name != "entries"):
        raise ValueError("its arrays do not fit each other")
    return tuple(wanted)


def _check_entries(index: Index, pixels: Path) -> None:
    """Raise ValueError or OSError unless every entry has a row of pixels that is there, or a problem."""
    rows_N = index.entries_N["row"]
    good_N = rows_N != NO_ROW
    if len(set(index.keys)) != len(index.keys) or set(np.flatnonzero(~good_N).tolist()) != set(index.problems):
        raise ValueError("its entries do not fit each other")
    sides_N = np.minimum(index.entries_N["width"], index.entries_N["height"])
    if rows_N.min(initial=0) < NO_ROW or rows_N.max(initial=NO_ROW) >= index.rows or sides_N[good_N].min(initial=1) < 1:
        raise ValueError("its entries have values that cannot be")
    if reason := odd(pixels):
        raise ValueError(f"the pixels cannot be used: {reason}")
    if pixels.lstat().st_size < index.rows * row_bytes(index.view):
        raise ValueError("rows of pixels are missing")


def _checksum(arrays: Mapping[str, Array]) -> int:
    """Return the CRC-32 of arrays in the order of their names."""
    total = 0
    for name in sorted(arrays):
        total = zlib.crc32(arrays[name].tobytes(), total)
    return total


def _joined(texts: Sequence[bytes]) -> tuple[Array, Array]:
    """Return texts one after the other, and where each ends."""
    ends_N = np.cumsum([len(text) for text in texts], dtype=np.int64)
    return np.frombuffer(b"".join(texts), np.uint8), ends_N


def _split(joined: Array, ends_N: Array) -> list[bytes]:
    """Return the texts that _joined joined. Raises ValueError if the ends are none."""
    if len(ends_N) and ((np.diff(ends_N) < 0).any() or ends_N[0] < 0 or ends_N[-1] != len(joined)):
        raise ValueError("its names do not fit each other")
    whole, start, texts = joined.tobytes(), 0, []
    for end in ends_N.tolist():
        texts.append(whole[start:end])
        start = end
    return texts
