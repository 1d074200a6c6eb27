"""The memory that training takes on a CPU, estimated from the recipe before anything of that size is made.

A recipe can ask for more than a machine has. In words that is the user's own wish: it is noted, and the machine
decides. In the folder of a run it can be another person's: by itself, a run's record may ask for what is usual
(RESUMED_MOST), and more is refused.
"""

from collections.abc import Callable

import torch

from omnitwin.config import TrainConfig
from omnitwin.data.batches import ways_round
from omnitwin.data.packed import MOST_FRAMED
from omnitwin.errors import CannotRun
from omnitwin.model.anatomy import features_of
from omnitwin.model.checkpoint import layout_with
from omnitwin.recipes import RECIPES, ClassSampling, PretrainedWeights, ProxyObjective, Recipe, is_foreign, spelled_size
from omnitwin.system.device import free_main_memory
from omnitwin.system.tensorfile import layout_bytes
from omnitwin.training.frozen import EMBED_AT_ONCE
from omnitwin.training.objective import images_of_a_pass, learned_layout
from omnitwin.training.optimiser import OPTIMISERS

RESUMED_MOST = 3 << 27  # bytes: twice what the recipe fast takes. torch and the data come on top
FOREIGN_MOST = 1 << 32  # bytes for another library's network: ResNet-50, in batches of 96 images of 96 x 96, takes 4e9
IMAGES = 20_000  # in Omniglot's larger set
CLASSES = 1_000  # there
GRADIENT, MOMENTS = 1, 2  # numbers of each weight beside itself
KEPT = 900  # bytes of each pixel: all our encoders keep 430 to 620 for the gradients, whose own maps come on top
KEPT_FOREIGN = 4000  # another library's: MobileNetV2 keeps 1,560, ResNet-50 1,710, ViT-B/16 2,350, DenseNet-121 2,600
SEEN = 1000  # of a frozen one, which keeps nothing for gradients: the largest maps that are there at once
FROZEN_FEATURES = 2048  # of each image, each 2 bytes; VGG has 4,096, most have fewer
INPUTS = 3  # float32 images of a batch: gathered, scaled, changed
WARPED = 8  # further ones, if images are varied: places to look up, and what is found there
SCORES = 6  # numbers of each pair of a batch of classes: logits, terms of the loss and gradients
FLOAT = 4  # bytes


def check_needs(config: TrainConfig, device: torch.device, most: int = RESUMED_MOST) -> None:
    """Raise CannotRun if a run that goes on by its record alone takes far more memory than usual.

    most: bytes that a record may ask for, unless a published recipe with its encoder takes more
    """
    recipe, wanted = config.recipe, _estimate(config, device)
    if wanted is not None and wanted > _allowed(recipe, most):
        raise CannotRun(
            f"{_told(recipe, wanted)}, more than a run's record may ask for by itself",
            "If you want that, resume it with these words, too: "
            f"--image-size {spelled_size(recipe.network)} --batch-size {recipe.sampling.batch_size}",
        )


def note_needs(config: TrainConfig, device: torch.device, note: Callable[[str], None]) -> None:
    """Note that training takes more memory than is free, if the estimate says so. It can be wrong: the run begins."""
    wanted, free = _estimate(config, device), free_main_memory()
    if wanted is not None and free is not None and wanted > free:
        note(
            f"By an estimate, {_told(config.recipe, wanted)}, and {free / 1e9:,.1f} GB are free. "
            "If that is too little: a smaller --batch-size or --image-size."
        )


def memory_needed(recipe: Recipe) -> int:
    """Return the bytes that network, optimiser, a batch and the framed images take. They can be twice as many in fact.

    Data are not opened: a set counts as large as Omniglot's, and a batch as large as the recipe says.
    """
    layout = layout_with(recipe.network, None)
    copies = 1 + GRADIENT + MOMENTS + OPTIMISERS[recipe.optimiser.name].averages
    pairs = recipe.sampling.name == "pairs"
    images = 2 * recipe.sampling.batch_size if pairs else min(recipe.sampling.batch_size, IMAGES)  # each image once
    view = recipe.network.view
    places = view.height * view.width
    pixels = view.channels * places
    inputs = INPUTS + (0 if recipe.augmentation.name == "none" else WARPED)
    batch_statistics = any(name.endswith("running_mean") for name in layout)
    together = min(images, images_of_a_pass(recipe, batch_statistics, torch.device("cpu")))
    scores = 0 if pairs else SCORES * FLOAT * images**2
    kept = KEPT_FOREIGN if is_foreign(recipe.network) else KEPT
    features = 0
    if isinstance(recipe.initial, PretrainedWeights) and recipe.initial.freeze:
        together, kept, features = EMBED_AT_ONCE, SEEN, 2 * FROZEN_FEATURES * IMAGES * recipe.initial.versions
    batch = images * pixels * FLOAT * inputs + together * places * kept + scores
    learned = 0
    if isinstance(recipe.objective, ProxyObjective) and isinstance(recipe.sampling, ClassSampling):
        labels = CLASSES * len(ways_round(recipe.sampling, recipe.network.channels))
        proxies = learned_layout(recipe, features_of(recipe.network), labels)
        learned = layout_bytes(proxies) * (1 + GRADIENT + MOMENTS) + SCORES * FLOAT * images * labels
    return layout_bytes(layout) * copies + batch + features + learned + min(IMAGES * pixels, MOST_FRAMED)


def _allowed(recipe: Recipe, most: int) -> int:
    """Return what a recipe may take: the published ones with its encoder may take what they take."""
    if is_foreign(recipe.network):
        return max(most, FOREIGN_MOST)
    published = (known for known in RECIPES.values() if known.network.encoder == recipe.network.encoder)
    return max(most, *map(memory_needed, published), 0)


def _estimate(config: TrainConfig, device: torch.device) -> int | None:
    """Return memory_needed. None: on another device than a CPU, and for an encoder of the user's own, it is unknown."""
    return memory_needed(config.recipe) if device.type == "cpu" and config.encoder is None else None


def _told(recipe: Recipe, wanted: int) -> str:
    view = recipe.network.view
    return (
        f"training the encoder {recipe.network.encoder} on images of {view.height} x {view.width} pixels in "
        f"batches of {recipe.sampling.batch_size:,} takes about {wanted / 1e9:,.1f} GB of memory"
    )
