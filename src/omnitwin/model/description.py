"""What a checkpoint says of itself, read and checked without torch.

A checkpoint is one safetensors file with the network's tensors and, under the single metadata key `omnitwin`, one
sorted JSON record; equal weights therefore give equal bytes. Nothing is ever pickled.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from safetensors import SafetensorError, safe_open

from omnitwin import __version__
from omnitwin.config import SPLITS, parse_target
from omnitwin.errors import BadCheckpoint, BadInput
from omnitwin.recipes import LARGEST, Network, Recipe, network_of
from omnitwin.reports.operating import OperatingPoint
from omnitwin.system.paths import WEIGHTS_FILE
from omnitwin.system.plain import NotPlain
from omnitwin.system.tensorfile import Layout, header_problem, read_record

FORMAT = "omnitwin-checkpoint"
FORMAT_VERSION = 6
# 1 had no calibration and no held-out alphabets, 2 no novelty; 3 had the network's fields among the recipe's; 4 had
# neither data nor operating point, 5 no familiarity
READABLE_VERSIONS = (1, 2, 3, 4, 5, 6)
STATE_FORMAT = "omnitwin-training-state"
OTHER_OMNITWIN = "Install the omnitwin that wrote it, or train again."
OWN_DATA: dict[str, Any] = {  # the fields of `data`
    "place": str,  # path of the folder or table
    "pattern": (str, type(None)),  # regular expression for the class in a file's path
    "split": str,  # what the parts have apart: one of config.SPLITS
    "seed": int,  # of that division
    "classes": list,  # names of all classes that were trained on; none: more than MOST_CLASSES, which are not known
}
MOST_CLASSES = 20_000  # in `data`: half a megabyte of names
HELD_OUT_EER = "held_out_eer"  # among the metrics
FOLDS = "folds"  # a metric: over how many folds of classes the threshold was chosen, before training on all
LEAST_EER = "held_out_eer_least"  # the lowest of the run so far, if the recipe has slack
LARGEST_METRIC = 1e100  # larger numbers can be neither squared nor drawn
TEMPERATURES = (1e-6, 1e6)  # that metrics.calibration fits
NOVELTY_STATISTICS = {"now": 12, "older": 8}  # see images.novelty
NOVELTY_UNITS = 16
LEAST_SPREAD = 1e-12  # of a statistic, or least limit: numbers are divided by it
FAMILIAR_FEATURES, FAMILIAR_DIRECTIONS = 4096, 8  # at most, see model.familiarity


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a checkpoint says of itself. The network sees ink as 0 and paper as 1.

    An answer takes network, calibration and threshold. Only `--resume` reads `recipe` (Recipe.to_json without the
    network), so a checkpoint whose objective is unknown here still answers.
    """

    network: Network
    recipe: dict[str, Any]
    iteration: int  # iterations done
    precision: str
    dataset: str  # name of the set that it was trained on
    fingerprint: str  # SHA-256 of that set's pixels
    held_out: tuple[str, ...] = ()  # groups of that set which the network never saw
    data: dict[str, Any] | None = None  # of a folder or table of the user's own: OWN_DATA; None: a set by its name
    threshold: float = 0.5  # probability from which a pair counts as similar
    calibration: dict[str, float] | None = None  # temperature and bias of the logit; None: none is applied
    operating: OperatingPoint | None = None  # what the threshold was chosen for, and its errors; None: not known
    novelty: dict[str, Any] | None = None  # by which images.novelty tells drawings; None: nothing was fitted
    familiarity: dict[str, Any] | None = None  # by which model.familiarity knows images; None: nothing was fitted
    metrics: dict[str, float]

    def __post_init__(self) -> None:
        words = (self.precision, self.dataset, self.fingerprint, *self.held_out)
        if not all(isinstance(word, str) for word in (*words, self.recipe["name"])):
            raise TypeError("a name is not text")
        if not all(type(number) is int for number in (self.iteration, self.recipe["iterations"])):  # True is no number
            raise TypeError("an iteration is not a whole number")
        if not 0 <= self.iteration <= LARGEST["iterations"] or not 0 < self.iterations <= LARGEST["iterations"]:
            raise ValueError("an iteration out of range")
        if not (isinstance(self.threshold, float) and 0 < self.threshold < 1):
            raise ValueError(f"a threshold that is no probability between 0 and 1: {self.threshold}")
        if not all(_is_number(number, LARGEST_METRIC) for number in self.metrics.values()):
            raise ValueError("a metric is no number, or out of range")
        if not 0 <= self.metrics.get(HELD_OUT_EER, 0.0) <= 1:
            raise ValueError(f"an equal error rate that is no share: {self.metrics[HELD_OUT_EER]}")
        if self.calibration is not None and not _is_calibration(self.calibration):
            raise ValueError(f"a calibration that this omnitwin does not know: {self.calibration}")
        if self.operating is not None:
            _check_target(self.operating.target)
        if self.data is not None and not _is_own_data(self.data):
            raise ValueError("a record of data that this omnitwin does not know")
        if self.novelty is not None and not _is_novelty(self.novelty):
            raise ValueError("a record of novelty that this omnitwin does not know")
        if self.familiarity is not None and not _is_familiarity(self.familiarity, self.network.channels):
            raise ValueError("a record of familiarity that this omnitwin does not know")

    @classmethod
    def of_recipe(cls, recipe: Recipe, **facts: Any) -> Self:
        """Return the description of a network trained by a recipe. facts: the other fields

        >>> Description.of_recipe(FAST, iteration=7, precision="fp32", dataset="mine", fingerprint="", metrics={})
        """
        record = recipe.to_json()
        return cls(network=recipe.network, recipe={name: record[name] for name in record if name != "network"}, **facts)

    @property
    def recipe_name(self) -> str:
        return str(self.recipe["name"])

    @property
    def iterations(self) -> int:
        """Iterations that the recipe asks for; `iteration` counts those done."""
        return int(self.recipe["iterations"])

    def whole_recipe(self) -> Recipe:
        """Return the recipe, to resume it; raise BadCheckpoint if it is of another omnitwin and not known here."""
        try:
            return Recipe.from_json({**self.recipe, "network": asdict(self.network)})
        except (TypeError, KeyError, ValueError, AttributeError, BadInput) as error:
            raise BadCheckpoint(
                f"the recipe {self.recipe_name} is not known here: {error!r}", OTHER_OMNITWIN
            ) from error

    @property
    def dataset_family(self) -> str:
        """`omniglot` of `omniglot/training`."""
        return self.dataset.split("/")[0]

    @property
    def lacks_names(self) -> bool:
        """Whether the network was trained on images of somebody's own, of more classes than its file has names."""
        return self.data is not None and not self.data["classes"]

    def was_trained_at(self, place: Path) -> bool:
        """Return whether a folder or table is the one that the network was trained on, by whatever path."""
        return self.data is not None and os.path.realpath(self.data["place"]) == os.path.realpath(place)


def _is_number(value: Any, largest: float) -> bool:
    return isinstance(value, float) and abs(value) <= largest  # which no NaN is


def _is_calibration(record: Any) -> bool:
    """Return whether metrics.calibration.fit_calibration could have made a record."""
    if not isinstance(record, dict) or record.keys() != {"temperature", "bias"}:
        return False
    least, most = TEMPERATURES
    return (
        all(_is_number(number, LARGEST_METRIC) for number in record.values()) and least <= record["temperature"] <= most
    )


def _check_target(target: str) -> None:
    """Raise ValueError for a target that config.parse_target does not read, or would spell otherwise."""
    try:
        known = str(parse_target(target))
    except BadInput as error:
        raise ValueError(str(error)) from error
    if known != target:
        raise ValueError(f"a target that is spelled {known}: {target!r}")


def _is_own_data(record: Any) -> bool:
    """Return whether a record says of somebody's own images what OWN_DATA says."""
    if not isinstance(record, dict) or record.keys() != OWN_DATA.keys():
        return False
    typed = all(isinstance(record[name], kind) for name, kind in OWN_DATA.items())
    if not typed or type(record["seed"]) is not int or record["split"] not in SPLITS:
        return False
    return len(record["classes"]) <= MOST_CLASSES and all(isinstance(name, str) for name in record["classes"])


def _is_novelty(record: Any) -> bool:
    """Return whether training.novelty could have made a record, or an older omnitwin (images.novelty)."""
    shapes: dict[str, tuple[int, ...]]
    if isinstance(record, dict) and "precision" in record:
        size = NOVELTY_STATISTICS["older"]
        shapes = {"mean": (size,), "precision": (size, size), "distance_limit": (), "unrest_limit": ()}
    else:
        size, units = NOVELTY_STATISTICS["now"], NOVELTY_UNITS
        shapes = {"mean": (size,), "spread": (size,), "weights": (units, size), "biases": (units,), "head": (units,)}
        shapes |= {"bias": (), "limit": ()}
    if not isinstance(record, dict) or record.keys() != shapes.keys():
        return False
    if not all(_is_numbers(record[name], shape) for name, shape in shapes.items()):
        return False
    positive = [record["distance_limit"], record["unrest_limit"]] if "precision" in record else record["spread"]
    return all(number >= LEAST_SPREAD for number in positive)


def _is_numbers(value: Any, shape: tuple[int, ...]) -> bool:
    """Return whether a value is a number, or nested lists of numbers with a shape."""
    if not shape:
        return _is_number(value, LARGEST_METRIC)
    listed = isinstance(value, list) and len(value) == shape[0]
    return listed and all(_is_numbers(part, shape[1:]) for part in value)


def _is_familiarity(record: Any, channels: int) -> bool:
    """Return whether model.familiarity.fit_familiarity could have made a record."""
    names = {"middle", "directions", "length", "mean", "precision", "limit"}
    if not isinstance(record, dict) or record.keys() != names:
        return False
    middle, mean = record["middle"], record["mean"]
    if not all(isinstance(each, list) for each in (middle, mean, record["directions"], record["precision"])):
        return False
    if not 0 < len(middle) <= FAMILIAR_FEATURES or not 0 < len(record["directions"]) <= FAMILIAR_DIRECTIONS:
        return False
    if len(mean) - len(record["directions"]) != (7 if channels == 1 else 8):  # length, rest, and those of the pixels
        return False
    sized = ((record["directions"], len(middle)), (record["precision"], len(mean)))
    if not all(isinstance(row, list) and len(row) == size for rows, size in sized for row in rows):
        return False
    rows = [middle, mean, *record["directions"], *record["precision"], [record["length"], record["limit"]]]
    numbers = [number for row in rows for number in row]
    finite = all(_is_number(number, LARGEST_METRIC) for number in numbers)
    return len(record["precision"]) == len(mean) and finite and min(record["length"], record["limit"]) > 0


def record_for(format: str, description: Description) -> dict[str, Any]:
    """Return the record of a new file. format: FORMAT or STATE_FORMAT"""
    return {"format": format, "format_version": FORMAT_VERSION, "omnitwin": __version__, **asdict(description)}


def read_description(path: Path) -> Description:
    """Return the description in a weights or state file, without reading its tensors. Raises BadCheckpoint."""
    with opened(path, "numpy") as file:
        return describe(path, record_of(path, file))


@contextmanager
def opened(path: Path, framework: str) -> Iterator[Any]:
    """Open a safetensors file, for tensors of the framework `numpy` or `pt`. Raises BadCheckpoint, also for a link."""
    try:
        if problem := header_problem(path):
            raise BadCheckpoint(f"{path} cannot be read as a checkpoint: {problem}")
        with safe_open(path, framework=framework) as file:
            yield file
    except NotPlain as error:
        raise BadCheckpoint(f"{path} cannot be read as a checkpoint: {error.strerror}") from error
    except (OSError, SafetensorError) as error:
        if isinstance(error, SafetensorError) and path.suffix != Path(WEIGHTS_FILE).suffix:
            raise BadCheckpoint(f"{path} is not an omnitwin network", "List yours: omnitwin runs") from error
        raise BadCheckpoint(f"{path} cannot be read as a checkpoint: {error}") from error


def record_of(path: Path, file: Any, wanted: str | None = None) -> dict[str, Any]:
    """Return the record of an open file. wanted: FORMAT or STATE_FORMAT; None: either. Raises BadCheckpoint."""
    try:
        record = read_record(file)
        kind, version = record["format"], record["format_version"]
    except (KeyError, TypeError, ValueError) as error:
        raise BadCheckpoint(f"{path} is a safetensors file, but none of omnitwin's") from error
    if kind not in (FORMAT, STATE_FORMAT):
        raise BadCheckpoint(f"{path} is no checkpoint but {kind!r}")
    if type(version) is not int or version not in READABLE_VERSIONS:  # to Python, True is 1
        raise BadCheckpoint(
            f"{path} is {kind!r} version {version!r}; this omnitwin reads {FORMAT_VERSION} and older",
            OTHER_OMNITWIN,
        )
    if wanted not in (None, kind):
        hint = f"Name {WEIGHTS_FILE} beside it." if kind == STATE_FORMAT else None
        raise BadCheckpoint(f"{path} is {kind!r}, not {wanted!r}", hint)
    return record


def describe(path: Path, record: dict[str, Any]) -> Description:
    """Return the description in a record. Raises BadCheckpoint if it is damaged or its network is unknown here."""
    try:
        if record["format_version"] < 4:
            record = _of_version_4(record)
        if record["format_version"] < 5:
            record = {"data": None, **record, "operating": None}
        if record["format_version"] < 6:
            record = _of_version_6(record)
        described = {name: record[name] for name in Description.__dataclass_fields__}
        described["held_out"] = tuple(described["held_out"])
        described["network"] = network_of(described["network"])
        if described["operating"] is not None:
            described["operating"] = OperatingPoint.from_json(described["operating"])
        return Description(**described)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadCheckpoint(f"{path} describes no network: {error!r}") from error
    except BadInput as error:
        raise BadCheckpoint(f"{path} describes a network not known here: {error}") from error


def _of_version_4(record: dict[str, Any]) -> dict[str, Any]:
    """Turn a record of version 1 to 3 into version 4. Raises TypeError, KeyError, ValueError or BadInput if damaged."""
    if (record["channels"], record["ink"]) != (1, 0):
        raise ValueError("a preprocessing that this omnitwin does not know")
    recipe = Recipe.from_json(record["recipe"]).to_json()
    return {"held_out": (), "novelty": None, **record, "network": recipe.pop("network"), "recipe": recipe}


def _of_version_6(record: dict[str, Any]) -> dict[str, Any]:
    """Turn a record of version 5 into version 6: nothing was fitted, and rates were of all pairs."""
    operating = record["operating"]
    if isinstance(operating, dict):
        operating = {**operating, "within": ""}
    return {**record, "familiarity": None, "operating": operating}


def check_layout(path: Path, wanted: Layout, found: Layout) -> None:
    """Raise BadCheckpoint if tensors are missing, extra, or of another shape or number format."""
    if missing := sorted(wanted.keys() ^ found.keys()):
        raise BadCheckpoint(
            f"{path} does not hold the tensors of its network: {', '.join(missing[:3])} missing or extra"
        )
    for name, (shape, kind) in wanted.items():
        if found[name] != (shape, kind):
            other, of_kind = found[name]
            raise BadCheckpoint(f"{path}: {name} is {other} {of_kind}, its network needs {shape} {kind}")
