"""Search, duplicates and bringing an index up to date, as the number of images grows, against plain products.

Embeddings are random, of length 1, with 256 numbers; of `pairs` one image in a hundred has a look-alike. Sides take
turns within a round, so a ratio is of one moment of the machine. `index` makes files that hold no picture, and an index
that knows them: what is measured is the walk, the comparison with what is known, and the writing.

    python benchmarks/gallery.py search --rounds 5        # also: pairs, index, cold
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from common import hardware, markdown_table, peak_rss, say, spread
from PIL import Image

from omnitwin.answers.files import view_of
from omnitwin.answers.verifier import Verifier, open_verifier
from omnitwin.config import IndexConfig
from omnitwin.data.store import SEEING
from omnitwin.data.synthetic import draw_set
from omnitwin.gallery.gallery import Gallery, Item, Line
from omnitwin.gallery.index import build
from omnitwin.gallery.linkage import linked
from omnitwin.gallery.pairs import pairs_above
from omnitwin.gallery.search import search
from omnitwin.gallery.stored import Head, Stored, write_stored
from omnitwin.images.views import read_image
from omnitwin.metrics.arrays import Array
from omnitwin.system.paths import INDEX_FILE

FEATURES = 256
SIZES = (1_000, 10_000, 100_000, 1_000_000)
LINE = Line(slope=20.0, offset=-10.0)  # from products to logits, much as those of the bundled network
LOOK_ALIKES = 0.01  # share of the images that have one
TOP = 10


def units(count: int, seed: int = 0, features: int = FEATURES) -> Array:
    """Return random embeddings (N, features) float32 of length 1, made in parts, which bounds memory."""
    random = np.random.default_rng(seed)
    embedding_ND = np.empty((count, features), np.float32)
    for start in range(0, count, 50_000):
        part = embedding_ND[start : start + 50_000]
        part[:] = random.standard_normal(part.shape, dtype=np.float32)
        part /= np.sqrt((part**2).sum(1, keepdims=True))
    return embedding_ND


def gallery(embedding_ND: Array) -> Gallery:
    item = Item(name="", sha256="", size=0, mtime_ns=0, width=0, height=0)
    return Gallery(root=Path(), items=(item,) * len(embedding_ND), embedding_ND=embedding_ND, weights_sha256="")


def omnitwin(*words: str) -> None:
    """Run a command in a process of its own."""
    subprocess.run([sys.executable, "-m", "omnitwin", *words], stdout=subprocess.DEVNULL, check=False)


def seconds_of(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turns(rounds: int, *sides: Callable[[], object]) -> list[list[float]]:
    """Return the seconds of each side in each round, after a round of warm-up."""
    taken = [[seconds_of(side) for side in sides] for _ in range(rounds + 1)][1:]
    return [list(side) for side in zip(*taken, strict=True)]


def ratios(one: Sequence[float], other: Sequence[float]) -> list[float]:
    return [left / right for left, right in zip(one, other, strict=True)]


def item_of(name: str, number: int, size: int = 1, mtime_ns: int = 1) -> Item:
    return Item(name=name, sha256=f"{number:064x}", size=size, mtime_ns=mtime_ns, width=105, height=105)


def write_index(output: Path, root: Path, items: list[Item], verifier: Verifier, half_ND: Array) -> None:
    """Write an index of files that the bundled network is said to have embedded."""
    assert verifier.sha256 is not None
    output.mkdir()
    head = Head(
        root=str(root),
        places=(str(root),),
        exclude=(),
        weights_sha256=verifier.sha256,
        network="bundled",
        seeing=SEEING,
        updated=time.time(),
    )
    write_stored(output / INDEX_FILE, Stored(head=head, items=items, half_ND=half_ND))


def measure_search(rounds: int) -> str:
    rows = []
    for count in SIZES:
        say(f"search: {count:,}")
        many, query_1D = gallery(units(count)), units(1, seed=1)
        found, plain = in_turns(
            rounds,
            partial(search, many, query_1D, TOP),
            partial(np.matmul, many.embedding_ND, query_1D[0]),
        )
        peak = peak_rss(resource.RUSAGE_SELF) / many.embedding_ND.nbytes
        memory = f"{peak:.2f}" if count == SIZES[-1] else "-"
        milliseconds = ([1000 * value for value in side] for side in (found, plain))
        rows.append(
            [f"{count:,}", *(spread(side, 2) for side in milliseconds), spread(ratios(found, plain), 2), memory]
        )
    heads = [
        "images",
        "search, ms",
        "matrix by vector, ms",
        "ratio in a round",
        "peak memory of the process, of the matrix",
    ]
    return markdown_table(heads, rows)


def measure_pairs(rounds: int) -> str:
    rows = []
    for count in SIZES[:3]:
        say(f"pairs: {count:,}")
        embedding_ND = units(count)
        twins = round(LOOK_ALIKES * count)
        embedding_ND[:twins] = embedding_ND[-twins:] + 0.02 * units(twins, seed=2)
        embedding_ND[:twins] /= np.sqrt((embedding_ND[:twins] ** 2).sum(1, keepdims=True))
        side = min(count, 4096)
        block_BD = np.ascontiguousarray(embedding_ND[:side])

        def duplicates(embedding_ND: Array = embedding_ND) -> None:
            pairs = pairs_above(embedding_ND, line=LINE, limit=0.0)
            linked(embedding_ND, pairs, LINE, 0.0, "complete")

        found, plain = in_turns(rounds, duplicates, partial(np.matmul, block_BD, block_BD.T))
        products = count * (count - 1) / 2
        speeds = [products / seconds for seconds in found], [side**2 / seconds for seconds in plain]
        shares = spread(ratios(speeds[0], speeds[1]), 2)
        peak = f"{peak_rss(resource.RUSAGE_SELF) / 1e9:.2f}"
        rows.append(
            [f"{count:,}", spread(found, 2), *(spread([2 * FEATURES * s / 1e9 for s in each], 1) for each in speeds)]
        )
        rows[-1] += [shares, peak]
    heads = [
        "images",
        "pairs and groups, s",
        "GFLOP/s",
        "GFLOP/s of a product of matrices",
        "share in a round",
        "peak, GB",
    ]
    return markdown_table(heads, rows)


def measure_index(rounds: int) -> str:
    verifier = open_verifier("bundled")
    rows = []
    for count in SIZES[:3]:
        say(f"index: {count:,}")
        with tempfile.TemporaryDirectory(prefix="omnitwin-benchmark-") as folder:
            photos, output = Path(folder) / "photos", Path(folder) / "index"
            items = []
            for number in range(count):
                path = photos / f"{number // 1000:04}" / f"{number:07}.png"
                if number % 1000 == 0:
                    path.parent.mkdir(parents=True)
                path.write_bytes(str(number).encode())
                there, name = path.stat(), path.relative_to(photos).as_posix()
                items.append(item_of(name, number, there.st_size, there.st_mtime_ns))
            write_index(output, photos, items, verifier, units(count).astype(np.float16))
            config = IndexConfig(places=(photos,), output=output)
            (taken,) = in_turns(rounds, partial(build, config, verifier=verifier))
            size = (output / INDEX_FILE).stat().st_size
        rows.append([f"{count:,}", spread(taken, 2), f"{size / 1e6:.1f}"])
    return markdown_table(["unchanged files", "index again, s", "index, MB"], rows)


def measure_cold(rounds: int) -> str:
    with tempfile.TemporaryDirectory(prefix="omnitwin-benchmark-") as folder:
        os.environ["OMNITWIN_HOME"] = folder
        drawings, files = draw_set("test", alphabets=1).images_NHW.numpy(), []
        for number in range(2):
            files.append(Path(folder) / f"{number}.png")
            Image.fromarray(drawings[number] * np.uint8(255)).save(files[-1])
        verifier = open_verifier("bundled")
        features = verifier.embed([read_image(files[0], view_of(verifier))]).shape[1]
        rows = []
        for count in SIZES[1:3]:
            output = Path(folder) / f"index{count}"
            items = [item_of(f"{number:07}.png", number) for number in range(count)]
            write_index(output, Path(folder), items, verifier, units(count, features=features).astype(np.float16))
            words = ("search", str(files[0]), "--index", str(output), "--quiet")
            found, compared = in_turns(
                rounds, partial(omnitwin, *words), partial(omnitwin, "compare", *map(str, files), "--quiet")
            )
            rows.append([f"{count:,}", spread(found, 2), spread(compared, 2), spread(ratios(found, compared), 2)])
    return markdown_table(["images in the index", "cold search, s", "cold compare, s", "ratio in a round"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=MEASURES)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    machine = hardware()
    print(f"{machine}. n = {options.rounds} rounds in one process, after one of warm-up; median (least to greatest).\n")
    print(MEASURES[options.what](options.rounds))


MEASURES = {"search": measure_search, "pairs": measure_pairs, "index": measure_index, "cold": measure_cold}

if __name__ == "__main__":
    main()
