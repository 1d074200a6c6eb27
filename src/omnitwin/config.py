"""Every default, once. Frozen records that the command line shows, the workflows use and a checkpoint remembers."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from omnitwin.errors import BadInput


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that decides which weights a run ends with, given its data, device and precision.

    iterations: batches; batch_size: pairs in a batch; image_size: pixels a side of the square the network sees.
    """

    name: str
    encoder: str
    image_size: int
    iterations: int
    batch_size: int
    learning_rate: float
    adam_betas: tuple[float, float] = (0.9, 0.99)
    adam_epsilon: float = 1e-8
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("image_size", "iterations", "batch_size", "learning_rate"):
            if not getattr(self, name) > 0:
                raise BadInput(f"{name.replace('_', ' ')} must be above 0, not {getattr(self, name)}", "")

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "Recipe":
        return cls(**{**record, "adam_betas": tuple(record["adam_betas"])})


# MathWorks, "Train a Twin Neural Network to Compare Images": its network, pairs and optimiser, to the letter.
CLASSIC = Recipe(
    name="classic", encoder="classic", image_size=105, iterations=10_000, batch_size=180, learning_rate=6e-5
)
# The same twin, loss and pairs on small images: a trained network in about a minute without a GPU. Not the example.
SMALL = Recipe(name="small", encoder="small", image_size=28, iterations=1_500, batch_size=128, learning_rate=1e-3)
# `omnitwin demo`: the small recipe, for about half a minute on two cores.
DEMO = replace(SMALL, iterations=500)
DEMO_PAIRS = 6  # test pairs that the demo shows
FIGURE_PAIRS = 10  # on eval's sheet where --show does not say how many: as in the example

RECIPES = {recipe.name: recipe for recipe in (CLASSIC, SMALL)}
DATASETS = ("omniglot", "synthetic")


@dataclass(frozen=True, kw_only=True)
class SourceConfig:
    """Where a data set comes from: source is a folder, a zip file or a base URL; None means the official address."""

    source: str | None = None
    offline: bool = False
    force: bool = False


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How, on what and for how long to run a recipe."""

    recipe: Recipe = CLASSIC
    dataset: str = "omniglot"
    source: SourceConfig = field(default_factory=SourceConfig)
    device: str = "auto"
    precision: str = "auto"
    compile: bool = False
    max_seconds: float | None = None
    checkpoint_seconds: float = 300.0  # between two checkpoints: at most this much work is lost
    output: Path | None = None
    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class EvalConfig:
    """The example's exam: the mean accuracy of batches random batches of batch_size test pairs."""

    batches: int = 5
    batch_size: int = 150
    seed: int = 0
    checkpoint: str | None = None
    dataset: str | None = None  # None: the one the checkpoint was trained on
    source: SourceConfig = field(default_factory=SourceConfig)
    device: str = "auto"
    precision: str = "fp32"  # the figure should not depend on the hardware
    show: int = 0

    def __post_init__(self) -> None:
        for name in ("batches", "batch_size"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name.replace('_', ' ')} must be at least 1, not {getattr(self, name)}", "")


@dataclass(frozen=True, kw_only=True)
class CompareConfig:
    first: Path
    second: Path
    checkpoint: str | None = None
    threshold: float | None = None  # None: the checkpoint's own
    device: str = "cpu"  # one pair is done before a GPU has woken up

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise BadInput(f"a threshold is a probability between 0 and 1, not {self.threshold}", "")


@dataclass(frozen=True, kw_only=True)
class ShowConfig:
    images: int = 8
    pairs: int = 10
    subset: str = "training"
    dataset: str = "omniglot"
    seed: int = 0
    source: SourceConfig = field(default_factory=SourceConfig)
