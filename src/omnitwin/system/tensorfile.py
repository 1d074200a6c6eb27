"""Tensors on disk: a safetensors file with a sorted JSON record. Equal content gives equal bytes."""

import hashlib
import json
import math
import os
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from omnitwin.system.files import replacing
from omnitwin.system.plain import open_plain

if TYPE_CHECKING:  # reading a record needs no torch
    import torch

RECORD_KEY = "omnitwin"  # the only metadata key: safetensors writes several in random order
LONGEST_HEADER = 4 << 20  # bytes: 60 times the longest of ours. As Python objects a header takes 30 times its bytes
ALIGNMENT = 8  # bytes: the tensors begin at a multiple of it, as safetensors writes them
COPIED_AT_ONCE = 1 << 22  # bytes
KINDS = {
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
    "I32": "int32",
    "I64": "int64",
    "U8": "uint8",
}  # safetensors' names to NumPy's and torch's

Layout = dict[str, tuple[tuple[int, ...], str]]  # shape and number format (`float32`) of each tensor, by its name


def save_tensors(path: Path, tensors: "dict[str, torch.Tensor]", record: dict[str, Any]) -> None:
    """Write a file that is complete or absent. Raises CannotWrite if the disk is full or the folder is read-only."""
    from safetensors.torch import save_file

    plain, seen = {}, set()
    for name, tensor in tensors.items():
        plain[name] = tensor.detach().cpu().contiguous()
        if plain[name].numel() and plain[name].data_ptr() in seen:  # a second name for one tensor: stored as its own
            plain[name] = plain[name].clone()
        seen.add(plain[name].data_ptr())
    _save(path, lambda temporary, metadata: save_file(plain, temporary, metadata=metadata), record)


def save_arrays(path: Path, arrays: dict[str, Any], record: dict[str, Any]) -> None:
    """Write the same for NumPy's arrays, without torch. Raises CannotWrite."""
    from safetensors.numpy import save_file

    _save(path, lambda temporary, metadata: save_file(arrays, temporary, metadata=metadata), record)


def _save(path: Path, write: Callable[[Path, dict[str, str]], None], record: dict[str, Any]) -> None:
    with replacing(path) as temporary:
        try:
            write(temporary, {RECORD_KEY: json.dumps(record, sort_keys=True)})
        except SafetensorError as error:  # "Error while serializing: I/O error: No space left on device (os error 28)"
            raise OSError(str(error).rpartition("I/O error: ")[2].partition(" (os error")[0]) from error


def copy_tensors(source: Path, target: Path, record: dict[str, Any]) -> str:
    """Write a file's tensors, byte for byte, with another record. Return the SHA-256 of the source as it was read.

    Little of the file is in memory at a time. Raises OSError or ValueError if the source cannot be read, CannotWrite.
    """
    with open(source, "rb", opener=open_plain) as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if length > LONGEST_HEADER:
            raise ValueError(f"its header has {length:,} bytes")
        old = file.read(length)
        known = hashlib.sha256(start + old)
        layout = json.loads(old)
        layout["__metadata__"] = {RECORD_KEY: json.dumps(record, sort_keys=True)}
        header = json.dumps(layout, separators=(",", ":")).encode()
        header += b" " * (-len(header) % ALIGNMENT)
        with replacing(target) as temporary, temporary.open("wb") as written:
            written.write(len(header).to_bytes(8, "little") + header)
            while part := file.read(COPIED_AT_ONCE):
                known.update(part)
                written.write(part)
    return known.hexdigest()


def checksum(tensors: "Iterable[torch.Tensor]") -> int:
    """Return the CRC-32 of tensors on the CPU, in their order. It finds damage and costs far less than a digest."""
    total = 0
    for tensor in tensors:
        total = zlib.crc32(tensor.numpy().data, total)
    return total


def header_problem(path: Path) -> str | None:
    """Say what is wrong if a file has a header longer than LONGEST_HEADER. Others are for safetensors to judge.

    Raises NotPlain for a link, a pipe or a device, which safetensors would open by its name; OSError.
    """
    with open(path, "rb", opener=open_plain) as file:
        length = int.from_bytes(file.read(8), "little")
        if LONGEST_HEADER < length < os.fstat(file.fileno()).st_size:
            return f"its header has {length:,} bytes, and no more than {LONGEST_HEADER:,} are read"
    return None


def layout_of(file: Any) -> Layout:
    """Return the shape and number format of each tensor in an open safetensors file, and read none of them."""
    parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    return {
        name: (tuple(part.get_shape()), KINDS.get(part.get_dtype(), part.get_dtype())) for name, part in parts.items()
    }


def layout_bytes(layout: Layout) -> int:
    """Return the bytes that tensors of this layout take, without allocating them."""
    import torch

    return sum(math.prod(shape) * getattr(torch, kind).itemsize for shape, kind in layout.values())


def read_record(file: Any) -> dict[str, Any]:
    """Return the record of an open safetensors file. Raises KeyError, TypeError or ValueError if it has none."""
    try:
        record = json.loads((file.metadata() or {})[RECORD_KEY])
    except RecursionError as error:
        raise ValueError("the record is nested too deeply") from error
    if not isinstance(record, dict):
        raise TypeError("the record is not a JSON object")
    return record
