"""Load the packed training set, against decoding its 19,280 PNG files from the zip and from a folder.

All ways run in turn in one process, after a round that is not counted. Every file then lies in the page cache, so this
times the work of the processor, not the disk. Loading the packed file checks its digest; omnitwin's decoder checks
names, sizes and the pixel fingerprint; the usual way checks nothing.

    python benchmarks/load.py --rounds 5
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from common import add_zip_argument, check_zip, extracted, hardware, markdown_table, say, spread, summary
from PIL import Image

from omnitwin.config import SourceConfig
from omnitwin.data.acquire import packed_path
from omnitwin.data.catalogue import open_images
from omnitwin.data.omniglot import TRAINING, decode
from omnitwin.data.packed import load_packed

PACKED = "packed file (load_packed)"
ZIP = "zip in memory (omniglot.decode)"
FOLDER = "folder of PNG files (PIL, the usual way)"


def read_folder(folder: Path) -> torch.Tensor:
    """Return all drawings below a folder, (N, 105, 105) uint8, in the order of their paths."""
    images = []
    for path in sorted(folder.rglob("*.png"), key=Path.as_posix):
        with Image.open(path) as image:
            images.append(np.asarray(image, dtype=np.uint8))
    return torch.from_numpy(np.stack(images))


def measure_rounds(ways: dict[str, Callable[[], torch.Tensor]], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each way in each round. All ways must give the same pixels."""
    first, *others = [way() for way in ways.values()]
    assert all(torch.equal(first, other) for other in others), "the ways do not read the same pixels"
    del first, others
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(1, rounds + 1):
        say(f"round {number} of {rounds}")
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def ratios(seconds: dict[str, list[float]], name: str) -> list[float]:
    """Return a way's time divided by that of the packed file, for each round."""
    return [way / packed for way, packed in zip(seconds[name], seconds[PACKED], strict=True)]


def as_markdown(machine: str, seconds: dict[str, list[float]]) -> str:
    rows = [
        [name, spread(values), "1" if name == PACKED else spread(ratios(seconds, name), 1)]
        for name, values in seconds.items()
    ]
    return "\n".join(
        [
            f"{machine}. {TRAINING.images:,} drawings; n = {len(seconds[PACKED])} rounds in one process, page cache "
            "warm for all; median (least to greatest).",
            "",
            markdown_table(["from", "seconds", "times the packed file, within a round"], rows),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare ways to load Omniglot's training set.")
    add_zip_argument(parser)
    parser.add_argument("--rounds", type=int, default=5, help="how often each way is measured (5)")
    parser.add_argument("--json", action="store_true", help="all numbers as JSON instead of the table")
    arguments = parser.parse_args()
    check_zip(parser, arguments.zip)
    machine = hardware()
    open_images("omniglot", "training", SourceConfig(source=str(arguments.zip)))  # packs it if it is not packed yet
    with extracted(arguments.zip) as folder:
        ways = {
            PACKED: lambda: load_packed(packed_path(TRAINING)).images_NHW,
            ZIP: lambda: decode(arguments.zip, TRAINING, lambda count: None).images_NHW,
            FOLDER: lambda: read_folder(folder),
        }
        seconds = measure_rounds(ways, arguments.rounds)
    if arguments.json:
        sides = {
            name: {"seconds": values, **summary(values), "ratio_to_packed": summary(ratios(seconds, name))}
            for name, values in seconds.items()
        }
        print(json.dumps({"hardware": machine, "ways": sides}, indent=2))
    else:
        print(as_markdown(machine, seconds))


if __name__ == "__main__":
    main()
