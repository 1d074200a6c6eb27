"""Read an image file for a network (omnitwin.images.views.read_image, frame `ink`), against decoding it with Pillow.

Four kinds of files, drawn from invented characters (omnitwin.data.synthetic): drawings of 105 pixels in black and
white, scans of 420 pixels in grey with even light and with a shadow, and photos of pages of 1,600 x 1,200 pixels in
RGB, as JPEG. Both sides take each file in turn within a round, after a round that is not counted; every file lies in
the page cache. A round's time of a side is the CPU time of this thread over its files: OpenCV is kept to one thread.

    OMP_NUM_THREADS=1 python benchmarks/reading.py --rounds 7
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from common import hardware, markdown_table, say, spread, summary
from PIL import Image

from omnitwin.data.synthetic import draw_set
from omnitwin.images.variations import VARIATIONS
from omnitwin.images.views import read_image
from omnitwin.recipes import square

VIEW = square(28, "ink")
SIDE, PAGE = 420, (1600, 1200)  # pixels
DRAWINGS, SCANS, PHOTOS = (
    "drawings, 105 px, 1 bit",
    {"smooth grey": "scans, 420 px, even light", "shadow": "scans, 420 px, a shadow"},
    "photos of pages, 1,600 px, RGB",
)


def write_files(folder: Path, count: int) -> dict[str, list[Path]]:
    """Write `count` files of each kind, and return their paths by kind. The same count gives the same files."""
    drawings, random = draw_set("test", alphabets=1).images_NHW.numpy(), np.random.default_rng(0)
    files: dict[str, list[Path]] = {name: [] for name in (DRAWINGS, *SCANS.values(), PHOTOS)}
    for number, row in enumerate(random.permutation(len(drawings))[:count].tolist()):
        _save(Image.fromarray(drawings[row] * np.uint8(255)).convert("1"), files[DRAWINGS], folder / f"d{number}.png")
        for variation, name in SCANS.items():
            page = VARIATIONS[variation](drawings[row], random)
            scan = page.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
            _save(scan, files[name], folder / f"{variation}{number}.png")
        photo = VARIATIONS["photo"](drawings[row], random).resize(PAGE, Image.Resampling.BICUBIC)
        _save(photo.convert("RGB"), files[PHOTOS], folder / f"p{number}.jpg")
    return files


def _save(image: Image.Image, paths: list[Path], path: Path) -> None:
    image.save(path)
    paths.append(path)


def decode(path: Path) -> None:
    with Image.open(path) as image:
        image.load()


def read(path: Path) -> None:
    read_image(path, VIEW)


def measure_rounds(paths: list[Path], rounds: int) -> tuple[list[float], list[float]]:
    """Return the seconds that decoding and reading all files take in each round."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        spent = [0.0, 0.0]
        for path in paths:
            for side, way in enumerate((decode, read)):
                start = time.thread_time()
                way(path)
                spent[side] += time.thread_time() - start
        if number:  # the first round warms up
            for side in (0, 1):
                seconds[side].append(spent[side])
    return seconds


def ratios(decoding: list[float], reading: list[float]) -> list[float]:
    """Return the speed of reading as a share of that of decoding, for each round."""
    return [alone / whole for alone, whole in zip(decoding, reading, strict=True)]


def as_markdown(machine: str, files: int, found: dict[str, tuple[list[float], list[float]]]) -> str:
    rows = [
        [
            name,
            *(spread([1000 * value / files for value in side], 2) for side in (decoding, reading)),
            spread(ratios(decoding, reading), 2),
        ]
        for name, (decoding, reading) in found.items()
    ]
    rounds = len(next(iter(found.values()))[0])
    return "\n".join(
        [
            f"{machine}. {files} files of each kind; n = {rounds} rounds in one process, one thread, page cache warm; "
            "median (least to greatest).",
            "",
            markdown_table(["files", "ms to decode one", "ms to read one", "speed against decoding, in a round"], rows),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare reading an image for a network with decoding it.")
    parser.add_argument("--rounds", type=int, default=7, help="how often each file is taken (7)")
    parser.add_argument("--files", type=int, default=40, help="of each kind (40)")
    parser.add_argument("--json", action="store_true", help="all numbers as JSON instead of the table")
    arguments = parser.parse_args()
    machine = hardware()
    cv2.setNumThreads(1)
    found = {}
    with tempfile.TemporaryDirectory(prefix="omnitwin-benchmark-") as folder:
        for name, paths in write_files(Path(folder), arguments.files).items():
            say(name)
            found[name] = measure_rounds(paths, arguments.rounds)
    if arguments.json:
        kinds = {
            name: {"decode_s": decoding, "read_s": reading, "ratio": summary(ratios(decoding, reading))}
            for name, (decoding, reading) in found.items()
        }
        print(json.dumps({"hardware": machine, "files": arguments.files, "kinds": kinds}, indent=2))
    else:
        print(as_markdown(machine, arguments.files, found))


if __name__ == "__main__":
    main()
