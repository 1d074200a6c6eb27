"""A ranking of more images than are held at once is that of its pairs, and keeps pictures of the best alone."""

import shutil

import numpy as np
import pytest
from PIL import Image

from omnitwin.answers.comparison import AT_ONCE, rank
from omnitwin.answers.files import read
from omnitwin.answers.verifier import open_verifier
from omnitwin.config import RankConfig
from omnitwin.data.pictures import picture_of_image

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
