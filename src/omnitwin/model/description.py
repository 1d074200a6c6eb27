"""What a checkpoint says of itself: all that can be known of one without torch.

A checkpoint is one safetensors file with the network's tensors and, under the single metadata key `omnitwin`, one
sorted JSON record; equal weights therefore give equal bytes. Nothing is ever pickled.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from omnitwin.errors import BadCheckpoint, BadInput
from omnitwin.model.anatomy import Layout, check
from omnitwin.recipes import Recipe
from omnitwin.system.paths import WEIGHTS_FILE, is_endless
from omnitwin.system.tensorfile import read_record

FORMAT = "omnitwin-checkpoint"
FORMAT_VERSION = 3
READABLE_VERSIONS = (1, 2, 3)  # 1 knew neither calibration nor held-out alphabets, 2 no novelty
STATE_FORMAT = "omnitwin-training-state"
NOVELTY_STATISTICS = 8  # of the ink, see metrics.novelty


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a checkpoint says of itself.

    threshold: probability from which a pair counts as similar; ink: grey of the strokes the network saw, paper is
    1 - ink; dataset: name of the set it was trained on, with the fingerprint of its pixels; held_out: the alphabets of
    that set which it never saw. calibration: temperature and bias of the logit, or None for the logit as it is.
    novelty: what metrics.novelty knows known drawings by, or None where nothing was fitted.
    """

    recipe: Recipe
    iteration: int
    precision: str
    dataset: str
    fingerprint: str
    held_out: tuple[str, ...] = ()
    threshold: float = 0.5
    calibration: dict[str, float] | None = None
    novelty: dict[str, Any] | None = None
    channels: int = 1
    ink: int = 0
    metrics: dict[str, float]

    def __post_init__(self) -> None:
        words = (self.precision, self.dataset, self.fingerprint, *self.held_out)
        numbers = (self.threshold, *self.metrics.values(), *(self.calibration or {}).values())
        if not all(isinstance(word, str) for word in words) or not isinstance(self.iteration, int):
            raise TypeError("a name that is no text, or an iteration that is no whole number")
        if not all(isinstance(number, float) for number in numbers) or not 0 < self.threshold < 1:
            raise ValueError(f"a threshold, calibration or metric out of range: {numbers}")
        if self.calibration is not None and (
            self.calibration.keys() != {"temperature", "bias"}
            or not all(math.isfinite(number) for number in self.calibration.values())
            or not self.calibration["temperature"] > 0
        ):
            raise ValueError(f"a calibration that this omnitwin does not know: {self.calibration}")
        if self.novelty is not None and not _is_novelty(self.novelty):
            raise ValueError("a record of novelty that this omnitwin does not know")
        if (self.channels, self.ink) != (1, 0):
            raise ValueError("a preprocessing that this omnitwin does not know")

    @property
    def dataset_family(self) -> str:
        """`omniglot` of `omniglot/training`."""
        return self.dataset.split("/")[0]


def _is_novelty(record: Any) -> bool:
    """Whether a record is one that metrics.novelty.fit_novelty could have made."""
    if not isinstance(record, dict) or record.keys() != {"mean", "precision", "distance_limit", "unrest_limit"}:
        return False
    mean, precision = record["mean"], record["precision"]
    if not all(isinstance(part, list) for part in (mean, precision, *precision)) or len(mean) != NOVELTY_STATISTICS:
        return False
    limits = (record["distance_limit"], record["unrest_limit"])
    numbers = (*mean, *(number for row in precision for number in row), *limits)
    square = [len(row) for row in precision] == [len(mean)] * len(mean)
    return square and all(isinstance(one, float) and math.isfinite(one) for one in numbers) and min(limits) > 0


def read_description(path: Path) -> Description:
    """What a weights or state file says of itself, without its tensors."""
    with opened(path, "numpy") as file:
        return describe(path, record_of(path, file))


@contextmanager
def opened(path: Path, framework: str) -> Iterator[Any]:
    """An open safetensors file whose tensors come as those of `numpy` or `pt`; BadCheckpoint where it is none."""
    if is_endless(path):
        raise BadCheckpoint(f"{path} is a pipe or a device, not a checkpoint")
    try:
        with safe_open(path, framework=framework) as file:
            yield file
    except (OSError, SafetensorError) as error:
        raise BadCheckpoint(f"{path} cannot be read as a checkpoint: {error}") from error


def record_of(path: Path, file: Any, wanted: str | None = None) -> dict[str, Any]:
    """The record of an open file, of the wanted format or of any of ours; BadCheckpoint where it has none."""
    try:
        record = read_record(file)
        kind, version = record["format"], record["format_version"]
    except (KeyError, TypeError, ValueError) as error:
        raise BadCheckpoint(f"{path} is a safetensors file, but none of omnitwin's") from error
    if kind not in (FORMAT, STATE_FORMAT):
        raise BadCheckpoint(f"{path} is no checkpoint but {kind!r}")
    if version not in READABLE_VERSIONS:
        raise BadCheckpoint(
            f"{path} is {kind!r} version {version!r}; this omnitwin reads {FORMAT_VERSION} and older",
            "Install the omnitwin that wrote it, or train anew.",
        )
    if wanted not in (None, kind):
        hint = f"Name {WEIGHTS_FILE} beside it." if kind == STATE_FORMAT else None
        raise BadCheckpoint(f"{path} is {kind!r}, not {wanted!r}", hint)
    return record


def describe(path: Path, record: dict[str, Any]) -> Description:
    """A record as the description of a network that is known here; BadCheckpoint where it is none."""
    try:
        if record["format_version"] < FORMAT_VERSION:
            record = {"held_out": (), "novelty": None, **record}
        described = {name: record[name] for name in Description.__dataclass_fields__ if name != "recipe"}
        described["held_out"] = tuple(described["held_out"])
        description = Description(recipe=Recipe.from_json(record["recipe"]), **described)
        check(description.recipe.encoder, description.recipe.image_size, description.recipe.head)
        return description
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadCheckpoint(f"{path} describes no network: {error!r}") from error
    except BadInput as error:
        raise BadCheckpoint(f"{path} describes a network not known here: {error}") from error


def check_layout(path: Path, wanted: Layout, found: Layout) -> None:
    """BadCheckpoint where tensors are missing, too many, or of another shape or number format."""
    if missing := sorted(wanted.keys() ^ found.keys()):
        raise BadCheckpoint(
            f"{path} does not hold the tensors of its network: {', '.join(missing[:3])} missing or extra"
        )
    for name, (shape, kind) in wanted.items():
        if found[name] != (shape, kind):
            other, of_kind = found[name]
            raise BadCheckpoint(f"{path}: {name} is {other} {of_kind}, its network needs {shape} {kind}")
