"""Compare image files: two get a verdict, more are ranked by how probably they show what the first shows.

    omnitwin compare a.png b.png
    omnitwin compare query.png photos/

A network that runs in NumPy answers without torch, whose import alone takes longer than the rest.
"""

import time
from pathlib import Path

import numpy as np

from omnitwin.answers.doubts import doubts_about
from omnitwin.answers.files import find_images, read, read_all
from omnitwin.answers.verifier import Verifier, open_verifier
from omnitwin.config import CompareConfig, RankConfig
from omnitwin.data.pictures import picture_of_image
from omnitwin.images.views import Seen
from omnitwin.metrics.arrays import Array
from omnitwin.reports.answers import BEST, Comparison, ComparisonReport, RankedImage, RankingReport, UnreadImage
from omnitwin.reports.pictures import Picture
from omnitwin.reports.progress import SILENT, Reporter

AT_ONCE = 256  # images that are in memory at a time
FOLLOWED_FROM = 200  # images; progress of fewer is not shown


def judge(
    verifier: Verifier,
    first: Seen,
    second: Seen,
    names: tuple[str, str] = ("the first image", "the second image"),
    always_answer: bool = False,
) -> Comparison:
    """Return whether two images show the same thing; exchanging them changes no bit of the probability.

    The verdict is `unsure` if one of them is nothing that the verifier can judge. always_answer: never `unsure`
    """
    images = (first, second)
    looked = [verifier.look([image]) for image in images]  # alone: a place in a batch may change bits
    (left_1D, (first_novelty,)), (right_1D, (second_novelty,)) = looked
    probability = float(verifier.probability(left_1D, right_1D)[0])
    found = zip(names, images, (first_novelty, second_novelty), strict=True)
    doubts = [reason for each in found for reason in doubts_about(*each, verifier.of_drawings)]
    reasons = () if always_answer else tuple(dict.fromkeys(doubts))  # files of one name may have the same
    return Comparison(
        same=not reasons and probability >= verifier.threshold,
        reasons=reasons,
        probability=probability,
        threshold=verifier.threshold,
        notes=(*first.notes, *second.notes),
        first_novelty=first_novelty,
        second_novelty=second_novelty,
    )


def compare(config: CompareConfig) -> ComparisonReport:
    """Return the probability that both files show the same thing; their order changes no bit of it."""
    verifier = open_verifier(config.checkpoint, config.device, config.threshold)
    forms = not config.always_answer  # of an empty form the verdict says what it is
    first, second = (read(file, verifier, shown=True, forms=forms) for file in (config.first, config.second))
    assert first.shown is not None
    assert second.shown is not None
    answer = judge(verifier, first, second, (config.first.name, config.second.name), config.always_answer)
    notes = [f"{config.first.name}: {note}" for note in first.notes]
    notes += [f"{config.second.name}: {note}" for note in second.notes]
    return ComparisonReport(
        network=verifier.trained(),
        engine=verifier.engine,
        calibrated=verifier.calibration is not None,
        threshold=answer.threshold,
        operating=verifier.operating,
        first=config.first,
        second=config.second,
        same=answer.same,
        reasons=answer.reasons,
        probability=answer.probability,
        notes=tuple(notes),
        first_picture=picture_of_image(first.shown),
        second_picture=picture_of_image(second.shown),
        first_input=picture_of_image(first.image),
        second_input=picture_of_image(second.image),
        first_novelty=answer.first_novelty,
        second_novelty=answer.second_novelty,
    )


def rank(config: RankConfig, reporter: Reporter = SILENT, verifier: Verifier | None = None) -> RankingReport:
    """Rank other images by the probability that they show what the query shows; each is read and embedded once.

    A folder stands for the image files in it, without the query. The report names images that cannot be read or are
    blank. Raises BadImage if the query is one of them.

    verifier: an open one, in place of the one that config names
    """
    verifier = verifier or open_verifier(config.checkpoint, config.device, config.threshold)
    start = time.perf_counter()
    query = read(config.query, verifier)
    found = find_images(config.others, config.query)
    scored = _Scored(verifier, config.query, query, config.always_answer)
    with (reporter if len(found.files) >= FOLLOWED_FROM else SILENT).task(
        "Reading images", len(found.files), "images"
    ) as advance:
        for file, image in read_all(found.files, verifier):
            if isinstance(image, UnreadImage):
                found.unread.append(image)
            else:
                scored.add(file, image)
            advance(1)
    ranked, pictures = scored.ranked()
    seconds = time.perf_counter() - start
    return RankingReport(
        network=verifier.trained(),
        engine=verifier.engine,
        calibrated=verifier.calibration is not None,
        threshold=verifier.threshold,
        operating=verifier.operating,
        query=config.query,
        notes=query.notes,
        novelty=scored.query_novelty,
        query_picture=picture_of_image(query.image),
        ranked=ranked,
        pictures=pictures,
        unread=tuple(found.unread),
        left_out=tuple(found.left_out),
        images=1 + len(ranked),
        seconds=seconds,
        images_per_second=(1 + len(ranked)) / seconds,
    )


class _Scored:
    """Images by the probability that they show what the query shows. Only the most similar keep their pictures.

    Images are embedded in batches, the query in the first: torch's last bits depend on the other images of a batch.
    """

    def __init__(self, verifier: Verifier, file: Path, query: Seen, always_answer: bool) -> None:
        self.verifier, self.query, self.always_answer = verifier, file, always_answer
        self.reasons: list[tuple[str, ...]] = []  # why the verifier cannot tell, of each file with the query
        self.query_1D: Array | None = None  # this and the next two are known from the first batch on
        self.query_novelty: float | None = None
        self.of_query: tuple[str, ...] = ()  # reasons
        self.waiting = [query]
        self.files: list[Path] = []
        self.notes: list[tuple[str, ...]] = []
        self.novelties: list[float | None] = []
        self.logits: list[float] = []
        self.probabilities: list[float] = []
        self.pictures: dict[int, Picture] = {}  # by place among the files

    def add(self, file: Path, image: Seen) -> None:
        self.files.append(file)
        self.notes.append(image.notes)
        self.waiting.append(image)
        if len(self.waiting) == AT_ONCE:
            self._score()

    def ranked(self) -> tuple[tuple[RankedImage, ...], tuple[Picture, ...]]:
        """Return the images, the most similar first, and the pictures of the first BEST."""
        self._score()
        order = np.argsort(-np.array(self.logits), kind="stable").tolist()  # equals keep the order they were given in
        images = tuple(
            RankedImage(
                rank=rank,
                file=self.files[place],
                probability=self.probabilities[place],
                same=not self.reasons[place] and self.probabilities[place] >= self.verifier.threshold,
                reasons=self.reasons[place],
                notes=self.notes[place],
                novelty=self.novelties[place],
            )
            for rank, place in enumerate(order, start=1)
        )
        return images, tuple(self.pictures[place] for place in order[:BEST])

    def _doubts(self, file: Path, image: Seen, novelty: float | None) -> tuple[str, ...]:
        return () if self.always_answer else doubts_about(file.name, image, novelty, self.verifier.of_drawings)

    def _score(self) -> None:
        """Embed and score the images that wait, and drop them."""
        if not self.waiting:
            return
        embeddings_BD, novelties = self.verifier.look(self.waiting)
        if self.query_1D is None:
            self.query_1D, embeddings_BD = embeddings_BD[:1], embeddings_BD[1:]
            self.query_novelty, *novelties = novelties
            self.of_query = self._doubts(self.query, self.waiting.pop(0), self.query_novelty)
        if self.waiting:
            start = len(self.logits)
            logits_B = self.verifier.network.score(self.query_1D, embeddings_BD)
            self.logits += logits_B.tolist()
            self.probabilities += self.verifier.probability_of(logits_B).tolist()
            for file, image, novelty in zip(self.files[start:], self.waiting, novelties, strict=True):
                self.reasons.append((*self.of_query, *self._doubts(file, image, novelty)))
            self.novelties += novelties
            candidates = (*self.pictures, *range(start, len(self.logits)))
            best = sorted(candidates, key=lambda place: (-self.logits[place], place))[:BEST]
            self.pictures = {
                place: self.pictures.get(place) or picture_of_image(self.waiting[place - start].image) for place in best
            }
        self.waiting = []
