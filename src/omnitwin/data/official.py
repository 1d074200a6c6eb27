"""Lake's 20 official one-shot runs (all_runs.zip), read as rows of the test set, from which their drawings come.

    R runs of T trials; W examples (ways) in a run, each of a class of its own

Each run has 20 characters of one alphabet. One person drew the examples, another the queries. The 400 trials ask which
example shows the query's character (Lake et al. 2015, supplement sec. 5.1).
"""

import hashlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from omnitwin.data.episodes import Episodes
from omnitwin.data.imageset import ImageSet
from omnitwin.data.omniglot import DAMAGED, Archive, decode_png, folder_members, zip_members
from omnitwin.data.packed import PackedSet
from omnitwin.errors import DatasetCorrupt
from omnitwin.system import tensorfile

ENDINGS = (".png", ".txt")
FORMAT, FORMAT_VERSION = "omnitwin-official-runs", 1
MOST_ROWS = 1 << 20  # in one of the tensors, and of the examples of all trials; the official runs have 20 x 20 x 20
TENSORS = ("query_RT", "support_RW", "answer_RT")
MEMBER = re.compile(r"run(?P<run>\d\d)/(test/item\d\d\.png|training/class\d\d\.png|class_labels\.txt)")


@dataclass(frozen=True, kw_only=True)
class RunsArchive(Archive):
    """The zip of the official runs."""

    runs: int = 20
    trials: int = 20  # of each run, which has as many examples

    @property
    def images(self) -> int:
        """Examples and queries in the zip."""
        return self.runs * 2 * self.trials


ARCHIVE = RunsArchive(
    name="official runs",
    stem="all_runs",
    folder="one-shot-classification/",
    md5="e8996daecdf12afeeb4a53a179f06b19",
    fingerprint="08bf133ba4f163b5ddf77940a2e89e8ca03c2382615fb3abf37b337b64f13e82",
)

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True, eq=False)
class OfficialRuns:
    """The official runs, as rows of the test set."""

    query_RT: torch.Tensor  # row of each query
    support_RW: torch.Tensor  # row of each example
    answer_RT: torch.Tensor  # the way that shows the query's character

    def episodes(self) -> Episodes:
        """Return all trials in order, run by run."""
        runs, trials = self.query_RT.shape
        support_EWK = self.support_RW[:, None, :, None].expand(runs, trials, -1, 1).flatten(0, 1)
        return Episodes(self.query_RT.flatten(), support_EWK, self.answer_RT.flatten())


def decode_runs(path: Path, test: PackedSet, advance: Callable[[int], None]) -> OfficialRuns:
    """Read the runs from their zip or folder, check their fingerprint and find their drawings in the test set.

    Raises DatasetCorrupt if the fingerprint differs or a drawing is not in the test set.
    """
    images, labels = _read(path, advance)
    seen = fingerprint(images, labels)
    if seen != ARCHIVE.fingerprint:
        raise DatasetCorrupt(f"{path}: not the official runs (fingerprint {seen[:12]}, not {ARCHIVE.fingerprint[:12]})")
    row_of = {image.numpy().tobytes(): row for row, image in enumerate(test.images_NHW)}
    try:
        rows = {name: row_of[image.tobytes()] for name, image in images.items()}
    except KeyError as error:
        raise DatasetCorrupt(f"{path}: a drawing of the official runs is not in {test.name}") from error
    queries, supports, answers = [], [], []
    for _, pairs in sorted(labels.items()):
        examples = sorted({example for _, example in pairs})
        queries.append([rows[query] for query, _ in pairs])
        supports.append([rows[example] for example in examples])
        answers.append([examples.index(example) for _, example in pairs])
    return OfficialRuns(torch.tensor(queries), torch.tensor(supports), torch.tensor(answers))


def holds_runs(path: Path) -> bool:
    """Return whether a zip holds official runs, judged by the names in it."""
    return any(MEMBER.fullmatch(name.removeprefix(f"{ARCHIVE.stem}/")) for name, _ in zip_members(path, ENDINGS))


def fingerprint(images: dict[str, Pixels], labels: dict[str, list[tuple[str, str]]]) -> str:
    """Return the SHA-256 of all pixels (paper 1, ink 0) in the order of their names, then of the names of all pairs."""
    total = hashlib.sha256()
    for name in sorted(images):
        total.update(np.ascontiguousarray(images[name]).data)
    for run in sorted(labels):
        total.update("".join(f"{query} {example}\n" for query, example in labels[run]).encode())
    return total.hexdigest()


def _read(path: Path, advance: Callable[[int], None]) -> tuple[dict[str, Pixels], dict[str, list[tuple[str, str]]]]:
    members = folder_members(path, ENDINGS) if path.is_dir() else zip_members(path, ENDINGS)
    images: dict[str, Pixels] = {}
    labels: dict[str, list[tuple[str, str]]] = {}
    for name, read in members:
        name = name.removeprefix(f"{ARCHIVE.stem}/")
        match = MEMBER.fullmatch(name)
        if match is None:
            raise DatasetCorrupt(f"{path}: {name!r} belongs to no official run")
        if name.endswith(".png"):
            images[name] = decode_png(read, f"{path}: {name}")
            advance(1)
        else:
            run = match["run"]
            lines = [line.split() for line in _text(read, f"{path}: {name}").splitlines() if line.strip()]
            if not all(len(line) == 2 for line in lines):
                raise DatasetCorrupt(f"{path}: {name} is no list of pairs")
            labels[run] = [(query, example) for query, example in lines]
    return images, labels


def _text(read: Callable[[], bytes], where: str) -> str:
    try:
        return read().decode("ascii", errors="replace")
    except DAMAGED as error:
        raise DatasetCorrupt(f"{where} cannot be read: {error}") from error


def save_runs(path: Path, runs: OfficialRuns, test: PackedSet) -> None:
    """Write the runs as rows of a test set; the file is complete or absent."""
    tensors = {name: getattr(runs, name).to(torch.int32) for name in TENSORS}
    record = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "fingerprint": ARCHIVE.fingerprint,
        "test": test.fingerprint,
        "crc32": tensorfile.checksum(tensors.values()),
    }
    tensorfile.save_tensors(path, tensors, record)


def load_runs(path: Path, test: ImageSet) -> OfficialRuns:
    """Read packed runs; DatasetCorrupt if they are damaged, of another format, or rows of another set."""
    try:
        if problem := tensorfile.header_problem(path):
            raise DatasetCorrupt(f"{path} cannot be read: {problem}")
        with safe_open(path, framework="pt") as file:
            record = tensorfile.read_record(file)
            wanted = (FORMAT, FORMAT_VERSION, ARCHIVE.fingerprint, test.fingerprint)
            if tuple(record[name] for name in ("format", "format_version", "fingerprint", "test")) != wanted:
                raise DatasetCorrupt(f"{path} does not hold the official runs of {test.name}")
            layout = tensorfile.layout_of(file)
            if any(layout[name][1] != "int32" or math.prod(layout[name][0]) > MOST_ROWS for name in TENSORS):
                raise DatasetCorrupt(f"{path} holds impossible runs")
            tensors = {name: file.get_tensor(name) for name in TENSORS}
        if not _possible(tensors, len(test)):
            raise DatasetCorrupt(f"{path} holds impossible runs")
        if tensorfile.checksum(tensors.values()) != record["crc32"]:
            raise DatasetCorrupt(f"{path} is damaged: its rows are not those that were written")
        return OfficialRuns(**{name: tensor.long() for name, tensor in tensors.items()})
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DatasetCorrupt(f"{path} cannot be read: {error}") from error


def _possible(tensors: dict[str, torch.Tensor], images: int) -> bool:
    """Return whether the shapes fit each other and every number is in range."""
    query_RT, support_RW, answer_RT = (tensors[name] for name in TENSORS)
    if query_RT.shape != answer_RT.shape or any(tensor.dim() != 2 or not tensor.numel() for tensor in tensors.values()):
        return False
    if query_RT.numel() * support_RW.shape[1] > MOST_ROWS:  # as episodes() has them
        return False
    limits = ((query_RT, images), (support_RW, images), (answer_RT, support_RW.shape[1]))
    return len(support_RW) == len(query_RT) and all(
        int(tensor.min()) >= 0 and int(tensor.max()) < limit for tensor, limit in limits
    )
