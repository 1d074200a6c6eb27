"""The memory that training takes on a CPU, estimated from the recipe before anything of that size is made.

A recipe can ask for more than a machine has. In words that is the user's own wish, and the machine decides. In the
folder of a run it can be another person's: by itself, a run's record may ask for what is usual (RESUMED_MOST).
"""

import torch

from omnitwin.config import TrainConfig
from omnitwin.data.packed import MOST_FRAMED
from omnitwin.errors import CannotRun
from omnitwin.model.checkpoint import layout_with
from omnitwin.recipes import RECIPES, Recipe
from omnitwin.system.device import free_main_memory, select_device
from omnitwin.system.tensorfile import layout_bytes
from omnitwin.training.objective import images_of_a_pass
from omnitwin.training.optimiser import OPTIMISERS

RESUMED_MOST = 3 << 27  # bytes: twice what the recipe fast takes. torch and the data come on top
IMAGES = 20_000  # in Omniglot's larger set
GRADIENT, MOMENTS = 1, 2  # numbers of each weight beside itself
KEPT = 900  # bytes of each pixel: all our encoders keep 430 to 620 for the gradients, whose own maps come on top
INPUTS = 3  # float32 images of a batch: gathered, scaled, changed
WARPED = 8  # further ones, if images are varied: places to look up, and what is found there
SCORES = 6  # numbers of each pair of a batch of classes: logits, terms of the loss and gradients
FLOAT = 4  # bytes


def check_needs(config: TrainConfig) -> None:
    """Raise CannotRun if training takes more memory than config allows or than is free. Only a CPU's is estimated.

    A network of the user's own is not looked into.
    """
    recipe = config.recipe
    if select_device(config.device).type != "cpu" or config.encoder is not None:
        return
    wanted = memory_needed(recipe)
    network, batch = recipe.network, recipe.sampling.batch_size
    words = (
        f"training the encoder {network.encoder} on images of {network.image_size} x {network.image_size} pixels in "
        f"batches of {batch:,} takes about {wanted / 1e9:,.1f} GB of memory"
    )
    if config.most_memory is not None and wanted > _allowed(recipe, config.most_memory):
        raise CannotRun(
            f"{words}, more than a run's record may ask for by itself",
            f"If you want that, say it: --image-size {network.image_size} --batch-size {batch}",
        )
    free = free_main_memory()
    if free is not None and wanted > free:
        raise CannotRun(f"{words}, and {free / 1e9:,.1f} GB are free", "Try a smaller --batch-size or --image-size.")


def memory_needed(recipe: Recipe) -> int:
    """Return the bytes that network, optimiser, a batch and the framed images take. They can be twice as many in fact.

    Data are not opened: a set counts as large as Omniglot's, and a batch as large as the recipe says.
    """
    layout = layout_with(recipe.network, None)
    copies = 1 + GRADIENT + MOMENTS + OPTIMISERS[recipe.optimiser.name].averages
    pairs = recipe.sampling.name == "pairs"
    images = 2 * recipe.sampling.batch_size if pairs else min(recipe.sampling.batch_size, IMAGES)  # each image once
    pixels = recipe.network.channels * recipe.network.image_size**2
    inputs = INPUTS + (0 if recipe.augmentation.name == "none" else WARPED)
    batch_statistics = any(name.endswith("running_mean") for name in layout)
    together = min(images, images_of_a_pass(recipe, batch_statistics, torch.device("cpu")))
    scores = 0 if pairs else SCORES * FLOAT * images**2
    batch = images * pixels * FLOAT * inputs + together * pixels * KEPT + scores
    return layout_bytes(layout) * copies + batch + min(IMAGES * pixels, MOST_FRAMED)


def _allowed(recipe: Recipe, most: int) -> int:
    """Return what a recipe may take: the published ones with its encoder may take what they take."""
    published = (known for known in RECIPES.values() if known.network.encoder == recipe.network.encoder)
    return max(most, *map(memory_needed, published), 0)
