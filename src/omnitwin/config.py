"""Every default, once. Frozen records that the command line shows, the workflows use and a checkpoint remembers."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from omnitwin.errors import BadInput


@dataclass(frozen=True, kw_only=True)
class Batches:
    """How a network is trained on all pairs of a batch of images, instead of on random pairs as in the example.

    drawings: of each class; alphabets, per_alphabet: so many alphabets give so many classes each to a batch; turns: the
    quarter turns of a character count as characters. rotation (degrees), shear, scale (log) and shift (share of the
    image): largest of each image's own warp; elastic: of its bends, as a share. thickness, coarse, erase: how probably
    an image has other strokes, few pixels, a hole. focus: how much more hard dissimilar pairs count; centroid_weight,
    centroid_scale: of the loss that finds an image's class by centroids, beside that of the pairs. warm_up: share of
    the iterations in which the learning rate rises, before it falls as a cosine. averaging: share of the iterations
    that the moving average of the weights remembers, which is the network that a run ends with. head_rate: learning
    rate of the head, as a multiple.
    """

    drawings: int = 4
    alphabets: int = 4
    per_alphabet: int = 8
    turns: bool = True
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
        if self.drawings < 2:
            raise BadInput(f"a batch needs 2 or more drawings of each class, not {self.drawings}", "")
        for name, value in vars(self).items():
            if value < 0 or (name in SHARES and value > 1):
                raise BadInput(f"{name.replace('_', ' ')} is out of range: {value}", "")


FRAMES = ("whole", "ink")
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
            raise BadInput(f"holdout must be 0 or more alphabets, not {self.holdout}", "")
        for name in ("image_size", "iterations", "batch_size", "learning_rate"):
            if not getattr(self, name) > 0:
                raise BadInput(f"{name.replace('_', ' ')} must be above 0, not {getattr(self, name)}", "")
        if self.frame not in FRAMES:
            raise BadInput(f"no frame is called {self.frame!r}", f"Use {' or '.join(FRAMES)}.")
        if self.batches and self.head != "distance":
            raise BadInput(f"training on all pairs of a batch needs the head `distance`, not {self.head}", "")
        if self.batches and self.batch_size < 2 * self.batches.drawings:
            raise BadInput(f"{self.batch_size} images cannot hold {self.batches.drawings} drawings of 2 classes", "")

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "Recipe":
        batches = record.get("batches")
        parts = {"adam_betas": tuple(record["adam_betas"]), "batches": Batches(**batches) if batches else None}
        return cls(**{**record, **parts})


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
    encoder="fast",
    image_size=20,
    iterations=1_200,
    batch_size=256,
    learning_rate=3e-3,
    adam_betas=(0.9, 0.99),
    frame="ink",
    head="distance",
    batches=Batches(),
    holdout=5,
)
# `omnitwin demo`: the fast recipe, for about half a minute on two cores.
DEMO = replace(FAST, iterations=500)
DEMO_PAIRS = 6  # test pairs that the demo shows
FIGURE_PAIRS = 10  # on eval's sheet where --show does not say how many: as in the example
HARDEST_PAIRS = 6  # of each kind that the exams of all pairs keep: the wrong ones that the scorer is surest of

BEYOND_PAIRS = 1000  # of each variation in the exam beyond the set's own drawings

RECIPES = {recipe.name: recipe for recipe in (CLASSIC, SMALL, FAST)}
DATASETS = ("omniglot", "synthetic")
EXAMS = ("pairs", "all-pairs", "same-alphabet", "one-shot", "official", "beyond")
SUBSETS = ("test", "held-out", "training")  # of a data set, that exams can be taken on
BASELINES = ("pixels", "hausdorff")
SCOPES = ("alphabet", "any")  # from which the characters of an episode come


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
    """Which exams of whom, on what.

    pairs: batches random batches of batch_size pairs, the example's exam. one-shot: episodes of way characters with
    shot examples each. seeds: how often the sampled exams are taken, with seed, seed + 1 and so on.
    """

    exams: tuple[str, ...] = ("pairs",)
    batches: int = 5
    batch_size: int = 150
    way: int = 20
    shot: int = 1
    episodes: int = 10_000
    scope: str = "alphabet"
    seed: int = 0
    seeds: int = 1
    checkpoint: str | None = None
    baseline: str | None = None  # instead of a network
    dataset: str | None = None  # None: the one the checkpoint was trained on
    subset: str = "test"
    source: SourceConfig = field(default_factory=SourceConfig)
    device: str = "auto"
    precision: str = "fp32"  # the figure should not depend on the hardware
    show: int = 0

    def __post_init__(self) -> None:
        least = {"batches": 1, "batch_size": 1, "way": 2, "shot": 1, "episodes": 1, "seeds": 1}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise BadInput(f"{name.replace('_', ' ')} must be at least {bound}, not {getattr(self, name)}", "")
        known = {"exam": (*EXAMS, "all"), "set": SUBSETS, "scope": SCOPES, "baseline": BASELINES}
        given = {"exam": self.exams, "set": (self.subset,), "scope": (self.scope,), "baseline": (self.baseline,)}
        for kind, words in given.items():
            for word in words:
                if word is not None and word not in known[kind]:
                    raise BadInput(f"no {kind} is called {word!r}", f"Use {', '.join(known[kind])}.")
        if self.baseline is not None and self.checkpoint is not None:
            raise BadInput("a baseline stands instead of a network", "Leave out --checkpoint or --baseline.")


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
