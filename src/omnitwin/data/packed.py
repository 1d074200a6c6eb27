"""An image set as one uint8 tensor with the classes of its rows, and the bit-packed file that it is read from.

    N images, C classes, A alphabets, H x W pixels, P bytes of packed pixels in an image

The file is safetensors: bits_NP (8 pixels a byte, paper 1), class_N, drawer_N, alphabet_C, and under the single
metadata key `omnitwin` a JSON record with the names, the fingerprint of the pixels and the format version.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open

from omnitwin.data.rows import LabelledRows
from omnitwin.errors import DatasetCorrupt
from omnitwin.images.framing import framed
from omnitwin.images.photo import letterboxed
from omnitwin.recipes import View
from omnitwin.reports.pictures import Picture
from omnitwin.system import tensorfile
from omnitwin.system.portions import portions

FORMAT = "omnitwin-packed-set"
FORMAT_VERSION = 1
MOST_FRAMED = 1 << 30  # bytes of squares that are kept: all of Omniglot's training set at 235 pixels a side
FRAMED_AT_ONCE = 1024  # images
MOST_IMAGES = 1 << 18  # in a packed file; Omniglot's larger set has 19,280
MOST_PIXELS = 1 << 29  # in a packed file, which has 8 in a byte; Omniglot's larger set has 0.4 of that
TENSORS = ("bits_NP", "class_N", "drawer_N", "alphabet_C")


@dataclass(frozen=True, eq=False, kw_only=True)
class PackedSet(LabelledRows):
    """Images (N, H, W) uint8 from 0 for ink to white for paper; images of a class lie side by side.

    The protocol's names are explained in omnitwin.data.imageset. In Omniglot a group is an alphabet, and a source the
    number of a drawer.
    """

    images_NHW: torch.Tensor
    white: int
    fingerprint: str
    view: View | None = None  # that gather brings images to; None: they are as they are

    def __len__(self) -> int:
        return len(self.images_NHW)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width in pixels."""
        height, width = self.images_NHW.shape[1:] if self.view is None else (self.view.height, self.view.width)
        return 1, height, width

    @property
    def nbytes(self) -> int:
        """Bytes of pixels in the device's memory."""
        return self.images_NHW.nbytes

    def label(self, row: int) -> str:
        """Name one image: `Alphabet/character, drawing 7`, or `image 7` of its class without sources."""
        kind = int(self.class_N[row])
        if self.source_N is None:
            return f"{self.class_names[kind]}, image {row - int(self.first_C[kind]) + 1}"
        return f"{self.class_names[kind]}, drawing {int(self.source_N[row])}"

    def picture(self, row: int) -> Picture:
        """Return one image in 256 grey levels, paper 255."""
        image_HW = self.images_NHW[row].cpu() * (255 // self.white)
        height, width = image_HW.shape
        return Picture(width=width, height=height, pixels=image_HW.numpy().tobytes())

    def to(self, device: torch.device) -> "PackedSet":
        return replace(self, images_NHW=self.images_NHW.to(device), **self.labels_on(device))

    def of_classes(self, kept_C: torch.Tensor) -> "PackedSet":
        """Return the classes where kept_C, (C,) bool, is true, and their groups, both numbered from 0 again."""
        return replace(self, images_NHW=self.images_NHW[kept_C[self.class_N]], **self.labels_of(kept_C))

    def framed(self, view: View) -> "PackedSet":
        """Return the images as a network with this view sees them: 256 grey levels (white 255).

        For the frame `whole`, images of this size stay as they are. If all images together took more than
        MOST_FRAMED bytes, gather makes those that it returns.
        """
        if view.frame == "whole" and tuple(self.images_NHW.shape[1:]) == (view.height, view.width):
            return self
        if len(self) * view.height * view.width > MOST_FRAMED:
            return replace(self, view=view)
        return replace(self, images_NHW=self._seen(self.images_NHW, view), white=255)

    def _seen(self, images_NHW: torch.Tensor, view: View) -> torch.Tensor:
        """Return images of this set as (N, H, W) uint8, white 255; a portion at a time, which bounds memory."""
        seen_NHW = np.empty((len(images_NHW), view.height, view.width), np.uint8)
        for part in portions(len(seen_NHW), FRAMED_AT_ONCE, max(view.height, view.width)):
            grey_nHW = images_NHW[part].cpu().numpy() * np.uint8(255 // self.white)
            if view.frame == "photo":
                for place, grey_HW in zip(seen_NHW[part], grey_nHW, strict=True):
                    place[:] = letterboxed(Image.fromarray(grey_HW), view.height, view.width, 1)[0]
            else:
                seen_NHW[part] = framed(grey_nHW, view.height, view.width, view.frame)
        return torch.from_numpy(seen_NHW)

    def gather(self, rows_B: torch.Tensor) -> torch.Tensor:
        """Return a network's input for some rows: (B, 1, H, W) float32, ink 0 and paper 1."""
        images_BHW, white = self.images_NHW[rows_B], self.white
        if self.view is not None:
            images_BHW, white = self._seen(images_BHW, self.view).to(self.device), 255
        images_B1HW = images_BHW.unsqueeze(1).float()
        return images_B1HW if white == 1 else images_B1HW / white


def fingerprint(images_NHW: np.ndarray[Any, np.dtype[np.uint8]]) -> str:
    """Return the SHA-256 of the raw pixels (paper 1, ink 0), whatever file format they came in."""
    return hashlib.sha256(np.ascontiguousarray(images_NHW).data).hexdigest()


def save_packed(path: Path, packed: PackedSet) -> None:
    """Write a set of two-level images (white 1) with groups and sources; the file is complete or absent."""
    assert packed.white == 1
    assert packed.source_N is not None
    assert packed.group_C is not None
    count, height, width = packed.images_NHW.shape
    bits_NP = np.packbits(packed.images_NHW.numpy().reshape(count, height * width), axis=1)
    tensors = {
        "bits_NP": torch.from_numpy(bits_NP),
        "class_N": packed.class_N.to(torch.int32),
        "drawer_N": packed.source_N.to(torch.int32),
        "alphabet_C": packed.group_C.to(torch.int32),
    }
    record = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "name": packed.name,
        "height": height,
        "width": width,
        "class_names": packed.class_names,
        "alphabet_names": packed.group_names,
        "fingerprint": packed.fingerprint,
        "crc32": tensorfile.checksum(tensors[name] for name in TENSORS),
    }
    tensorfile.save_tensors(path, tensors, record)


def read_record(path: Path) -> dict[str, Any]:
    """Return the record in a packed file without reading its pixels; DatasetCorrupt if omnitwin did not write it."""
    try:
        if problem := tensorfile.header_problem(path):
            raise DatasetCorrupt(f"{path} is not a packed set: {problem}")
        with safe_open(path, framework="pt") as file:
            record = tensorfile.read_record(file)
            if (record["format"], record["format_version"]) != (FORMAT, FORMAT_VERSION):
                raise DatasetCorrupt(
                    f"{path} has format {record['format']} {record['format_version']}, not {FORMAT} {FORMAT_VERSION}"
                )
            return record
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise DatasetCorrupt(f"{path} is not a packed set: {error}") from error


def _check_claims(path: Path, record: dict[str, Any], found: tensorfile.Layout) -> None:
    """Raise DatasetCorrupt unless the record and the layout of the tensors fit each other. TypeError, KeyError, too."""
    height, width, bits = record["height"], record["width"], found["bits_NP"]
    names = [record["class_names"], record["alphabet_names"]]
    words = [record["name"], record["fingerprint"], *(name for group in names for name in group)]
    typed = all(type(side) is int and side > 0 for side in (height, width)) and len(bits[0]) == 2
    if not typed or not all(isinstance(group, list) for group in names) or not all(isinstance(w, str) for w in words):
        raise TypeError("its record has values of a wrong type")
    count = bits[0][0]
    wanted: tensorfile.Layout = {
        "bits_NP": ((count, -(-height * width // 8)), "uint8"),
        "class_N": ((count,), "int32"),
        "drawer_N": ((count,), "int32"),
        "alphabet_C": ((len(names[0]),), "int32"),
    }
    if found != wanted or not 0 < count <= MOST_IMAGES or count * height * width > MOST_PIXELS:
        raise DatasetCorrupt(f"{path} is damaged: its record does not fit its tensors")


def _is_numbering(numbers: torch.Tensor, count: int) -> bool:
    """Return whether numbers ascend from 0 to count - 1 without a gap, as classes and groups are numbered."""
    steps = numbers.diff()
    ascend = bool(((steps == 0) | (steps == 1)).all())
    return ascend and len(numbers) > 0 and (int(numbers[0]), int(numbers[-1])) == (0, count - 1)


def load_packed(path: Path) -> PackedSet:
    """Read a packed set and check it against the checksum written with it; what it claims before it is read."""
    record = read_record(path)
    try:
        with safe_open(path, framework="pt") as file:
            _check_claims(path, record, tensorfile.layout_of(file))
            tensors = {name: file.get_tensor(name) for name in TENSORS}
        if tensorfile.checksum(tensors[name] for name in TENSORS) != record["crc32"]:
            raise DatasetCorrupt(f"{path} is damaged: its pixels or ids are not those that were written")
        numbered = ((tensors["class_N"], "class_names"), (tensors["alphabet_C"], "alphabet_names"))
        if not all(_is_numbering(numbers, len(record[names])) for numbers, names in numbered):
            raise DatasetCorrupt(f"{path} is damaged: its images are of classes that it does not name")
        bits_NP = tensors["bits_NP"].numpy()
        height, width = record["height"], record["width"]
        pixels_NP = np.unpackbits(bits_NP, axis=1, count=height * width)
        return PackedSet(
            name=record["name"],
            images_NHW=torch.from_numpy(pixels_NP).view(-1, height, width),
            white=1,
            class_N=tensors["class_N"].long(),
            source_N=tensors["drawer_N"].long(),
            group_C=tensors["alphabet_C"].long(),
            class_names=tuple(record["class_names"]),
            group_names=tuple(record["alphabet_names"]),
            fingerprint=record["fingerprint"],
        )
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DatasetCorrupt(f"{path} cannot be read: {error}") from error
