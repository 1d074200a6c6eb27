"""Show random images of a data set with their labels, and random pairs as training draws them (`omnitwin show`)."""

import torch

from omnitwin.config import ShowConfig
from omnitwin.data.catalogue import open_images
from omnitwin.data.imageset import check_pairable
from omnitwin.data.pairs import draw_pairs
from omnitwin.data.pictures import scored_pair
from omnitwin.errors import BadInput
from omnitwin.reports.data import ShowReport
from omnitwin.reports.pictures import LabelledPicture
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.system.randomness import Stream, random_generator


def show(config: ShowConfig, reporter: Reporter = SILENT) -> ShowReport:
    """Draw config.images different images and config.pairs pairs; the same seed draws the same.

    Raises BadInput if the set has fewer images, or if no pairs can be drawn.
    """
    packed = open_images(config.dataset, config.subset, config.source, reporter)
    check_pairable(packed)
    if config.images > len(packed):
        raise BadInput(
            f"{packed.name} has {len(packed):,} images, fewer than {config.images:,}", f"Show up to {len(packed):,}."
        )
    cpu = torch.device("cpu")
    order = torch.randperm(len(packed), generator=random_generator(cpu, config.seed, Stream.BROWSED_IMAGES))
    pairs = draw_pairs(packed, config.pairs, random_generator(cpu, config.seed, Stream.BROWSED_PAIRS))
    rows = zip(pairs.left_B.tolist(), pairs.right_B.tolist(), pairs.similar_B.tolist(), strict=True)
    return ShowReport(
        dataset=packed.name,
        subset=config.subset,
        seed=config.seed,
        images=tuple(
            LabelledPicture(picture=packed.picture(row), label=packed.label(row))
            for row in order[: config.images].tolist()
        ),
        pairs=tuple(scored_pair(packed, left, right, similar) for left, right, similar in rows),
    )
