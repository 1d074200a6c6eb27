"""`omnitwin compare`: do image files show the same thing? Two get a verdict, more are ranked by how similar they are.

A network that runs in NumPy answers without torch, whose import alone takes longer than the rest.
"""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from omnitwin.config import AnswerConfig, CompareConfig, RankConfig
from omnitwin.data.pictures import picture_of_image
from omnitwin.errors import BadCheckpoint, BadImage, BadInput
from omnitwin.images.framing import WHITE
from omnitwin.images.intake import OUTSIDE_PROGRAMS, Intake, read_image
from omnitwin.images.novelty import Array, novelty, statistics
from omnitwin.metrics.calibration import calibrated, sigmoid
from omnitwin.model.description import Description, read_description
from omnitwin.model.locating import BUNDLED_WEIGHTS, locate_checkpoint
from omnitwin.model.numpy_twin import load_numpy, runs_in_numpy
from omnitwin.recipes import Network
from omnitwin.reports.answers import ComparisonReport, RankedImage, RankingReport, UnreadImage
from omnitwin.reports.progress import SILENT, Reporter

FOLLOWED_FROM = 200  # images: fewer are read before anybody wonders


class Embedder(Protocol):
    """See NumpyTwin."""

    def embed(self, images_BSS: Array, /) -> Array: ...
    def score(self, left_BD: Array, right_BD: Array, /) -> Array: ...


def compare(config: CompareConfig) -> ComparisonReport:
    """Probability that both files show the same thing, by the network's own pair score; the order does not matter."""
    path = locate_checkpoint(config.checkpoint)
    network, description, engine = load_network(path, config.device)
    first, second = (_read(file, description.network) for file in (config.first, config.second))
    left_1D, right_1D = np.split(network.embed(_stack([first, second])), 2)
    probability = float(_probability(network.score(left_1D, right_1D), path, description)[0])
    novelties = _novelty([first, second], description)
    notes = [f"{config.first.name}: {note}" for note in first.notes]
    notes += [f"{config.second.name}: {note}" for note in second.notes]
    answer = _answer(config, path, description, engine)
    return ComparisonReport(
        **answer,
        first=config.first,
        second=config.second,
        same=probability >= answer["threshold"],
        probability=probability,
        notes=tuple(notes),
        first_picture=picture_of_image(first.shown),
        second_picture=picture_of_image(second.shown),
        first_input=picture_of_image(first.image),
        second_input=picture_of_image(second.image),
        first_novelty=novelties[0],
        second_novelty=novelties[1],
    )


def rank(config: RankConfig, reporter: Reporter = SILENT) -> RankingReport:
    """All other images by the probability that they show what the query shows; each is embedded once.

    A folder stands for the images in it, and the query among them is left out. What cannot be read, or is blank, is
    named in the report; BadImage where it is the query.
    """
    path = locate_checkpoint(config.checkpoint)
    network, description, engine = load_network(path, config.device)
    start = time.perf_counter()
    intakes = {config.query: _read(config.query, description.network)}
    files, unread = _images_of(config.others, config.query)
    shown_by = reporter if len(files) >= FOLLOWED_FROM else SILENT
    with shown_by.task("Reading images", len(files), "images") as advance:
        for file in files:
            try:
                intakes[file] = _read(file, description.network)
            except BadImage as error:
                unread.append(UnreadImage(file=file, problem=error.line()))
            advance(1)
    novelties = _novelty(intakes.values(), description)
    embeddings_ND = network.embed(_stack(intakes.values()))
    found = list(intakes)[1:]
    logits_B = network.score(embeddings_ND[:1], embeddings_ND[1:])
    probabilities_B = _probability(logits_B, path, description)
    seconds = time.perf_counter() - start
    answer = _answer(config, path, description, engine)
    return RankingReport(
        **answer,
        query=config.query,
        notes=intakes[config.query].notes,
        novelty=novelties[0],
        query_picture=picture_of_image(intakes[config.query].image),
        ranked=tuple(
            RankedImage(
                rank=number,
                file=found[place],
                probability=float(probabilities_B[place]),
                same=bool(probabilities_B[place] >= answer["threshold"]),
                notes=intakes[found[place]].notes,
                novelty=novelties[1 + place],
                picture=picture_of_image(intakes[found[place]].image),
            )
            for number, place in enumerate(np.argsort(-logits_B, kind="stable").tolist(), start=1)
        ),
        unread=tuple(unread),
        images=len(intakes),
        seconds=seconds,
        images_per_second=len(intakes) / seconds,
    )


def load_network(path: Path, device: str) -> tuple[Embedder, Description, str]:
    """The network of a weights file with its description, and what runs it: `numpy` on a CPU where it can be."""
    if device == "cpu" and runs_in_numpy(read_description(path).network):
        return *load_numpy(path), "numpy"
    from omnitwin.answers.engines import load_torch

    return *load_torch(path, device), "torch"


def _read(path: Path, seeing: Network) -> Intake:
    """A file as that network sees it; BadImage where that is nothing but paper."""
    intake = read_image(path, seeing.image_size, seeing.frame)
    if intake.blank:
        raise BadImage(f"{path} is blank, or nothing in it stands out from its paper", "Give an image with ink on it.")
    return intake


def _novelty(intakes: Iterable[Intake], description: Description) -> list[float | None]:
    """How unlike any known drawing each image is, above 1 more than any should be; None where nobody can tell."""
    intakes = list(intakes)
    if description.novelty is None:
        return [None] * len(intakes)
    squares_NSS = np.stack([np.asarray(intake.image) for intake in intakes])
    known = statistics(squares_NSS, np.array([intake.unrest for intake in intakes]))
    return [float(one) for one in novelty(known, description.novelty)]


def _images_of(places: Iterable[Path], query: Path) -> tuple[list[Path], list[UnreadImage]]:
    """Files as they are and folders as the images in them, by name; none twice, the query never. And empty folders.

    Spellings and links of one file are one: the first given counts. BadInput where there is only the query.
    """
    files: dict[str, Path] = {}
    empty = []
    for place in places:
        if not os.path.isdir(place):
            files.setdefault(os.path.realpath(place), place)
            continue
        try:
            inside = sorted(path for path in place.iterdir() if _looks_like_an_image(path))
            problem = f"{place} holds no images."
        except OSError as error:
            inside, problem = [], f"{place} may not be read: {error.strerror}."
        for path in inside:
            files.setdefault(os.path.realpath(path), path)
        if not inside:
            empty.append(UnreadImage(file=place, problem=problem))
    files.pop(os.path.realpath(query), None)
    if not files and not empty:
        raise BadInput(f"Nothing is left to rank: {query} itself was the only image given", "Name others, too.")
    return list(files.values()), empty


def _looks_like_an_image(path: Path) -> bool:
    kind = Image.registered_extensions().get(path.suffix.lower())
    return kind in Image.OPEN and kind not in OUTSIDE_PROGRAMS and not path.name.startswith(".") and path.is_file()


def _stack(intakes: Iterable[Intake]) -> Array:
    """(B, S, S) float32, ink 0 and paper 1."""
    return np.stack([np.asarray(intake.image) for intake in intakes]).astype(np.float32) / WHITE


def _probability(logits_B: Array, path: Path, description: Description) -> Array:
    """BadCheckpoint where one is no number: it is neither `same` nor `different`."""
    with np.errstate(all="ignore"):
        probability_B = sigmoid(calibrated(logits_B, description.calibration))
    if np.isnan(probability_B).any():
        raise BadCheckpoint(f"{path} gives no answer: its weights lead to numbers that are not finite")
    return probability_B


def _answer(config: AnswerConfig, path: Path, description: Description, engine: str) -> dict[str, Any]:
    """The fields of reports.Answer."""
    return {
        "checkpoint": path,
        "bundled": path == BUNDLED_WEIGHTS,
        "recipe": description.recipe_name,
        "iteration": description.iteration,
        "iterations": description.iterations,
        "engine": engine,
        "calibrated": description.calibration is not None,
        "threshold": description.threshold if config.threshold is None else config.threshold,
    }
