"""Write a calibrated verifier: a run's folder with a network's tensors, and its own threshold and calibration.

The folder holds weights.safetensors and config.json, which says from which network it is. There is nothing to resume.
"""

import json
import math
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from omnitwin import __version__
from omnitwin.answers.sample import AT_ONCE, Sample, digest_of
from omnitwin.answers.verifier import Verifier
from omnitwin.config import CalibrateConfig, check_run_name
from omnitwin.errors import BadCheckpoint, BadInput
from omnitwin.metrics.arrays import Array
from omnitwin.model.description import FORMAT, record_for
from omnitwin.model.familiarity import FALSE_ALARMS
from omnitwin.recipes import View
from omnitwin.reports.calibrating import Calibrated
from omnitwin.reports.operating import OperatingPoint
from omnitwin.system.files import digest, write_text
from omnitwin.system.locks import comes_and_goes, hold
from omnitwin.system.paths import BUNDLED, CONFIG_FILE, WEIGHTS_FILE, runs_folder, unlinked
from omnitwin.system.plain import is_link, read_text
from omnitwin.system.portions import portions
from omnitwin.system.tensorfile import copy_tensors

if TYPE_CHECKING:
    from omnitwin.data.imageset import ImageSet  # imports torch, which an answer may not need

CONFIG_FORMAT, CONFIG_VERSION = "omnitwin-calibrated", 1  # of config.json
LONGEST = 60  # characters of a name that is made, of up to 4 bytes each
MOST_TIMES = 1e9  # that a limit grows
LIMITS = {"limit", "distance_limit", "unrest_limit"}  # in the records of what is familiar


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What a calibrated verifier has of its own."""

    threshold: float
    calibration: dict[str, float] | None
    operating: OperatingPoint


def free_folder(config: CalibrateConfig, verifier: Verifier) -> Path:
    """Return the new verifier's folder. Raises BadInput if it is there already."""
    runs = runs_folder()
    if config.name is not None:
        folder = unlinked(runs / config.name)
        if not _is_free(folder):
            raise BadInput(f"{folder} is there already", "Choose another --name.")
        return folder
    assert verifier.path is not None
    path = verifier.path
    who = BUNDLED if verifier.bundled else path.parent.name if path.parent.parent == runs else path.stem
    words = re.sub(r"[^\w-]+", "-", f"{who}-{Path(os.path.realpath(config.data)).stem}").strip("-")[:LONGEST]
    names = (words if number == 1 else f"{words}-{number}" for number in range(1, 10_000))
    name = next(name for name in names if not os.path.lexists(runs / name))
    check_run_name(name)
    return unlinked(runs / name)


def _is_free(folder: Path) -> bool:
    """Return whether nothing is there but what a killed process left of its beginning."""
    if not os.path.lexists(folder):
        return True
    return folder.is_dir() and not is_link(folder) and all(comes_and_goes(path) for path in folder.iterdir())


def write_calibrated(
    config: CalibrateConfig, folder: Path, verifier: Verifier, fitted: Fitted, sample: Sample
) -> Calibrated:
    """Write the same tensors with a new record. The folder holds a whole verifier, or is not there."""
    assert verifier.path is not None
    assert verifier.description is not None
    changed = replace(
        verifier.description,
        threshold=fitted.threshold,
        calibration=fitted.calibration,
        operating=fitted.operating,
        novelty=_widened(verifier.description.novelty, sample.novelty_N),
        familiarity=_widened(verifier.description.familiarity, sample.novelty_N),
    )
    record = {
        "format": CONFIG_FORMAT,
        "format_version": CONFIG_VERSION,
        "omnitwin": __version__,
        "calibrated_from": str(verifier.path),
        "sha256": verifier.sha256,
        "data": str(config.data.absolute()),
        "label_from": config.pattern,
        "target": fitted.operating.target,
        "images": len(sample.class_N),
        "classes": list(sample.class_names),
        "digests": list(sample.digests),
    }
    with hold(folder):
        if not _is_free(folder):
            raise BadInput(f"{folder} is there already", "Choose another --name.")
        weights = folder / WEIGHTS_FILE
        try:
            copied = copy_tensors(verifier.path, weights, record_for(FORMAT, changed))
        except (OSError, ValueError) as error:
            raise BadCheckpoint(f"{verifier.path} cannot be read again: {error}") from error
        if copied != verifier.sha256:
            weights.unlink()
            raise BadCheckpoint(f"{verifier.path} has changed since it was opened", "Calibrate again.")
        try:
            write_text(folder / CONFIG_FILE, json.dumps(record, indent=2, sort_keys=True) + "\n")
        except BaseException:
            with suppress(OSError):
                weights.unlink()
            raise
        return Calibrated(name=folder.name, folder=folder, weights=weights, weights_sha256=digest(weights, "sha256"))


def has_chosen(verifier: Verifier, images: "ImageSet") -> bool:
    """Return whether some of these images chose the threshold of a calibrated verifier, wherever they lie now.

    Its config has a digest of what the network saw of each. Without that config, all images of a place with the name in
    the verifier's file are taken for them: a warning too many is better than one too few.
    """
    assert verifier.path is not None
    assert verifier.description is not None
    chose: set[str] | None = None
    with suppress(OSError, KeyError, TypeError, ValueError, RecursionError):
        record = json.loads(read_text(verifier.path.with_name(CONFIG_FILE)))
        if record["format"] == CONFIG_FORMAT:
            chose = set(record["digests"])
    if chose is not None:
        return not chose.isdisjoint(_digests(images, verifier.description.network.view))
    point = verifier.description.operating
    return point is not None and point.data == images.name.rpartition("/")[0]


def _digests(images: "ImageSet", view: View) -> Iterator[str]:
    """Yield the digest of what a network with this view sees of each image."""
    framed = images.framed(view)
    for part in portions(len(framed), AT_ONCE, max(view.height, view.width)):
        rows_B = framed.class_N.new_tensor(range(part.start, part.stop))
        pixels_BCHW = framed.gather(rows_B).mul(255).round().byte().cpu().numpy()
        yield from map(digest_of, pixels_BCHW)


def _widened(record: dict[str, Any] | None, novelty_N: Array) -> dict[str, Any] | None:
    """Return a record with limits beyond which few of these images are: they are familiar from now on."""
    if record is None or not len(novelty_N):
        return record
    times = min(max(1.0, float(np.quantile(novelty_N, 1 - FALSE_ALARMS))), MOST_TIMES)
    if "weights" in record:  # its limit is of log odds
        return {**record, "limit": record["limit"] + math.log(times)}
    return {**record, **{name: record[name] * times for name in LIMITS & record.keys()}}
