"""All kinds of hostile input by their names, and what of this program they make small."""

import os
from collections.abc import Iterable
from functools import partial

import costly_cases
import hostile_cases
import image_cases
import pytest
import record_cases
import server_cases
import tensor_cases
import word_cases
import zip_cases
from harness import Make

from omnitwin.data import acquire, official, omniglot, synthetic
from omnitwin.exams import all_pairs as exam_curves
from omnitwin.exams import beyond as exam_variations
from omnitwin.metrics import resampling
from omnitwin.system.fetch import fetch
from omnitwin.training import heldout

KINDS: dict[str, Make] = {
    "images": image_cases.image_case,
    "bombs": image_cases.bomb_case,
    "costly": costly_cases.costly_case,
    "places": image_cases.odd_place_case,
    "zips": zip_cases.zip_case,
    "folders": zip_cases.folder_case,
    "checkpoints": tensor_cases.checkpoint_case,
    "packed": tensor_cases.packed_case,
    "records": record_cases.record_case,
    "hostile": hostile_cases.hostile_case,
    "servers": server_cases.server_case,
    "words": word_cases.words_case,
    "work": word_cases.work_case,
}
WEIGHTS = {"images": 12, "bombs": 1, "places": 1, "zips": 6, "folders": 1, "checkpoints": 8, "packed": 3, "records": 4}
WEIGHTS |= {"hostile": 4, "costly": 2, "servers": 4}
WEIGHTS |= {"words": 8, "work": 3}


def do_little_work(patch: pytest.MonkeyPatch) -> None:
    """The data sets and exams become small, so that where an input is accepted, what follows is over soon."""
    patch.setattr(os, "fsync", lambda handle: None)  # nothing has to outlast a power cut
    patch.setattr(synthetic, "ALPHABETS", {"training": 7, "test": 2})
    patch.setattr(synthetic, "CHARACTERS", 6)
    patch.setattr(heldout, "MOST_IMAGES", 60)
    patch.setattr(exam_variations, "BEYOND_PAIRS", 5)
    patch.setattr(exam_variations, "EMPTY_PAIRS", 5)
    for name in ("class_replicates", "group_replicates"):
        patch.setattr(exam_curves, name, partial(getattr(resampling, name), count=20))
    quick = partial(fetch, limits=server_cases.LIMITS, pause=lambda seconds: None)
    patch.setattr(acquire, "fetch", quick)
    fake = zip_cases.fake_omniglot()
    patch.setattr(omniglot, "SETS", fake.sets)
    patch.setattr(official, "ARCHIVE", fake.runs)


def share(kind: str, inputs: int, of: Iterable[str]) -> int:
    """How many of so many inputs are of a kind: as many of each as WEIGHTS say, and one at least."""
    chosen = {name: WEIGHTS[name] for name in of}
    return max(1, -(-inputs * chosen[kind] // sum(chosen.values())))
