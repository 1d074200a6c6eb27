"""Images of the user's own: packing them, opening them again, and reading a set that is larger than memory.

    python benchmarks/own_images.py packing --rounds 5      # against ImageFolder and DataLoader
    python benchmarks/own_images.py reopening --images 100000
    python benchmarks/own_images.py memory --images 300000  # takes 28 kB of disk an image

`packing` decodes the same files in turn by omnitwin (into its store, with the marks for duplicates) and by the usual
way (torchvision's ImageFolder with Resize and ToTensor, a DataLoader), each with two processes. All files lie in the
page cache. `reopening` packs small images once and then opens the unchanged folder. `memory` makes a store of random
pixels, draws batches from its map, and tells the anonymous memory of the process, and the time beside a set in memory.
"""

import argparse
import json
import os
import random
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import hardware, markdown_table, say, spread
from PIL import Image, ImageDraw

from omnitwin.data.listing import ListedFile, Listing
from omnitwin.data.own import FolderSet, open_place
from omnitwin.data.places import list_images
from omnitwin.data.store import PictureStore, StoredFacts, fill_store
from omnitwin.data.store_index import ENTRY
from omnitwin.recipes import View
from omnitwin.system.paths import HOME_VARIABLE

VIEW = View(height=96, width=96, channels=3, frame="photo")
PROCESSES = 2  # of either side
PER_CLASS = 20
BATCH = 256
DRAWN = 500  # different pictures, at most, of which a place is made


def draw(seed: int, size: int) -> bytes:
    """Return a JPEG of a photo-like picture, 4 to 3."""
    dice, width, height = random.Random(seed), size, size * 3 // 4
    shifts = [dice.randrange(-60, 60) for _ in range(3)]
    noise = Image.effect_noise((width // 4, height // 4), 60).resize((width, height), Image.Resampling.BICUBIC)
    image = Image.merge("RGB", [noise.point([level + shift for level in range(256)]) for shift in shifts])
    pen = ImageDraw.Draw(image)
    for _ in range(20):
        x, y, radius = dice.randrange(width), dice.randrange(height), dice.randrange(2, width // 6)
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=tuple(dice.randrange(256) for _ in range(3)))
    content = BytesIO()
    image.save(content, "JPEG", quality=88)
    return content.getvalue()


@contextmanager
def drawn_place(count: int, size: int) -> Iterator[Path]:
    """Yield a folder of class folders of JPEG files, which exists while the block lasts; omnitwin's home is there."""
    with tempfile.TemporaryDirectory(prefix="omnitwin-benchmark-") as folder:
        os.environ[HOME_VARIABLE] = str(Path(folder) / "home")
        pictures = [draw(seed, size) for seed in range(min(DRAWN, count))]
        for index in range(count):
            path = Path(folder) / "place" / f"class{index // PER_CLASS:05}" / f"{index % PER_CLASS:02}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(pictures[index % len(pictures)])
        yield Path(folder) / "place"


def usual_way(place: Path) -> int:
    """Decode every image of a place to a tensor, as most trainings do in every epoch. Return how many."""
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import Compose, Resize, ToTensor

    images = ImageFolder(str(place), Compose([Resize((VIEW.height, VIEW.width)), ToTensor()]))
    return sum(len(batch) for batch, _ in DataLoader(images, batch_size=64, num_workers=PROCESSES))


def pack(place: Path, number: int) -> int:
    """Decode every image of a place into a new store. Return how many."""
    os.environ[HOME_VARIABLE] = str(place.parent / f"home-{number}")
    return fill_store(list_images(place), VIEW, processes=PROCESSES).decoded


def packing(arguments: argparse.Namespace) -> dict[str, Any]:
    ours: list[float] = []
    theirs: list[float] = []
    count = arguments.images or 2000
    with drawn_place(count, arguments.size) as place:
        for number in range(arguments.rounds + 1):
            say(f"round {number} of {arguments.rounds}")
            start = time.perf_counter()
            assert usual_way(place) == count
            middle = time.perf_counter()
            assert pack(place, number) == count
            theirs.append(count / (middle - start))
            ours.append(count / (time.perf_counter() - middle))
    ours, theirs = ours[1:], theirs[1:]  # the first round warms up
    return {
        "images": count,
        "pixels of the longer side": arguments.size,
        "packing, images/s": ours,
        "ImageFolder and DataLoader, images/s": theirs,
        "packing / usual way": [own / other for own, other in zip(ours, theirs, strict=True)],
    }


def reopening(arguments: argparse.Namespace) -> dict[str, Any]:
    count = arguments.images or 100_000
    seconds: list[float] = []
    processor: list[float] = []
    with drawn_place(count, 48) as place:
        say("packing")
        open_place(place, VIEW)
        for _ in range(arguments.rounds):
            start, used = time.perf_counter(), time.process_time()
            assert open_place(place, VIEW).store.decoded == 0
            seconds.append(time.perf_counter() - start)
            processor.append(time.process_time() - used)
    return {
        "images": count,
        "listing and opening, s": seconds,
        "of the processor, s": processor,
    }


def random_set(folder: Path, count: int) -> FolderSet:
    """Return a set of random pixels that is read from its map."""
    length = VIEW.channels * VIEW.height * VIEW.width
    generator = np.random.default_rng(0)
    block = generator.integers(0, 256, (1000, length), np.uint8)
    checksums = np.array([zlib.crc32(row.tobytes()) for row in block], np.uint32)
    with open(folder / "pixels", "wb") as file:
        for start in range(0, count, len(block)):
            file.write(block[: count - start].data)
    files = tuple(ListedFile(path=str(row), label=str(row // PER_CLASS)) for row in range(count))
    store = PictureStore(
        folder=folder,
        view=VIEW,
        listing=Listing(place=folder, root=folder, files=files),
        row_N=np.arange(count),
        crc_N=checksums[np.arange(count) % len(block)],
        facts=StoredFacts(np.zeros(0, ENTRY)),
        pixels_RCHW=np.memmap(folder / "pixels", np.uint8, "r", shape=(count, VIEW.channels, VIEW.height, VIEW.width)),
        broken=(),
        decoded=0,
    )
    class_N = torch.arange(count) // PER_CLASS
    names = tuple(str(number) for number in range(int(class_N[-1]) + 1))
    return FolderSet(
        name="random", store=store, place_N=np.arange(count), class_N=class_N, class_names=names, kept=False
    )


def anonymous_memory() -> int:
    """Return the bytes of this process that the system cannot drop. Linux only."""
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Anonymous:"))


def gather_seconds(images: FolderSet, batches: int) -> float:
    """Return the seconds that drawing a batch takes."""
    start = time.perf_counter()
    for number in range(batches):
        generator = torch.Generator().manual_seed(number)
        images.gather(torch.randint(len(images), (BATCH,), generator=generator))
    return (time.perf_counter() - start) / batches


def memory(arguments: argparse.Namespace) -> dict[str, Any]:
    count = arguments.images or 300_000
    mapped, kept = [], []
    with tempfile.TemporaryDirectory(prefix="omnitwin-benchmark-") as folder:
        say("writing pixels")
        images = random_set(Path(folder), count)
        before = anonymous_memory()
        say("reading")
        for _ in range(arguments.rounds):
            mapped.append(1000 * gather_seconds(images, 200))
        after = anonymous_memory()
        small = replace(images.of_classes(torch.arange(len(images.class_names)) < 20_000 // PER_CLASS), kept=True)
        for _ in range(arguments.rounds):
            kept.append(1000 * gather_seconds(small, 200))
    return {
        "images": count,
        "GB of pixels": count * 3 * 96 * 96 / 1e9,
        "anonymous memory, GB": after / 1e9,
        "of it for reading, GB": (after - before) / 1e9,
        f"batch of {BATCH} from the map, ms": mapped,
        f"batch of {BATCH} from a set of 20,000 in memory, ms": kept,
    }


def as_markdown(machine: str, found: dict[str, Any], rounds: int) -> str:
    rows = [
        [
            name,
            spread(value, 2)
            if isinstance(value, list)
            else f"{value:,.2f}"
            if isinstance(value, float)
            else f"{value:,}",
        ]
        for name, value in found.items()
    ]
    head = f"{machine}. n = {rounds} rounds in one process, sides in turn; median (least to greatest)."
    return f"{head}\n\n{markdown_table(['', 'value'], rows)}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how images of the user's own are packed, opened and read.")
    parser.add_argument("part", choices=("packing", "reopening", "memory"))
    parser.add_argument("--images", type=int, help="number of images (2,000, 100,000 or 300,000)")
    parser.add_argument("--size", type=int, default=320, help="packing: pixels of the longer side of an image (320)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each side is measured (5)")
    parser.add_argument("--json", action="store_true", help="all numbers as JSON instead of the table")
    arguments = parser.parse_args()
    machine = hardware()
    found = {"packing": packing, "reopening": reopening, "memory": memory}[arguments.part](arguments)
    if arguments.json:
        print(json.dumps({"hardware": machine, **found}, indent=2))
    else:
        print(as_markdown(machine, found, arguments.rounds))


if __name__ == "__main__":
    main()
