"""A ranking of more images than are held at once is that of its pairs, and keeps pictures of the best alone."""

import shutil
from collections import Counter
from dataclasses import dataclass, field, fields, replace

import numpy as np
import pytest
from PIL import Image

from omnitwin.answers.comparison import AT_ONCE, compare, rank
from omnitwin.answers.files import read
from omnitwin.answers.twin import Twin
from omnitwin.answers.verifier import Network, open_verifier
from omnitwin.config import CompareConfig, RankConfig
from omnitwin.data.pictures import picture_of_image
from omnitwin.reports.answers import Comparison

DIFFERENT, COPIES = 20, AT_ONCE // 10  # more than are held at once, and many of them alike


@pytest.fixture
def folder(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (DIFFERENT, 5, 5), dtype=np.uint8)
    folder = tmp_path / "many"
    folder.mkdir()
    for number, blots in enumerate(noise):
        Image.fromarray(blots).resize((40, 40)).save(folder / f"{number:02d} 00.png")
        for copy in range(1, COPIES):
            shutil.copy(folder / f"{number:02d} 00.png", folder / f"{number:02d} {copy:02d}.png")
    return folder


def test_the_ranking_is_that_of_the_pairs_and_the_best_pictures_are_those_of_the_best(folder):
    query = folder / "03 00.png"
    report = rank(RankConfig(query=query, others=(folder,)))
    verifier = open_verifier()
    seen = {number: read(folder / f"{number:02d} 00.png", verifier) for number in range(DIFFERENT)}
    embeddings = {number: verifier.embed([intake]) for number, intake in seen.items()}
    probability = {
        number: verifier.probability(embeddings[3], embedding).item() for number, embedding in embeddings.items()
    }
    files = [path for path in sorted(folder.iterdir()) if path != query]
    assert len(files) > AT_ONCE
    expected = sorted(files, key=lambda path: -probability[int(path.name[:2])])  # stable: equals in their order
    assert [image.file for image in report.ranked] == expected
    assert [image.probability for image in report.ranked] == [probability[int(path.name[:2])] for path in expected]
    assert report.pictures == tuple(picture_of_image(seen[int(path.name[:2])].image) for path in expected[:10])


@dataclass
class Counting:
    """A network that counts the pairs that it scores."""

    network: Network
    counts: Counter = field(default_factory=Counter)

    def embed(self, images_BCHW):
        self.counts["images"] += len(images_BCHW)
        return self.network.embed(images_BCHW)

    def features(self, images_BCHW):
        self.counts["images"] += len(images_BCHW)
        return self.network.features(images_BCHW)

    def scaled(self, features_BD):
        return self.network.scaled(features_BD)

    def score(self, left_BD, right_BD):
        self.counts["pairs"] += max(len(left_BD), len(right_BD))
        return self.network.score(left_BD, right_BD)


def test_a_ranking_scores_each_image_once(folder):
    verifier = open_verifier()
    network = Counting(verifier.network)
    report = rank(RankConfig(query=folder / "03 00.png", others=(folder,)), verifier=replace(verifier, network=network))
    assert network.counts["pairs"] == len(report.ranked) == DIFFERENT * COPIES - 1
    assert network.counts["images"] == DIFFERENT * COPIES  # the query, too


def test_a_comparison_of_files_and_one_of_opened_images_are_the_same_answer(folder):
    first, second = folder / "03 00.png", folder / "04 00.png"
    report = compare(CompareConfig(first=first, second=second))
    answer = Twin(open_verifier()).compare(first, second)
    shared = {
        each.name: getattr(report, each.name)
        for each in fields(Comparison)
        if each.init and each.name not in ("notes", "reasons")
    }
    assert answer == Comparison(**shared, notes=answer.notes, reasons=answer.reasons)
    assert [why.partition(": ")[2] for why in report.reasons] == [why.partition(": ")[2] for why in answer.reasons]
    assert [note.partition(": ")[2] for note in report.notes] == list(answer.notes)
