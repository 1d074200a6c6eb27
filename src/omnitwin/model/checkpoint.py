"""A trained network as one safetensors file that describes itself, and the training state beside it.

weights.safetensors holds the network's tensors and, under the single metadata key `omnitwin`, one sorted JSON record;
equal weights therefore give equal bytes. state.safetensors holds what only `--resume` needs. Neither is ever pickled.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from omnitwin import __version__
from omnitwin.config import Recipe
from omnitwin.errors import BadCheckpoint, BadInput
from omnitwin.model.anatomy import check
from omnitwin.model.twin import TwinNetwork, build_twin
from omnitwin.paths import BEST_FILE, WEIGHTS_FILE, find_run, trained_runs
from omnitwin.tensorfile import read_record, save_tensors

FORMAT = "omnitwin-checkpoint"
FORMAT_VERSION = 2
READABLE_VERSIONS = (1, 2)  # 1 knew neither calibration nor held-out alphabets
STATE_FORMAT = "omnitwin-training-state"


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a checkpoint says of itself.

    threshold: probability from which a pair counts as similar; ink: grey of the strokes the network saw, paper is
    1 - ink; dataset: name of the set it was trained on, with the fingerprint of its pixels; held_out: the alphabets of
    that set which it never saw. calibration: temperature and bias of the logit, or None for the logit as it is.
    """

    recipe: Recipe
    iteration: int
    precision: str
    dataset: str
    fingerprint: str
    held_out: tuple[str, ...] = ()
    threshold: float = 0.5
    calibration: dict[str, float] | None = None
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
        if (self.channels, self.ink) != (1, 0):
            raise ValueError("a preprocessing that this omnitwin does not know")

    @property
    def dataset_family(self) -> str:
        """`omniglot` of `omniglot/training`."""
        return self.dataset.split("/")[0]


def save_checkpoint(path: Path, network: TwinNetwork, description: Description) -> None:
    _save(path, network.state_dict(), FORMAT, description)


def save_state(path: Path, tensors: dict[str, torch.Tensor], description: Description) -> None:
    """Write all that a run needs to go on: weights and optimiser in one file, which no kill can leave out of step."""
    _save(path, tensors, STATE_FORMAT, description)


def load_state(path: Path) -> tuple[dict[str, torch.Tensor], Description]:
    tensors, record = _load(path, STATE_FORMAT)
    return tensors, _describe(path, record)


def read_description(path: Path) -> Description:
    """What a weights or state file says of itself, without its tensors."""
    with _opened(path) as file:
        return _describe(path, _read_record(path, file))


def locate_checkpoint(name: str | None) -> Path:
    """The weights file meant by a path, a run's name, or None for the newest run; BadCheckpoint where there is none.

    Of a run it is the best by its held-out alphabets where it has some, else the last.
    """
    found = find_run(name)
    if found is None:
        if name is None:
            raise BadCheckpoint("no trained network yet")
        runs = [run.name for run in trained_runs()]
        hint = f"Runs here: {', '.join(runs)}." if runs else None
        raise BadCheckpoint(f"no run or file is called {name}", hint)
    if not found.is_dir():
        return found
    weights = next((found / name for name in (BEST_FILE, WEIGHTS_FILE) if (found / name).is_file()), None)
    if weights is None:
        raise BadCheckpoint(f"{found} holds no {WEIGHTS_FILE}")
    return weights


def load_checkpoint(path: Path) -> tuple[TwinNetwork, Description]:
    """The network in evaluation mode on the CPU, with its description; BadCheckpoint says what is wrong with a file."""
    tensors, record = _load(path, FORMAT)
    description = _describe(path, record)
    network = build_twin(description.recipe.encoder, description.recipe.image_size, description.recipe.head)
    check_tensors(path, network.state_dict(), tensors)
    network.load_state_dict(tensors)
    return network.eval(), description


def _describe(path: Path, record: dict[str, Any]) -> Description:
    try:
        if record["format_version"] == 1:
            record = {**record, "held_out": ()}
        described = {name: record[name] for name in Description.__dataclass_fields__ if name != "recipe"}
        described["held_out"] = tuple(described["held_out"])
        description = Description(recipe=Recipe.from_json(record["recipe"]), **described)
        check(description.recipe.encoder, description.recipe.image_size, description.recipe.head)
        return description
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadCheckpoint(f"{path} describes no network: {error!r}") from error
    except BadInput as error:
        raise BadCheckpoint(f"{path} describes a network not known here: {error}") from error


def check_tensors(path: Path, wanted: dict[str, torch.Tensor], found: dict[str, torch.Tensor]) -> None:
    if missing := sorted(wanted.keys() ^ found.keys()):
        raise BadCheckpoint(
            f"{path} does not hold the tensors of its network: {', '.join(missing[:3])} missing or extra"
        )
    for name, tensor in wanted.items():
        if tensor.shape != found[name].shape or tensor.dtype != found[name].dtype:
            raise BadCheckpoint(
                f"{path}: {name} is {tuple(found[name].shape)} {found[name].dtype}, "
                f"its network needs {tuple(tensor.shape)} {tensor.dtype}"
            )
        if not torch.isfinite(found[name]).all():
            raise BadCheckpoint(f"{path}: {name} holds numbers that are not finite")


def _save(path: Path, tensors: dict[str, torch.Tensor], format: str, description: Description) -> None:
    record = {"format": format, "format_version": FORMAT_VERSION, "omnitwin": __version__, **asdict(description)}
    save_tensors(path, tensors, record)


def _load(path: Path, wanted: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    with _opened(path) as file:
        record = _read_record(path, file)
        if record["format"] != wanted:
            raise BadCheckpoint(f"{path} is {record['format']!r}, not {wanted!r}")
        return {name: file.get_tensor(name) for name in file.keys()}, record  # noqa: SIM118 (not a dict)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (OSError, SafetensorError) as error:
        raise BadCheckpoint(f"{path} cannot be read as a checkpoint: {error}") from error


def _read_record(path: Path, file: Any) -> dict[str, Any]:
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
    return record
