"""Tensors on disk: a safetensors file with a sorted JSON record. Equal content gives equal bytes."""

import errno
import json
import os
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from omnitwin.system.files import replacing
from omnitwin.system.plain import open_plain

if TYPE_CHECKING:  # reading a record needs no torch
    import torch

RECORD_KEY = "omnitwin"  # the only metadata key: safetensors writes several in random order
LENGTH = 8  # bytes that give the header's length, little-endian
LARGEST_HEADER = 1 << 23  # bytes; that of a network with 500 tensors and 1,000 held-out classes has 0.1 million


def save_tensors(path: Path, tensors: "dict[str, torch.Tensor]", record: dict[str, Any]) -> None:
    """Write a file that is complete or absent. Raises CannotWrite if the disk is full or the folder is read-only."""
    from safetensors.torch import save_file

    plain, seen = {}, set()
    for name, tensor in tensors.items():
        plain[name] = tensor.detach().cpu().contiguous()
        if plain[name].numel() and plain[name].data_ptr() in seen:  # a second name for one tensor: stored as its own
            plain[name] = plain[name].clone()
        seen.add(plain[name].data_ptr())
    with replacing(path) as temporary:
        try:
            save_file(plain, temporary, metadata={RECORD_KEY: json.dumps(record, sort_keys=True)})
        except SafetensorError as error:  # "Error while serializing: I/O error: No space left on device (os error 28)"
            raise OSError(str(error).rpartition("I/O error: ")[2].partition(" (os error")[0]) from error


def check_file(path: Path, largest: int | None = None) -> None:
    """Look at a safetensors file before the library opens it by its name.

    largest: bytes that the file may have. Raises NotPlain, or OSError if the file or its header is too large.
    """
    with open(path, "rb", opener=open_plain) as file:
        size = os.fstat(file.fileno()).st_size
        header = int.from_bytes(file.read(LENGTH), "little")
    if largest is not None and size > largest:
        raise OSError(errno.EFBIG, f"it has more than {largest >> 20:,} MiB")
    if LARGEST_HEADER < header <= size:  # a longer one the library refuses itself
        raise OSError(errno.EFBIG, f"its header has more than {LARGEST_HEADER >> 20} MiB")


def checksum(tensors: "Iterable[torch.Tensor]") -> int:
    """Return the CRC-32 of tensors on the CPU, in their order. It finds damage and costs far less than a digest."""
    total = 0
    for tensor in tensors:
        total = zlib.crc32(tensor.numpy().data, total)
    return total


def read_record(file: Any) -> dict[str, Any]:
    """Return the record of an open safetensors file. Raises KeyError, TypeError or ValueError if it has none."""
    try:
        record = json.loads((file.metadata() or {})[RECORD_KEY])
    except RecursionError as error:
        raise ValueError("the record is nested too deeply") from error
    if not isinstance(record, dict):
        raise TypeError("the record is not a JSON object")
    return record
