"""Recipes: all that decides which weights a run ends with. Published ones are constants here, once."""

import math
import sys
from dataclasses import dataclass, fields, replace
from typing import Any

from omnitwin.errors import BadInput


@dataclass(frozen=True, kw_only=True)
class Batches:
    """How a network is trained on all pairs of a batch of images, instead of on random pairs as in the example.

    drawings: of each class; alphabets, per_alphabet: so many alphabets give so many classes each to a batch; turns,
    mirrors: the quarter turns of a character, and those of its mirror image, count as characters. rotation
    (degrees), shear, scale (log) and shift (share of the image): largest of each image's own warp; elastic: of its
    bends, as a share. thickness, coarse, erase: how probably an image has other strokes, few pixels, a hole. focus:
    how much more hard dissimilar pairs count; centroid_weight, centroid_scale: of the loss that finds an image's
    class by centroids, beside that of the pairs. warm_up: share of the iterations in which the learning rate rises,
    before it falls as a cosine. averaging: share of the iterations that the moving average of the weights
    remembers, which is the network that a run ends with. head_rate: learning rate of the head, as a multiple.
    """

    drawings: int = 4
    alphabets: int = 4
    per_alphabet: int = 8
    turns: bool = True
    mirrors: bool = False
    rotation: float = 8.4
    shear: float = 0.18
    scale: float = 0.14
    shift: float = 0.07
    elastic: float = 0.0
    thickness: float = 0.0
    coarse: float = 0.0
    erase: float = 0.0
    focus: float = 1.0
    centroid_weight: float = 1.0
    centroid_scale: float = 20.0
    weight_decay: float = 0.05
    warm_up: float = 0.1
    averaging: float = 0.03
    head_rate: float = 3.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            least, most = LEAST.get(name, 0), 1 if name in SHARES else MOST
            if not least <= value <= most:
                example = f"For example: --override {name}={getattr(Batches, name)}"
                raise BadInput(f"{name} must be between {least} and {most:,}, not {value}", example)


FRAMES = ("whole", "ink")  # what a name does (data.framing, data.intake) is fixed: checkpoints rely on it
LEAST = {"drawings": 2}  # a similar pair
MOST = 1_000_000  # of any number that says how batches are made
LARGEST = {"image_size": 1024, "iterations": 10**9, "batch_size": MOST}  # far above what a machine could do
SHARES = ("thickness", "coarse", "erase", "warm_up", "averaging")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that decides which weights a run ends with, given its data, device and precision.

    iterations: batches; batch_size: pairs in a batch, or images where `batches` says how it is made of classes;
    image_size: pixels a side of the square the network sees; frame: how drawings lie in it (data.framing); head: how
    the embeddings of two images become a score.
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
    frame: str = "whole"
    head: str = "difference"
    batches: Batches | None = None
    holdout: int = 0  # training alphabets that are not trained on: threshold, calibration and `best` come from them

    def __post_init__(self) -> None:
        if self.holdout < 0:
            raise BadInput(f"holdout must be 0 or more alphabets, not {self.holdout}", "For none: --holdout 0")
        for name in ("image_size", "iterations", "batch_size", "learning_rate"):
            option = f"Leave out --{name.replace('_', '-')} to take the recipe's own."
            if (value := getattr(self, name)) > (most := LARGEST.get(name, math.inf)):
                raise BadInput(f"{name} must be at most {most:,}, not {value:,}", option)
            if not 0 < value <= sys.float_info.max:  # a whole number can be beyond
                raise BadInput(f"{name} must be above 0 and finite, not {value}", option)
        if len(self.adam_betas) != 2 or not all(0 <= beta < 1 for beta in self.adam_betas):
            betas = ", ".join(map(str, self.adam_betas))
            example = "For example: --override adam_betas=0.9,0.99"
            raise BadInput(f"adam_betas must be two numbers from 0 to below 1, not {betas}", example)
        if not 0 <= self.adam_epsilon <= sys.float_info.max:
            example = f"For example: --override adam_epsilon={Recipe.adam_epsilon}"
            raise BadInput(f"adam_epsilon must be 0 or above and finite, not {self.adam_epsilon}", example)
        if self.frame not in FRAMES:
            raise BadInput(f"no frame is called {self.frame!r}", f"Use {' or '.join(FRAMES)}.")
        if self.batches and self.head != "distance":
            raise BadInput(f"training on all pairs of a batch needs the head `distance`, not {self.head}", "")
        if self.batches and self.batch_size < 2 * self.batches.drawings:
            raise BadInput(f"{self.batch_size} images cannot hold {self.batches.drawings} drawings of 2 classes", "")

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "Recipe":
        """The recipe that asdict made a record of; TypeError, KeyError or BadInput where it made none such."""
        batches = record.get("batches")
        parts = {
            "adam_betas": tuple(_two_numbers(record["adam_betas"])),
            "batches": Batches(**_typed(Batches, batches)) if batches else None,
        }
        return cls(**{**_typed(cls, record), **parts})


def _typed(record_of: type, record: dict[str, Any]) -> dict[str, Any]:
    """The record; TypeError where a plain field holds another kind of value than its own."""
    for field in fields(record_of):
        value, kind = record.get(field.name, field.default), field.type
        kinds: Any = (int, float) if kind is float else kind
        if kind in (int, float, bool, str) and not (
            isinstance(value, kinds) and isinstance(value, bool) == (kind is bool)  # which is an int to Python
        ):
            raise TypeError(f"{field.name} is {value!r}, not of type {kind.__name__}")
    return record


def _two_numbers(values: Any) -> tuple[float, float]:
    first, second = values
    if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in (first, second)):
        raise TypeError(f"not two numbers: {values!r}")
    return first, second


# MathWorks, "Train a Twin Neural Network to Compare Images": its network, pairs and optimiser, to the letter.
CLASSIC = Recipe(
    name="classic", encoder="classic", image_size=105, iterations=10_000, batch_size=180, learning_rate=6e-5
)
# The same twin, loss and pairs on small images: a trained network in about a minute without a GPU. Not the example.
SMALL = Recipe(
    name="small", encoder="small", image_size=28, iterations=1_500, batch_size=128, learning_rate=1e-3, holdout=5
)
# All pairs of a batch, drawings framed by their ink: better than the example after seconds, on two cores.
FAST = Recipe(
    name="fast",
    encoder="strong",
    image_size=24,
    iterations=1_200,
    batch_size=256,
    learning_rate=3e-3,
    frame="ink",
    head="distance",
    batches=Batches(),
    holdout=5,
)
# The bundled weights (`make weights`): longer, with variations that make it fit for other pens and pixels.
STRONG = replace(
    FAST,
    name="strong",
    image_size=28,
    iterations=8_000,
    batches=Batches(mirrors=True, thickness=0.3, coarse=0.3),
)
# `omnitwin demo`: the fast recipe, for about half a minute on two cores.
DEMO = replace(FAST, iterations=400)

RECIPES = {recipe.name: recipe for recipe in (CLASSIC, SMALL, FAST, STRONG)}
ENCODERS = ("classic", "small", "resnet18", "strong")  # as model.anatomy knows them
