"""A few drawings in Omniglot's own layout and format, and the record by which omnitwin would know them."""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from omnitwin.data import official
from omnitwin.data.official import RunsArchive
from omnitwin.data.omniglot import OmniglotSet

CHARACTERS = ("Alpha_(first)/character01", "Alpha_(first)/character02", "Beta/character01")
DRAWERS = 20
SIDE = 105
RUN_DRAWERS = ((3, 7), (11, 4))  # of each run: who drew the examples, who the queries
RUN_ANSWERS = (2, 1)  # of each query of a run: the number of the example that shows its character
Files = dict[str, bytes]  # path inside the zip -> content


@dataclass(frozen=True, kw_only=True)
class FakeOmniglot:
    """Both sets and the official runs on disk: as `zips`/STEM.zip, and unpacked as `folders`/STEM.

    files has the content of each by its name, as it is in the zip.
    """

    zips: Path
    folders: Path
    files: Mapping[str, Files]
    sets: Mapping[str, OmniglotSet]
    runs: RunsArchive

    def stem_of(self, name: str) -> str:
        return self.runs.stem if name == self.runs.name else self.sets[name].stem

    def zip_of(self, name: str) -> Path:
        return self.zips / f"{self.stem_of(name)}.zip"

    def folder_of(self, name: str) -> Path:
        return self.folders / self.stem_of(name)


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
def drawings(stem: str, seed: int, characters: tuple[str, ...] = CHARACTERS) -> Mapping[str, bytes]:
    return {
        f"{stem}/{character}/{number:04d}_{drawer:02d}.png": png(seed=seed + 100 * number + drawer)
        for number, character in enumerate(characters, 1)
        for drawer in range(1, DRAWERS + 1)
    }


def fingerprint_of(files: Mapping[str, bytes]) -> str:
    """SHA-256 over the raw uint8 pixels, paper 1 and ink 0, of all PNGs in sorted path order."""
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(pixels_of(files[name]).astype(np.uint8).tobytes())
    return total.hexdigest()


def official_runs(test: Mapping[str, bytes]) -> Files:
    """Runs of as many trials as the first alphabet has characters, whose drawings are those of the test set.

    Named and listed as in the real all_runs.zip, which has no folder around its runs.
    """
    characters = [name for name in CHARACTERS if name.startswith("Alpha")]
    files: Files = {}
    for run, (example_drawer, query_drawer) in enumerate(RUN_DRAWERS, 1):
        folder, lines = f"run{run:02d}", []
        for number, character in enumerate(characters, 1):
            files[f"{folder}/training/class{number:02d}.png"] = drawing_of(test, character, example_drawer)
        for number, answer in enumerate(RUN_ANSWERS, 1):
            files[f"{folder}/test/item{number:02d}.png"] = drawing_of(test, characters[answer - 1], query_drawer)
            lines.append(f"{folder}/test/item{number:02d}.png {folder}/training/class{answer:02d}.png\n")
        files[f"{folder}/class_labels.txt"] = "".join(lines).encode()
    return files


def drawing_of(files: Mapping[str, bytes], character: str, drawer: int) -> bytes:
    [content] = [
        files[name] for name in files if f"/{character}/" in f"/{name}" and name.endswith(f"_{drawer:02d}.png")
    ]
    return content


def runs_fingerprint_of(files: Mapping[str, bytes]) -> str:
    """That of the drawings, then the lists of pairs in the order of the runs."""
    total = hashlib.sha256()
    for name in sorted(name for name in files if name.endswith(".png")):
        total.update(pixels_of(files[name]).astype(np.uint8).tobytes())
    for name in sorted(name for name in files if name.endswith(".txt")):
        total.update(files[name])
    return total.hexdigest()


def md5_of(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


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


def write_fake_omniglot(
    folder: Path, training: tuple[str, ...] = CHARACTERS, test: tuple[str, ...] = CHARACTERS
) -> FakeOmniglot:
    """Sets of these characters; those of the test set begin with the usual ones, which the official runs ask about."""
    sets, files = {}, {}
    parts = [("training", "images_background", training), ("test", "images_evaluation", test)]
    for seed, (name, stem, characters) in enumerate(parts):
        files[name] = dict(drawings(stem, 10_000 * seed, characters))
        # back to front, as nothing promises that a zip is sorted
        path = write_zip(folder / "zips" / f"{stem}.zip", dict(reversed(files[name].items())))
        write_folder(folder / "folders", files[name])
        sets[name] = OmniglotSet(
            name=name,
            stem=stem,
            md5=md5_of(path),
            fingerprint=fingerprint_of(files[name]),
            alphabets=len({character.split("/")[0] for character in characters}),
            characters=len(characters),
        )
    files["official runs"] = official_runs(files["test"])
    path = write_zip(folder / "zips" / "all_runs.zip", dict(reversed(files["official runs"].items())))
    write_folder(folder / "folders" / "all_runs", files["official runs"])
    runs = replace(
        official.ARCHIVE,
        md5=md5_of(path),
        fingerprint=runs_fingerprint_of(files["official runs"]),
        runs=len(RUN_DRAWERS),
        trials=len(RUN_ANSWERS),
    )
    return FakeOmniglot(zips=folder / "zips", folders=folder / "folders", files=files, sets=sets, runs=runs)


def with_one_pixel_changed(files: Mapping[str, bytes]) -> Files:
    drawn = sorted(name for name in files if name.endswith(".png"))
    name = drawn[len(drawn) // 2]
    pixels_HW = pixels_of(files[name])
    pixels_HW[0, 0] = ~pixels_HW[0, 0]
    return {**files, name: png_of(pixels_HW)}


def with_damaged_member(path: Path, ending: str = ".png") -> bytes:
    """A zip's bytes with one byte changed inside the compressed data of its first drawing (or file of that ending)."""
    with zipfile.ZipFile(path) as archive:
        first = next(entry for entry in archive.infolist() if entry.filename.endswith(ending))
    content = bytearray(path.read_bytes())
    content[first.header_offset + 30 + len(first.filename) + first.compress_size // 2] ^= 0xFF  # 30: local header
    return bytes(content)
