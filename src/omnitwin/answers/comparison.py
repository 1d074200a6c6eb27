"""`omnitwin compare`: do image files show the same thing? Two get a verdict, more are ranked by how similar they are.

A network that runs in NumPy answers without torch, whose import alone takes longer than the rest.
"""

import os
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from omnitwin.answers.verifier import Verifier, open_verifier
from omnitwin.config import CompareConfig, RankConfig
from omnitwin.data.pictures import picture_of_image
from omnitwin.errors import BadImage, BadInput
from omnitwin.images.intake import OUTSIDE_PROGRAMS, Intake, read_image
from omnitwin.reports.answers import ComparisonReport, RankedImage, RankingReport, UnreadImage
from omnitwin.reports.progress import SILENT, Reporter

FOLLOWED_FROM = 200  # images: fewer are read before anybody wonders


def compare(config: CompareConfig) -> ComparisonReport:
    """Return the probability that both files show the same thing; their order changes no bit of it."""
    verifier = open_verifier(config.checkpoint, config.device, config.threshold)
    first, second = intakes = [_read(file, verifier) for file in (config.first, config.second)]
    left_1D, right_1D = np.split(verifier.embed(intakes), 2)
    probability = float(verifier.probability(left_1D, right_1D)[0])
    first_novelty, second_novelty = verifier.novelties(intakes)
    notes = [f"{config.first.name}: {note}" for note in first.notes]
    notes += [f"{config.second.name}: {note}" for note in second.notes]
    return ComparisonReport(
        network=verifier.trained(),
        engine=verifier.engine,
        calibrated=verifier.calibration is not None,
        threshold=verifier.threshold,
        first=config.first,
        second=config.second,
        same=probability >= verifier.threshold,
        probability=probability,
        notes=tuple(notes),
        first_picture=picture_of_image(first.shown),
        second_picture=picture_of_image(second.shown),
        first_input=picture_of_image(first.image),
        second_input=picture_of_image(second.image),
        first_novelty=first_novelty,
        second_novelty=second_novelty,
    )


def rank(config: RankConfig, reporter: Reporter = SILENT) -> RankingReport:
    """All other images by the probability that they show what the query shows; each is embedded once.

    A folder stands for the images in it, and the query among them is left out. What cannot be read, or is blank, is
    named in the report; BadImage where it is the query.
    """
    verifier = open_verifier(config.checkpoint, config.device, config.threshold)
    start = time.perf_counter()
    intakes = {config.query: _read(config.query, verifier)}
    files, unread = _images_of(config.others, config.query)
    shown_by = reporter if len(files) >= FOLLOWED_FROM else SILENT
    with shown_by.task("Reading images", len(files), "images") as advance:
        for file in files:
            try:
                intakes[file] = _read(file, verifier)
            except BadImage as error:
                unread.append(UnreadImage(file=file, problem=error.line()))
            advance(1)
    novelties = verifier.novelties(list(intakes.values()))
    embeddings_ND = verifier.embed(list(intakes.values()))
    found = list(intakes)[1:]
    logits_B = verifier.network.score(embeddings_ND[:1], embeddings_ND[1:])
    probabilities_B = verifier.probability(embeddings_ND[:1], embeddings_ND[1:])
    seconds = time.perf_counter() - start
    return RankingReport(
        network=verifier.trained(),
        engine=verifier.engine,
        calibrated=verifier.calibration is not None,
        threshold=verifier.threshold,
        query=config.query,
        notes=intakes[config.query].notes,
        novelty=novelties[0],
        query_picture=picture_of_image(intakes[config.query].image),
        ranked=tuple(
            RankedImage(
                rank=number,
                file=found[place],
                probability=float(probabilities_B[place]),
                same=bool(probabilities_B[place] >= verifier.threshold),
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


def _read(path: Path, verifier: Verifier) -> Intake:
    """Return a file as the verifier sees it; raise BadImage if nothing but paper is left of it."""
    assert verifier.image_size is not None
    intake = read_image(path, verifier.image_size, verifier.frame)
    if intake.blank:
        raise BadImage(f"{path} is blank, or nothing in it stands out from its paper", "Give an image with ink on it.")
    return intake


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
