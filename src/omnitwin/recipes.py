"""Recipes: the settings that decide a run's final weights. The published ones are constants at the foot of this file.

A recipe has parts: the network, how batches are drawn (sampling), varied (augmentation) and judged (objective), and the
optimiser. A part's name never changes its meaning, because checkpoints and resumed runs rely on it.
The schema, its checks and the published recipes are one idea, hence more than 400 lines.
"""

import math
import os
import re
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, ClassVar, Self, get_type_hints

from omnitwin.errors import BadInput

FRAMES = ("whole", "ink", "photo")  # of View; their meaning never changes: checkpoints rely on it
OWN = "own"  # the name of an encoder or objective that was given to the Python API
MOST = 1_000_000  # largest number in a part, unless its field says less
MOST_CHANNELS = 64
MOST_MEMBERS = 16
MOST_SLACK = 100
HEADS = ("difference", "distance")  # of model.twin
LARGEST = {"image_size": 1024, "iterations": 10**9, "batch_size": MOST}  # far above what a machine could do


@dataclass(frozen=True, kw_only=True)
class Sides:
    """The images that an encoder takes, in pixels a side."""

    only: int | None = None  # None: any number from `least` to `most`
    least: int = 1
    most: int = LARGEST["image_size"]
    channels: tuple[int, ...] = (1,)


ENCODERS = {  # of model.anatomy
    "classic": Sides(only=105),
    "small": Sides(only=28),
    "resnet18": Sides(channels=(1, 3)),
    "strong": Sides(least=8, most=384, channels=(1, 3)),  # 384: its last layer has 75 million weights, 300 MB in a file
    "photo": Sides(least=16, most=512, channels=(1, 3)),  # 512: 34 million weights
}
DEFAULT_WEIGHTS, NO_WEIGHTS = "default", "none"  # words for weights of others
TIMM = "timm:"  # how the name of an encoder of timm begins
EMBEDDING = 256  # numbers in an embedding of a foreign network
# torchvision's classification models, by the least sides that they take: known here without importing it
_FOREIGN = {
    1: "efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3 efficientnet_b4 efficientnet_b5 "
    "efficientnet_b6 efficientnet_b7 mnasnet0_5 mnasnet0_75 mnasnet1_0 mnasnet1_3 mobilenet_v2 mobilenet_v3_large "
    "mobilenet_v3_small regnet_x_16gf regnet_x_1_6gf regnet_x_32gf regnet_x_3_2gf regnet_x_400mf regnet_x_800mf "
    "regnet_x_8gf regnet_y_128gf regnet_y_16gf regnet_y_1_6gf regnet_y_32gf regnet_y_3_2gf regnet_y_400mf "
    "regnet_y_800mf regnet_y_8gf resnet101 resnet152 resnet18 resnet34 resnet50 resnext101_32x8d resnext101_64x4d "
    "resnext50_32x4d shufflenet_v2_x0_5 shufflenet_v2_x1_0 shufflenet_v2_x1_5 shufflenet_v2_x2_0 wide_resnet101_2 "
    "wide_resnet50_2",
    15: "googlenet",
    17: "squeezenet1_1",
    21: "squeezenet1_0",
    29: "densenet121 densenet161 densenet169 densenet201",
    32: "convnext_base convnext_large convnext_small convnext_tiny swin_b swin_s swin_t swin_v2_b swin_v2_s swin_v2_t "
    "vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn",
    33: "efficientnet_v2_l efficientnet_v2_m efficientnet_v2_s",
    63: "alexnet",
    75: "inception_v3",
}
_ONE_SIZE = {"maxvit_t": 224, "vit_b_16": 224, "vit_b_32": 224, "vit_h_14": 518, "vit_l_16": 224, "vit_l_32": 224}
TORCHVISION = {name: Sides(least=least, channels=(1, 3)) for least, names in _FOREIGN.items() for name in names.split()}
TORCHVISION |= {name: Sides(only=size, channels=(1, 3)) for name, size in _ONE_SIZE.items()}


@dataclass(frozen=True, kw_only=True)
class View:
    """How a network sees a picture.

    height, width: in pixels
    channels: 1 is grey, 3 is red, green and blue
    frame: `whole` scales the whole picture; `ink` takes the box around its ink, and keeps its aspect; `photo` scales
        the whole picture, keeps its aspect, and surrounds it with the colour of its edge

    >>> omnitwin.View(height=96, width=64, channels=3, frame="photo").width
    64
    """

    height: int
    width: int
    channels: int = 1
    frame: str = "whole"


def square(size: int, frame: str = "whole", channels: int = 1) -> View:
    """Return a view of size x size pixels."""
    return View(height=size, width=size, channels=channels, frame=frame)


def sides_of(encoder: str) -> Sides:
    """Return the images that an encoder takes. Raises BadInput if none has that name."""
    if encoder.startswith(TIMM) and encoder != TIMM:
        return Sides(channels=(1, 3))  # timm itself says which it takes
    known = {**TORCHVISION, **ENCODERS}
    if encoder in known:
        return known[encoder]
    from difflib import get_close_matches  # only a mistake needs it

    close = get_close_matches(encoder, known, n=3)
    hint = f"Did you mean {' or '.join(close)}? " if close else ""
    named = f"{', '.join(ENCODERS)}, a model of torchvision such as resnet50, or {TIMM}NAME"
    raise BadInput(f"no encoder is called {encoder!r}", f"{hint}Use {named}.")


def _within(default: Any, least: float = 0, most: float = MOST) -> Any:
    """Return a field for a number, with its default and its bounds."""
    return field(default=default, metadata={"least": least, "most": most})


def _share(default: float) -> Any:
    """Return a field for a number from 0 to 1."""
    return _within(default, most=1)


def _check_positive(record: Any, *names: str) -> None:
    """Raise BadInput unless each number is above 0, finite, and at most its LARGEST."""
    for name in names:
        option = f"Leave out --{name.replace('_', '-')} to take the recipe's own."
        if (value := getattr(record, name)) > (most := LARGEST.get(name, math.inf)):
            raise BadInput(f"{name} must be at most {most:,}, not {value:,}", option)
        if not 0 < value <= sys.float_info.max:  # a whole number can be above the largest float
            raise BadInput(f"{name} must be above 0 and finite, not {value}", option)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a recipe. `name` says what it does. Raises BadInput if a number is out of its field's bounds."""

    name: ClassVar[str]

    def __post_init__(self) -> None:
        for each in fields(self):
            if "most" in each.metadata:
                least, most, value = each.metadata["least"], each.metadata["most"], getattr(self, each.name)
                if not least <= value <= most:
                    example = f"For example: --override {each.name}={each.default}"
                    raise BadInput(f"{each.name} must be between {least} and {most:,}, not {value}", example)


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network without its weights. Answering takes this, the weights and a calibration.

    Raises BadInput if a name is unknown, or if the encoder does not take images of that size.
    """

    encoder: str
    image_size: int  # pixels in height of what the network sees
    image_width: int = 0  # pixels in width; 0: as many as in height
    frame: str = "whole"  # how a picture lies in there (View)
    head: str = "difference"  # how two embeddings become a score (model.twin)
    channels: int = 1  # of an image: 1 is grey, 3 are colours; an encoder of your own may take more
    members: int = 1  # encoders of this kind side by side, each trained by itself: a distance is the mean of theirs

    def __post_init__(self) -> None:
        _check_positive(self, "image_size")
        if not 0 <= self.image_width <= LARGEST["image_size"]:
            raise BadInput(
                f"image_width must be from 0 to {LARGEST['image_size']:,}, not {self.image_width}",
                "For example: --image-size 64x128",
            )
        if self.encoder != OWN:
            self._check_encoder()
        if self.head not in HEADS:
            raise BadInput(f"no head is called {self.head!r}", f"Use {' or '.join(HEADS)}.")
        if self.frame not in FRAMES:
            raise BadInput(f"no frame is called {self.frame!r}", f"Use {' or '.join(FRAMES)}.")
        if not 1 <= self.channels <= MOST_CHANNELS:
            raise BadInput(
                f"channels must be between 1 and {MOST_CHANNELS}, not {self.channels}",
                "Use --override channels=1 for grey, or 3 for colours.",
            )
        self._check_members()

    @property
    def view(self) -> View:
        """How this network sees a picture."""
        width = self.image_width or self.image_size
        return View(height=self.image_size, width=width, channels=self.channels, frame=self.frame)

    def _check_members(self) -> None:
        if not 1 <= self.members <= MOST_MEMBERS:
            raise BadInput(
                f"members must be between 1 and {MOST_MEMBERS}, not {self.members}", "For one: --override members=1"
            )
        if self.members == 1:
            return
        if self.encoder not in ENCODERS or is_foreign(self):
            raise BadInput(f"the encoder {self.encoder} is a network by itself", "Use --override members=1.")
        if self.head != "distance":
            raise BadInput(f"several members need the head `distance`, not {self.head}", "Use --override members=1.")

    def _check_encoder(self) -> None:
        encoder, view = self.encoder, self.view
        takes, sides = sides_of(encoder), (view.height, view.width)
        if takes.only is not None and sides != (takes.only, takes.only):
            wanted = f"{takes.only} x {takes.only}"
            raise BadInput(
                f"the encoder {encoder} takes {wanted} pixels, not {view.height} x {view.width}",
                f"Use --image-size {takes.only}.",
            )
        if min(sides) < takes.least:
            wanted = f"{takes.least} x {takes.least}"
            raise BadInput(
                f"the encoder {encoder} takes {wanted} pixels or more, not {min(sides)}",
                f"Use --image-size {takes.least} or more.",
            )
        if max(sides) > takes.most:
            wanted = f"{takes.most} x {takes.most}"
            raise BadInput(
                f"the encoder {encoder} takes {wanted} pixels or fewer, not {max(sides)}",
                f"Use --image-size {takes.most} or less.",
            )
        if self.channels not in takes.channels:
            wanted = f"{' or '.join(map(str, takes.channels))} channel{'s' if takes.channels != (1,) else ''}"
            raise BadInput(
                f"the encoder {encoder} takes images of {wanted}, not {self.channels}",
                f"Use --override channels={takes.channels[0]}.",
            )


def spelled_size(network: Network) -> str:
    """Return the size of what a network sees as words give it: `96`, or `64x128` (height x width)."""
    return f"{network.image_size}x{network.image_width}" if network.image_width else str(network.image_size)


def is_foreign(network: Network) -> bool:
    """Return whether a network's encoder is another library's (model.backbones).

    ResNet-18 for a single channel is not: it was here before, without the normalisation of foreign weights.
    """
    if network.encoder == "resnet18":
        return network.channels == 3
    return network.encoder in TORCHVISION or network.encoder.startswith(TIMM)


@dataclass(frozen=True, kw_only=True)
class PairSampling(Part):
    """Draw random pairs, as the example does (data.pairs)."""

    name: ClassVar[str] = "pairs"
    batch_size: int  # pairs

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_positive(self, "batch_size")


@dataclass(frozen=True, kw_only=True)
class ClassSampling(Part):
    """Draw classes with several images each (data.batches)."""

    name: ClassVar[str] = "classes"
    batch_size: int  # images
    drawings: int = _within(4, least=2)  # images of each class: 2 make a similar pair
    alphabets: int = _within(4)  # groups that give several classes each, so that a batch has hard pairs
    per_alphabet: int = _within(8)  # classes from each of those groups
    turns: bool = True  # count each character turned by 90, 180 and 270 degrees as a class of its own
    mirrors: bool = False  # and its mirror images
    colours: float = _share(0.0)  # share of classes whose red, green and blue change places: classes of their own
    colourings: int = _within(1, least=1, most=6)  # orders of colours of a class in a batch that has room for them

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_positive(self, "batch_size")
        if self.batch_size < 2 * self.drawings:
            raise BadInput(
                f"{self.batch_size} images cannot hold {self.drawings} drawings of 2 classes",
                f"Use --override batch_size={2 * self.drawings} or more.",
            )


@dataclass(frozen=True, kw_only=True)
class NoAugmentation(Part):
    """Leave images as they are."""

    name: ClassVar[str] = "none"


@dataclass(frozen=True, kw_only=True)
class InkAugmentation(Part):
    """Warp each drawing at random, and spoil some (data.augment)."""

    name: ClassVar[str] = "ink"
    rotation: float = _within(8.4)  # largest angle in degrees, either way
    shear: float = _within(0.18)  # largest shear, either way
    scale: float = _within(0.14)  # largest logarithm of the factor of width and of height, either way
    shift: float = _within(0.07)  # largest share of the image's side, either way
    elastic: float = _within(0.0)  # standard deviation of the bending, as a share of the image's side
    thickness: float = _share(0.0)  # probability of thicker or thinner strokes
    coarse: float = _share(0.0)  # probability of a coarser resolution
    low_resolution: float = _share(0.0)  # probability of few pixels, read as sharp blobs
    erase: float = _share(0.0)  # probability of a square hole


@dataclass(frozen=True, kw_only=True)
class PhotoAugmentation(Part):
    """Move each photo at random, change its light and colours, and spoil some (data.photo_augment)."""

    name: ClassVar[str] = "photo"
    rotation: float = _within(15.0)  # largest angle in degrees, either way
    scale: float = _within(0.2)  # largest logarithm of the factor of the size, either way
    stretch: float = _within(0.1)  # largest logarithm of the factor of the width, which divides the height, either way
    shift: float = _within(0.07)  # largest share of the image's side, either way
    flip: float = _share(0.0)  # probability of a mirror image; 0.5 only where left and right mean nothing
    contrast: float = _within(0.3)  # largest logarithm of the factor of the contrast, either way
    brightness: float = _within(0.3)  # the same of the mean
    saturation: float = _within(0.3)  # the same of the difference from grey
    tint: float = _within(0.1)  # the same of red, green and blue, each by itself
    coarse: float = _share(0.2)  # probability of a coarser resolution
    erase: float = _share(0.3)  # probability of a covered rectangle


@dataclass(frozen=True, kw_only=True)
class PairObjective(Part):
    """Mean binary cross-entropy of random pairs: the example's loss (model.losses.pair_loss)."""

    name: ClassVar[str] = "pairs"


@dataclass(frozen=True, kw_only=True)
class AllPairsObjective(Part):
    """Cross-entropy of all pairs of a batch, and of classifying each image by centroids (model.losses)."""

    name: ClassVar[str] = "all-pairs"
    focus: float = _within(1.0)  # additional weight of the hard dissimilar pairs
    centroid_weight: float = _within(1.0)  # weight of the loss by centroids; the loss of pairs has weight 1
    centroid_scale: float = _within(20.0)  # factor of the cosines with centroids


@dataclass(frozen=True, kw_only=True)
class ContrastiveObjective(Part):
    """Contrastive loss of all pairs of a batch (model.losses.contrastive_loss)."""

    name: ClassVar[str] = "contrastive"
    margin: float = _within(1.0, most=2)  # distance that dissimilar pairs should keep; embeddings are at most 2 apart


@dataclass(frozen=True, kw_only=True)
class TripletObjective(Part):
    """Triplet loss with the hardest images of the batch (model.losses.triplet_loss)."""

    name: ClassVar[str] = "triplet"
    margin: float = _within(0.3, most=2)  # by which the nearest other image should be farther than the farthest similar


@dataclass(frozen=True, kw_only=True)
class SupervisedContrastiveObjective(Part):
    """Supervised contrastive loss (model.losses.contrast_loss)."""

    name: ClassVar[str] = "supervised-contrastive"
    temperature: float = _within(0.1, least=1e-3, most=100)  # of the softmax of cosines


@dataclass(frozen=True, kw_only=True)
class ProxyObjective(Part):
    """A loss with a proxy of each class, a direction that is learned with the network (model.losses).

    A class turned another way round (ClassSampling.turns) has a proxy of its own. No checkpoint keeps the proxies.
    """

    proxy_scale: float  # factor of the cosines with the proxies
    proxy_rate: float = _within(1.0)  # learning rate of the proxies, as a multiple of the encoder's


@dataclass(frozen=True, kw_only=True)
class ProxyAnchorObjective(ProxyObjective):
    """Proxy-anchor loss (model.losses.proxy_anchor_loss)."""

    name: ClassVar[str] = "proxy-anchor"
    margin: float = _within(0.1, most=1)  # of the cosines, either way; the paper's
    proxy_scale: float = _within(32.0)  # the paper's


@dataclass(frozen=True, kw_only=True)
class ArcFaceObjective(ProxyObjective):
    """Additive angular margin loss (model.losses.arcface_loss)."""

    name: ClassVar[str] = "arcface"
    margin: float = _within(0.5, most=1.5)  # radians, added to the angle with the own proxy; the paper's
    proxy_scale: float = _within(64.0)  # the paper's


@dataclass(frozen=True, kw_only=True)
class OwnObjective(Part):
    """A function of (embeddings, labels) given to the Python API. The record keeps only its name."""

    name: ClassVar[str] = OWN
    function: str


@dataclass(frozen=True, kw_only=True)
class Adam(Part):
    """Adam with a constant learning rate (Kingma and Ba 2015), as in the example."""

    name: ClassVar[str] = "adam"
    learning_rate: float  # AdamW's is the peak
    adam_betas: tuple[float, float] = (0.9, 0.99)
    adam_epsilon: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_positive(self, "learning_rate")
        if len(self.adam_betas) != 2 or not all(0 <= beta < 1 for beta in self.adam_betas):
            betas = ", ".join(map(str, self.adam_betas))
            example = "For example: --override adam_betas=0.9,0.99"
            raise BadInput(f"adam_betas must be two numbers from 0 to below 1, not {betas}", example)
        if not 0 <= self.adam_epsilon <= sys.float_info.max:
            example = f"For example: --override adam_epsilon={Adam.adam_epsilon}"
            raise BadInput(f"adam_epsilon must be 0 or above and finite, not {self.adam_epsilon}", example)


@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """AdamW (Loshchilov and Hutter 2019) with warm-up and cosine. A run ends with the moving average of its weights."""

    name: ClassVar[str] = "adamw"
    weight_decay: float = _within(0.05)
    warm_up: float = _share(0.1)  # share of the iterations in which the learning rate rises to its peak
    averaging: float = _share(0.03)  # share of the iterations that the moving average of the weights remembers
    head_rate: float = _within(3.0)  # learning rate of the head, as a multiple of the encoder's


def _check_digest(sha256: str) -> None:
    """Raise BadInput for what is neither a SHA-256 nor empty: a file's name is made of it."""
    if not isinstance(sha256, str) or not re.fullmatch("(?:[0-9a-f]{64})?", sha256):
        raise BadInput(f"{sha256!r} is no SHA-256", "Leave it out: the weights file tells its own.")


@dataclass(frozen=True, kw_only=True)
class NewWeights(Part):
    """Start from random weights, a function of the seed."""

    name: ClassVar[str] = "new"


@dataclass(frozen=True, kw_only=True)
class PretrainedWeights(Part):
    """Start with the weights of another library's network (model.pretrained); only the embedding is new.

    weights: `default` or a file's path; once it was found, the file's name
    weights_sha256: of that file; empty until it was found
    freeze: whether the backbone stays as it is, so that every image is embedded once, in a few versions
    """

    name: ClassVar[str] = "pretrained"
    weights: str = DEFAULT_WEIGHTS
    weights_sha256: str = ""
    freeze: bool = False
    versions: int = _within(4, least=1, most=100)  # of each image if frozen: the first as it is, the others varied
    head_first: float = _share(0.05)  # share of the iterations in which only the embedding is trained
    backbone_rate: float = _within(0.1)  # learning rate of the backbone, as a multiple of the embedding's

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_digest(self.weights_sha256)


@dataclass(frozen=True, kw_only=True)
class TwinWeights(Part):
    """Start from a trained twin of the same network.

    start: a run's name, `bundled`, or a file's path
    start_sha256: of its weights file; empty until it was found
    """

    name: ClassVar[str] = "twin"
    start: str = "bundled"
    start_sha256: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_digest(self.start_sha256)


Sampling = PairSampling | ClassSampling
Augmentation = NoAugmentation | InkAugmentation | PhotoAugmentation
Objective = (
    PairObjective
    | AllPairsObjective
    | ContrastiveObjective
    | TripletObjective
    | SupervisedContrastiveObjective
    | ProxyAnchorObjective
    | ArcFaceObjective
    | OwnObjective
)
Optimiser = Adam | AdamW
Initial = NewWeights | PretrainedWeights | TwinWeights
PARTS: dict[str, dict[str, type[Part]]] = {
    "sampling": {part.name: part for part in (PairSampling, ClassSampling)},
    "augmentation": {part.name: part for part in (NoAugmentation, InkAugmentation, PhotoAugmentation)},
    "objective": {
        part.name: part
        for part in (
            PairObjective,
            AllPairsObjective,
            ContrastiveObjective,
            TripletObjective,
            SupervisedContrastiveObjective,
            ProxyAnchorObjective,
            ArcFaceObjective,
            OwnObjective,
        )
    },
    "optimiser": {part.name: part for part in (Adam, AdamW)},
    "initial": {part.name: part for part in (NewWeights, PretrainedWeights, TwinWeights)},
}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The settings that decide a run's final weights, given its data, device and precision.

    >>> omnitwin.RECIPES["fast"].changed(iterations=300, rotation=15.0).augmentation.rotation
    15.0
    """

    name: str
    network: Network
    sampling: Sampling
    augmentation: Augmentation = NoAugmentation()
    objective: Objective = PairObjective()
    optimiser: Optimiser
    initial: Initial = NewWeights()
    iterations: int  # batches
    seed: int = 0  # of the initial weights, the batches and the held-out classes
    holdout: int = 0  # groups kept out of training, which set threshold, calibration and `best`
    slack: float = 0.0  # how much higher than the lowest a later EER on held-out classes may be, so that its network is
    # the best: slack / sqrt(classes), as a share. From few classes an EER is noise, and longer training mostly helps
    patience: int = 0  # exams on held-out classes without a better network, after which a run stops; 0: it never does

    def __post_init__(self) -> None:
        if self.holdout < 0:
            raise BadInput(f"holdout must be 0 or more groups or classes, not {self.holdout}", "For none: --holdout 0")
        if not 0 <= self.slack <= MOST_SLACK:
            raise BadInput(
                f"slack must be between 0 and {MOST_SLACK}, not {self.slack}", "For none: --override slack=0"
            )
        if self.patience < 0:
            raise BadInput(f"patience must be 0 or more exams, not {self.patience}", "To never stop: --patience 0")
        _check_positive(self, "iterations")
        if self.objective.name not in (PairObjective.name, OWN) and self.network.head != "distance":
            raise BadInput(
                f"the objective {self.objective.name} needs the head `distance`, not {self.network.head}",
                "Use --recipe fast, or --override head=distance.",
            )
        if isinstance(self.initial, PretrainedWeights) and not is_foreign(self.network):
            raise BadInput(
                f"no weights of others fit the encoder {self.network.encoder}",
                "Take a model of torchvision, such as --encoder resnet50; or start from a twin: --from bundled",
            )
        wanted = PairSampling.name if self.objective.name == PairObjective.name else ClassSampling.name
        if self.sampling.name != wanted:
            raise BadInput(f"the objective {self.objective.name} needs the sampling {wanted}, not {self.sampling.name}")
        if self.network.members > 1 and self.objective.name == PairObjective.name:
            raise BadInput("the objective pairs trains a single member", "Use --override members=1.")

    def flat(self) -> dict[str, Any]:
        """Return every field of the recipe and of its parts by its unique name, and every part's name."""
        flat: dict[str, Any] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, Part):
                flat[each.name] = value.name
            flat |= vars(value) if isinstance(value, Part | Network) else {each.name: value}
        return flat

    def changed(self, **changes: Any) -> Self:
        """Return the recipe with changed fields, its own or its parts', by name. Raises BadInput for any other name.

        A part's name (sampling="pairs") replaces that part. The new part takes over the fields that both have. The
        fields weights, freeze and start choose how the weights begin; weights="none" is at random. Another encoder
        stands alone, unless `members` says otherwise.
        """
        changes = _with_initial(changes, self.network, self.initial)
        if changes.get("encoder", self.network.encoder) != self.network.encoder:
            changes = {"members": 1, **changes}
        parts: dict[str, Any] = {}
        for each in ("network", *PARTS):
            part = getattr(self, each)
            if isinstance(changes.get(each), Network if each == "network" else tuple(PARTS[each].values())):
                part = changes[each]
            elif each in PARTS and each in changes and changes[each] != part.name:
                part = _another(each, changes[each], {**self.flat(), **changes})
            own = {known.name for known in fields(part)} & changes.keys()
            parts[each] = _with(part, {name: changes[name] for name in own})
        others = {each.name for each in fields(self)} - parts.keys()
        known = others.union(PARTS, *({each.name for each in fields(part)} for part in parts.values()))
        check_fields(changes, _all_fields())
        if useless := [name for name in changes if name not in known]:
            does = "trains on random pairs" if parts["sampling"].name == "pairs" else "has no part with that field"
            words = f"{', '.join(useless)} {'has' if len(useless) == 1 else 'have'} no effect"
            raise BadInput(f"{words}: recipe {self.name} {does}", "Leave it out, or use --recipe fast.")
        changed: Self = _with(
            replace(self, **parts), {name: value for name, value in changes.items() if name in others}
        )
        return changed

    def to_json(self) -> dict[str, Any]:
        """Return the record that from_json reads: all fields, and the name of each part."""
        parts = {each: {"name": getattr(self, each).name, **asdict(getattr(self, each))} for each in PARTS}
        for part in parts.values():
            part |= {name: list(value) for name, value in part.items() if isinstance(value, tuple)}
        record = asdict(self) | parts
        if isinstance(self.initial, NewWeights):  # as records were before there was anything else
            del record["initial"]
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Recipe":
        """Return the recipe in a record of to_json, or in a flat record of omnitwin 0.1.

        Raises TypeError, KeyError, ValueError or BadInput for any other record.
        """
        if "network" not in record:
            record = _parts_of_flat(record)
        record = {"initial": {"name": NewWeights.name}, **record}
        parts: dict[str, Any] = {each: _part(each, record[each]) for each in PARTS}
        return cls(**{**_typed(cls, record), "network": network_of(record["network"]), **parts})


def _all_fields() -> list[str]:
    """Return the names of all fields that some recipe has, its own or its parts'."""
    schemas = (Recipe, Network, *(part for parts in PARTS.values() for part in parts.values()))
    return list(dict.fromkeys(each.name for schema in schemas for each in fields(schema)))


def check_fields(names: Iterable[str], known: Collection[str]) -> None:
    """Raise BadInput for the first name that is not known, with the close ones and all that are known."""
    wrong = next((name for name in names if name not in known), None)
    if wrong is None:
        return
    from difflib import get_close_matches  # only a mistake needs it

    close = get_close_matches(wrong, known)
    hint = f"Did you mean {' or '.join(close)}? " if close else ""
    raise BadInput(f"no field is called {wrong!r}", f"{hint}Fields: {', '.join(known)}.")


def recipe_called(name: str) -> Recipe:
    """Return a published recipe. Raises BadInput if there is none of that name."""
    if name not in RECIPES:
        raise BadInput(f"no recipe is called {name!r}", f"Use {', '.join(RECIPES)}.")
    return RECIPES[name]


def network_of(record: Mapping[str, Any]) -> Network:
    """Return the network in a record. Raises TypeError, KeyError or BadInput if it has none."""
    return Network(**_typed(Network, record))


def _with_initial(changes: dict[str, Any], network: Network, before: Part) -> dict[str, Any]:
    """Return the changes with the part `initial` that the fields among them mean. Raises BadInput if two exclude.

    A recipe that starts from a twin starts from random weights if its network becomes another kind.
    """
    changes = {name: os.fspath(value) if isinstance(value, os.PathLike) else value for name, value in changes.items()}
    weights, start = changes.get("weights"), changes.get("start")
    if changes.get("freeze") is False and weights in (None, NO_WEIGHTS) and not isinstance(before, PretrainedWeights):
        del changes["freeze"]  # nothing is frozen in other networks anyway
    if weights == NO_WEIGHTS:
        del changes["weights"]
        return {"initial": NewWeights.name, **changes}
    if weights is not None and start is not None:
        raise BadInput(
            "a network starts either with weights of others (--weights) or from a twin (--from)", "Give one."
        )
    if weights is not None or (changes.get("freeze") is True and not isinstance(before, PretrainedWeights)):
        return {"initial": PretrainedWeights.name, "weights": DEFAULT_WEIGHTS, "weights_sha256": "", **changes}
    if start is not None:
        return {"initial": TwinWeights.name, "start_sha256": "", **changes}
    kind = ("encoder", "head", "channels", "frame")
    if isinstance(before, TwinWeights) and any(
        each in changes and changes[each] != getattr(network, each) for each in kind
    ):
        return {"initial": NewWeights.name, **changes}
    return changes


def _another(kind: str, name: str, known: Mapping[str, Any]) -> Part:
    if not isinstance(name, str) or name not in PARTS[kind]:
        raise BadInput(f"no {kind} is called {name!r}", f"Use {' or '.join(PARTS[kind])}.")
    part = PARTS[kind][name]
    if part is OwnObjective and "function" not in known:
        raise BadInput("an objective of your own is a function", "In Python, pass it: objective=FUNCTION.")
    return part(**{each.name: known[each.name] for each in fields(part) if each.name in known})


def _part(kind: str, record: Mapping[str, Any]) -> Part:
    values = dict(record)
    part = PARTS[kind][values.pop("name")]
    if "adam_betas" in values:
        values["adam_betas"] = _two_numbers(values["adam_betas"])
    return part(**_typed(part, values))


def _parts_of_flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts in a flat record of omnitwin 0.1. Its `batches` held the fields for all pairs of a batch."""
    rest = dict(record)
    batches = rest.pop("batches", None)
    names = ("classes", "ink", "all-pairs", "adamw", "new") if batches else ("pairs", "none", "pairs", "adam", "new")
    if batches is not None and not isinstance(batches, dict):
        raise TypeError(f"batches is {batches!r}, no object")
    values = {**rest, **(batches or {})}
    parts: dict[str, Any] = {"network": {}}
    for kind, name in zip(PARTS, names, strict=True):
        parts[kind] = {"name": name}
    for kind, part in [("network", Network), *((kind, PARTS[kind][parts[kind]["name"]]) for kind in PARTS)]:
        parts[kind] |= {each.name: values.pop(each.name) for each in fields(part) if each.name in values}
    if not {"encoder", "image_size"} <= parts["network"].keys():
        raise KeyError("encoder, image_size")
    return {**values, **parts}


def _typed(record_of: type, record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the record. Raises TypeError if a plain field holds a value of another type."""
    for name, kind in get_type_hints(record_of).items():
        kinds: Any = (int, float) if kind is float else kind
        if name not in record or kind not in (int, float, bool, str):
            continue
        value = record[name]
        if not isinstance(value, kinds) or isinstance(value, bool) != (kind is bool):  # a bool is an int to Python
            raise TypeError(f"{name} is {value!r}, not of type {kind.__name__}")
    return record


def _with(record: Any, values: Mapping[str, Any]) -> Any:
    """Return the record with other values; raise BadInput if one is out of range, or of another kind than its field."""
    try:
        changed = replace(record, **values)
        _typed(type(record), values)
    except TypeError as error:
        raise BadInput(
            f"a field of the recipe has a wrong value: {error}", "See docs/REFERENCE.md, Recipes."
        ) from error
    return changed


def _two_numbers(values: Any) -> tuple[float, float]:
    first, second = values
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in (first, second)):
        raise TypeError(f"not two numbers: {values!r}")
    return first, second


# MathWorks, "Train a Twin Neural Network to Compare Images": its network, pairs and optimiser, to the letter.
CLASSIC = Recipe(
    name="classic",
    network=Network(encoder="classic", image_size=105),
    sampling=PairSampling(batch_size=180),
    optimiser=Adam(learning_rate=6e-5),
    iterations=10_000,
)
# The same twin, loss and pairs on small images: a trained network in about a minute without a GPU. Not the example.
SMALL = Recipe(
    name="small",
    network=Network(encoder="small", image_size=28),
    sampling=PairSampling(batch_size=128),
    optimiser=Adam(learning_rate=1e-3),
    iterations=1_500,
    holdout=5,
)
# All pairs of a batch, drawings framed by their ink: better than the example after seconds on two cores.
FAST = Recipe(
    name="fast",
    network=Network(encoder="strong", image_size=24, frame="ink", head="distance"),
    sampling=ClassSampling(batch_size=256),
    augmentation=InkAugmentation(),
    objective=AllPairsObjective(),
    optimiser=AdamW(learning_rate=3e-3),
    iterations=1_200,
    holdout=5,
)
# The recipe of the bundled weights (`make weights`): longer, two members, other pens and resolutions (docs/LOG.md).
STRONG = replace(FAST, name="strong", iterations=8_000).changed(
    image_size=28, members=2, mirrors=True, thickness=0.3, low_resolution=0.3
)
# Signatures and other drawings of the user's own: never turned or mirrored. Few classes overfit, so it is short, and
# starts from the bundled weights, whose linear map is resampled for another size (model.transfer, docs/LOG.md).
INK = Recipe(
    name="ink",
    network=Network(encoder="strong", image_size=32, image_width=64, frame="ink", head="distance"),
    initial=TwinWeights(),
    sampling=ClassSampling(batch_size=96, turns=False),
    augmentation=InkAugmentation(rotation=5.0, shear=0.1, shift=0.05, thickness=0.5, coarse=0.3, erase=0.3),
    objective=AllPairsObjective(),
    optimiser=AdamW(learning_rate=1e-3),
    iterations=160,
    holdout=5,
)
# Photos of the user's own, in colour: letterboxed. Half of the classes come in other colours (docs/LOG.md).
PHOTO = Recipe(
    name="photo",
    network=Network(encoder="photo", image_size=96, frame="photo", head="distance", channels=3),
    sampling=ClassSampling(batch_size=128, turns=False, colours=0.5, colourings=4),
    augmentation=PhotoAugmentation(),
    objective=AllPairsObjective(),
    optimiser=AdamW(learning_rate=3e-3),
    iterations=800,
    patience=8,
    holdout=5,
    slack=1.0,
)
# `omnitwin demo`: the fast recipe, about half a minute on two cores.
DEMO = replace(FAST, iterations=400)

RECIPES = {recipe.name: recipe for recipe in (CLASSIC, SMALL, FAST, STRONG, INK, PHOTO)}
