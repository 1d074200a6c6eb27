"""A few drawings in Omniglot's own layout and format, and the record by which omnitwin would know them."""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from omnitwin.data.omniglot import OmniglotSet

CHARACTERS = ("Alpha_(first)/character01", "Alpha_(first)/character02", "Beta/character01")
DRAWERS = 20
SIDE = 105
Files = dict[str, bytes]  # path inside the zip -> content


@dataclass(frozen=True, kw_only=True)
class FakeOmniglot:
    """Both sets on disk: as `zips`/STEM.zip, and unpacked as `folders`/STEM; files has the content of each set."""

    zips: Path
    folders: Path
    files: Mapping[str, Files]
    sets: Mapping[str, OmniglotSet]

    def zip_of(self, name: str) -> Path:
        return self.zips / f"{self.sets[name].stem}.zip"

    def folder_of(self, name: str) -> Path:
        return self.folders / self.sets[name].stem


def png(size: tuple[int, int] = (SIDE, SIDE), seed: int = 0) -> bytes:
    """A 1-bit PNG: paper (1) with three rectangles of ink (0) anywhere."""
    random = np.random.default_rng(seed)
    pixels_HW = np.ones((size[1], size[0]), dtype=bool)
    for _ in range(3):
        top, left = random.integers(10, 80, 2)
        height, width = random.integers(2, 20, 2)
        pixels_HW[top : top + height, left : left + width] = False
    return png_of(pixels_HW)


def png_of(pixels_HW: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels_HW.astype(np.uint8) * 255).convert("1").save(content, format="PNG")
    return content.getvalue()


def pixels_of(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.array(image)


@cache
def drawings(stem: str, seed: int) -> Mapping[str, bytes]:
    return {
        f"{stem}/{character}/{number:04d}_{drawer:02d}.png": png(seed=seed + 100 * number + drawer)
        for number, character in enumerate(CHARACTERS, 1)
        for drawer in range(1, DRAWERS + 1)
    }


def fingerprint_of(files: Mapping[str, bytes]) -> str:
    """SHA-256 over the raw uint8 pixels, paper 1 and ink 0, of all PNGs in sorted path order."""
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(pixels_of(files[name]).astype(np.uint8).tobytes())
    return total.hexdigest()


def write_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return path


def write_folder(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def write_fake_omniglot(folder: Path) -> FakeOmniglot:
    sets, files = {}, {}
    for seed, (name, stem) in enumerate([("training", "images_background"), ("test", "images_evaluation")]):
        files[name] = dict(drawings(stem, 10_000 * seed))
        # back to front, as nothing promises that a zip is sorted
        path = write_zip(folder / "zips" / f"{stem}.zip", dict(reversed(files[name].items())))
        write_folder(folder / "folders", files[name])
        sets[name] = OmniglotSet(
            name=name,
            stem=stem,
            md5=hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest(),
            fingerprint=fingerprint_of(files[name]),
            alphabets=len({character.split("/")[0] for character in CHARACTERS}),
            characters=len(CHARACTERS),
        )
    return FakeOmniglot(zips=folder / "zips", folders=folder / "folders", files=files, sets=sets)


def with_one_pixel_changed(files: Mapping[str, bytes]) -> Files:
    name = sorted(files)[len(files) // 2]
    pixels_HW = pixels_of(files[name])
    pixels_HW[0, 0] = ~pixels_HW[0, 0]
    return {**files, name: png_of(pixels_HW)}


def with_damaged_member(path: Path) -> bytes:
    """A zip's bytes with one byte changed inside the compressed data of its first drawing."""
    with zipfile.ZipFile(path) as archive:
        first = archive.infolist()[0]
    content = bytearray(path.read_bytes())
    content[first.header_offset + 30 + len(first.filename) + first.compress_size // 2] ^= 0xFF  # 30: local header
    return bytes(content)
