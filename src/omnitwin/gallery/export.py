"""Write the embeddings of image files to a file that other programs read.

    embed_images(EmbedConfig(places=(Path("photos"),), output=Path("photos.npz")))
    numpy.load("photos.npz")["embeddings"].shape  # (N, 256)

N images, D numbers in an embedding

`.npz` has arrays `embeddings` (N, D) float32, `paths`, `sha256`, `width` and `height` (N). `.csv` and `.parquet` have a
row an image, with the columns path, sha256, width, height, and the numbers: e0, e1 and so on in CSV, a list `embedding`
in Parquet. Paths are absolute.
"""

import csv
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from omnitwin.answers.verifier import Verifier, open_verifier
from omnitwin.config import EmbedConfig
from omnitwin.errors import BadInput
from omnitwin.gallery.embedding import Embedded, Wanted, embed_files, separated
from omnitwin.gallery.finding import find
from omnitwin.reports.galleries import EmbedReport
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.system.files import check_replaceable, check_writable, replacing

Write = Callable[[Path, Sequence[str], Sequence[Embedded]], None]


def embed_images(config: EmbedConfig, reporter: Reporter = SILENT, verifier: Verifier | None = None) -> EmbedReport:
    """Embed image files, and write the embeddings to config.output in one step.

    verifier: an open one, in place of the one that config names

    Raises BadInput for an ending that nobody writes, for Parquet without pyarrow, if places are missing, or if no image
    can be read; CannotWrite.
    """
    start = time.perf_counter()
    write = _writer_of(config.output)
    check_replaceable(config.output)
    check_writable(config.output)
    verifier = verifier or open_verifier(config.checkpoint, config.device)
    found = find(config.places, config.exclude, config.listed)
    wanted = [Wanted(name=file.name, path=file.path) for file in found.files]
    embedded, unread = separated(embed_files(wanted, verifier, reporter, config.processes))
    paths = [str(found.root / each.item.name) for each in embedded]
    with replacing(config.output) as temporary:
        write(temporary, paths, embedded)
    seconds = time.perf_counter() - start
    return EmbedReport(
        output=config.output,
        network=verifier.trained(),
        images=len(embedded),
        features=len(embedded[0].embedding_D),
        unread=(*found.unread, *unread),
        links=found.links,
        seconds=seconds,
        images_per_second=len(embedded) / seconds,
    )


def check_output(path: Path) -> None:
    """Raise BadInput for a file that cannot be written by its name. Call it before the work whose result goes there."""
    _writer_of(path)


def _writer_of(path: Path) -> Write:
    write = WRITERS.get(path.suffix.lower())
    if write is None:
        raise BadInput(f"{path} does not end like a file of embeddings", f"Name it FILE{', FILE'.join(WRITERS)}.")
    if write is _write_parquet and find_spec("pyarrow") is None:
        raise BadInput("Parquet needs pyarrow, which is not here", "Run: pip install pyarrow; or name FILE.npz.")
    return write


def _write_npz(target: Path, paths: Sequence[str], embedded: Sequence[Embedded]) -> None:
    with target.open("wb") as file:
        np.savez(
            file,
            embeddings=np.stack([each.embedding_D for each in embedded]),
            paths=np.array(paths),
            sha256=np.array([each.item.sha256 for each in embedded]),
            width=np.array([each.item.width for each in embedded], np.int32),
            height=np.array([each.item.height for each in embedded], np.int32),
        )


def _write_csv(target: Path, paths: Sequence[str], embedded: Sequence[Embedded]) -> None:
    with target.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)  # a name may hold a carriage return
        rows.writerow([*FACTS, *(f"e{place}" for place in range(len(embedded[0].embedding_D)))])
        for path, each in zip(paths, embedded, strict=True):
            facts = (path, each.item.sha256, each.item.width, each.item.height)
            rows.writerow([*facts, *each.embedding_D])  # each number in the shortest text that gives the same float32


def _write_parquet(target: Path, paths: Sequence[str], embedded: Sequence[Embedded]) -> None:
    import pyarrow
    import pyarrow.parquet

    columns = (
        [path.encode("utf-8", "backslashreplace").decode() for path in paths],  # Parquet's texts are Unicode
        [each.item.sha256 for each in embedded],
        [each.item.width for each in embedded],
        [each.item.height for each in embedded],
    )
    numbers_N = np.concatenate([each.embedding_D for each in embedded])
    embeddings = pyarrow.FixedSizeListArray.from_arrays(numbers_N, len(embedded[0].embedding_D))
    table = pyarrow.table([*columns, embeddings], names=[*FACTS, "embedding"])
    pyarrow.parquet.write_table(table, target)


FACTS = ("path", "sha256", "width", "height")
WRITERS: dict[str, Write] = {".npz": _write_npz, ".csv": _write_csv, ".parquet": _write_parquet}
