"""The file of an index: embeddings and the files that they are of, in one safetensors file that is complete or absent.

    write_stored(path, stored)
    read_stored(path).gallery().embedding_ND  # float32, each of length 1

N images, U unread files, D numbers in an embedding

Embeddings are kept in 16 bits, which takes half the space and changes a probability by less than 0.001. Names and
problems are bytes, one after the other, and where each ends; so no name, whatever it holds, is taken for anything else.
All else of an image has a fixed size. The record is JSON.
"""

import json
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from omnitwin.errors import BadInput
from omnitwin.gallery.gallery import Gallery, Item
from omnitwin.metrics.arrays import Array
from omnitwin.reports.answers import UnreadImage
from omnitwin.system import tensorfile
from omnitwin.system.plain import odd

FORMAT, FORMAT_VERSION = "omnitwin-index", 1
LARGEST = 1 << 36  # bytes of an index: a hundred million images
REMAKE = "Make the index again: omnitwin index FOLDER --rebuild"
MOST_FEATURES = 1 << 16  # numbers in an embedding
LEAST_LENGTH = 1e-3  # of an embedding that was of length 1 when it was written
FACTS = np.dtype(
    [
        ("sha256", "u1", 32),
        ("size", "<i8"),
        ("mtime_ns", "<i8"),
        ("width", "<i4"),
        ("height", "<i4"),
        ("reasons", "<i4"),  # place of its reasons in the record's list
    ]
)


@dataclass(frozen=True, kw_only=True)
class Head:
    """What an index says of itself.

    root: as of Gallery, an absolute path
    places: absolute paths of the files and folders that it was made of; none: a list that is not kept
    exclude: patterns of names that were left out
    weights_sha256: of the verifier's weights file
    network: name or path of that file, by which it is found again
    seeing: version of how pictures are read, as of data.store.SEEING
    updated: when the index was written, in seconds since 1970
    images: number of images
    """

    root: str
    places: tuple[str, ...]
    exclude: tuple[str, ...]
    weights_sha256: str
    network: str
    seeing: int
    updated: float
    images: int = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class Stored:
    """An index, or a part of one that is being made.

    items: sorted by name if it is a whole index
    half_ND: float16
    unread: names from the root, and problems
    """

    head: Head
    items: Sequence[Item]
    half_ND: Array
    unread: Sequence[tuple[str, str]] = field(default=())

    def gallery(self) -> Gallery:
        """Return the images with embeddings of length 1. Raises ValueError for embeddings that cannot be."""
        root = Path(self.head.root)
        return Gallery(
            root=root,
            items=tuple(self.items),
            embedding_ND=units(self.half_ND),
            unread=tuple(UnreadImage(file=root / name, problem=problem) for name, problem in self.unread),
            weights_sha256=self.head.weights_sha256,
        )


def halved(embedding_ND: Array) -> Array:
    """Return embeddings as an index keeps them, float16."""
    return embedding_ND.astype(np.float16)


def units(half_ND: Array) -> Array:
    """Return kept embeddings as float32 of length 1. Raises ValueError if one is not finite, or has no length."""
    embedding_ND = half_ND.astype(np.float32)
    length_N1 = np.sqrt(np.einsum("nd,nd->n", embedding_ND, embedding_ND))[:, None]
    if not (length_N1 > LEAST_LENGTH).all() or not np.isfinite(length_N1).all():
        raise ValueError("its embeddings are no embeddings")
    embedding_ND /= length_N1
    return embedding_ND


def write_stored(path: Path, stored: Stored) -> None:
    """Write an index in one step. Raises CannotWrite."""
    places = {reasons: place for place, reasons in enumerate(dict.fromkeys(item.reasons for item in stored.items))}
    facts_N = np.zeros(len(stored.items), FACTS)
    for place, item in enumerate(stored.items):
        digest = np.frombuffer(bytes.fromhex(item.sha256), np.uint8)
        facts_N[place] = (digest, item.size, item.mtime_ns, item.width, item.height, places[item.reasons])
    names, name_end_N = _joined([item.name for item in stored.items])
    broken, broken_end_U = _joined([name for name, _ in stored.unread])
    problems, problem_end_U = _joined([problem for _, problem in stored.unread])
    arrays = {
        "embeddings": np.ascontiguousarray(stored.half_ND),
        "facts": facts_N.view(np.uint8).reshape(len(facts_N), FACTS.itemsize),
        "names": names,
        "name_end": name_end_N,
        "unread": broken,
        "unread_end": broken_end_U,
        "problems": problems,
        "problem_end": problem_end_U,
    }
    record = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        **vars(stored.head),
        "images": len(stored.items),
        "reasons": [list(reasons) for reasons in places],
        "crc32": _checksum(arrays),
    }
    tensorfile.save_arrays(path, arrays, record)


def read_head(path: Path) -> Head:
    """Return what an index says of itself, and read no more of it. Raises BadInput if it cannot be used."""
    return _opened(path, lambda file, record: _head_of(record))  # type: ignore[no-any-return]


def read_stored(path: Path) -> Stored:
    """Return an index. Raises BadInput if it is missing, damaged, of another version, or no index at all."""
    return _opened(path, _stored)  # type: ignore[no-any-return]


def _opened(path: Path, take: Any) -> Any:
    """Return what take makes of the open file and its record."""
    try:
        if problem := odd(path) or tensorfile.header_problem(path):
            raise ValueError(problem)
        if path.lstat().st_size > LARGEST:
            raise ValueError(f"it has more than {LARGEST:,} bytes")
        with safe_open(path, framework="numpy") as file:
            record = tensorfile.read_record(file)
            kind = (record["format"], record["format_version"])
            if kind != (FORMAT, FORMAT_VERSION):
                raise ValueError(f"it is {kind[0]} version {kind[1]}; this omnitwin reads {FORMAT} {FORMAT_VERSION}")
            return take(file, record)
    except FileNotFoundError as error:
        raise BadInput(f"{path.parent} is no index: it has no {path.name}", REMAKE) from error
    except (OSError, SafetensorError, LookupError, TypeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or (f"it lacks {error}" if isinstance(error, KeyError) else error)
        raise BadInput(f"{path} cannot be used: {reason}", REMAKE) from error


def _head_of(record: Mapping[str, Any]) -> Head:
    """Return the head in a record. Raises KeyError, TypeError or ValueError for values that cannot be."""
    words = {name: record[name] for name in ("root", "weights_sha256", "network")}
    lists = {name: record[name] for name in ("places", "exclude")}
    if not all(isinstance(word, str) for word in words.values()) or not all(map(_are_words, lists.values())):
        raise TypeError("its record has values of a wrong type")
    for text in (*words.values(), *lists["places"], *lists["exclude"]):
        os.fsencode(text)
    if not os.path.isabs(words["root"]) or "\0" in words["root"]:
        raise ValueError("its root is no absolute path")
    seeing, updated, images = record["seeing"], record["updated"], record["images"]
    if type(seeing) is not int or type(updated) is not float or type(images) is not int or images < 0:
        raise TypeError("its record has values of a wrong type")
    return Head(
        **words,
        places=tuple(lists["places"]),
        exclude=tuple(lists["exclude"]),
        seeing=seeing,
        updated=updated,
        images=images,
    )


def _are_words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def _stored(file: Any, record: dict[str, Any]) -> Stored:
    head = _head_of(record)
    arrays = {name: file.get_tensor(name) for name in _checked_layout(tensorfile.layout_of(file), head.images)}
    if _checksum(arrays) != record["crc32"]:
        raise ValueError("it is damaged")
    reasons_of = record["reasons"]
    if not isinstance(reasons_of, list) or not all(map(_are_words, reasons_of)):
        raise TypeError("its reasons are none")
    known = [tuple(reasons) for reasons in reasons_of]
    for reason in (reason for reasons in known for reason in reasons):
        os.fsencode(reason)
    facts_N = arrays["facts"].reshape(-1).view(FACTS)
    if not len(facts_N):
        raise ValueError("it holds no images")
    if not 0 <= facts_N["reasons"].min() <= facts_N["reasons"].max() < len(known):
        raise ValueError("its reasons do not fit")
    names = _split(arrays["names"], arrays["name_end"])
    broken = _split(arrays["unread"], arrays["unread_end"])
    _check_names([*names, *broken])
    digests = arrays["facts"][:, :32].tobytes().hex()
    columns = (facts_N[name].tolist() for name in ("size", "mtime_ns", "width", "height", "reasons"))
    items = [
        Item(
            name=name,
            sha256=digests[64 * place : 64 * place + 64],
            size=size,
            mtime_ns=mtime_ns,
            width=width,
            height=height,
            reasons=known[reasons],
        )
        for place, (name, size, mtime_ns, width, height, reasons) in enumerate(zip(names, *columns, strict=True))
    ]
    problems = _split(arrays["problems"], arrays["problem_end"])
    return Stored(
        head=head,
        items=items,
        half_ND=arrays["embeddings"],
        unread=tuple(zip(broken, problems, strict=True)),
    )


def _checked_layout(found: tensorfile.Layout, images: int) -> tuple[str, ...]:
    """Return the names of the arrays. Raises ValueError or KeyError unless their shapes fit each other."""
    features, unread = found["embeddings"][0][-1], found["unread_end"][0]
    wanted: tensorfile.Layout = {
        "embeddings": ((images, features), "float16"),
        "facts": ((images, FACTS.itemsize), "uint8"),
        "names": (found["names"][0], "uint8"),
        "name_end": ((images,), "int64"),
        "unread": (found["unread"][0], "uint8"),
        "unread_end": (unread, "int64"),
        "problems": (found["problems"][0], "uint8"),
        "problem_end": (unread, "int64"),
    }
    flat = ("names", "unread", "unread_end", "problems")
    if found != wanted or any(len(found[name][0]) != 1 for name in flat) or not 0 < features <= MOST_FEATURES:
        raise ValueError("its arrays do not fit each other")
    return tuple(wanted)


def _check_names(names: Sequence[str]) -> None:
    """Raise ValueError for a name that leads out of the root, or is there twice."""
    if len(set(names)) != len(names):
        raise ValueError("it has a name twice")
    for name in names:
        os.fsencode(name)  # UnicodeEncodeError is a ValueError
        if not name or name.startswith("/") or "\0" in name or os.path.isabs(name) or ".." in name.split("/"):
            raise ValueError(f"it names a file outside its root: {json.dumps(name)}")


def _checksum(arrays: Mapping[str, Array]) -> int:
    """Return the CRC-32 of arrays in the order of their names."""
    total = 0
    for name in sorted(arrays):
        total = zlib.crc32(np.ascontiguousarray(arrays[name]).reshape(-1).view(np.uint8).data, total)
    return total


def _joined(texts: Sequence[str]) -> tuple[Array, Array]:
    """Return texts as bytes, one after the other, and where each ends."""
    raw = [text.encode("utf-8", "surrogatepass") for text in texts]
    return np.frombuffer(b"".join(raw), np.uint8), np.cumsum([len(text) for text in raw], dtype=np.int64)


def _split(joined: Array, ends_N: Array) -> list[str]:
    """Return the texts that _joined joined. Raises ValueError if the ends, or the texts, are none."""
    whole, ends = joined.tobytes(), ends_N.tolist()
    starts = [0, *ends[:-1]] if ends else []
    if any(start > end for start, end in zip(starts, ends, strict=True)) or (ends[-1] if ends else 0) != len(whole):
        raise ValueError("its names do not fit each other")
    return [whole[start:end].decode("utf-8", "surrogatepass") for start, end in zip(starts, ends, strict=True)]
