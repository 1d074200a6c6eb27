"""The weights that a new run starts from: random ones, another library's (`--weights`), or a trained twin's (`--from`).

A run's recipe names them with their SHA-256, so that a resumed run, whose state has all tensors, needs none of them.
"""

from dataclasses import fields, replace

import torch

from omnitwin.config import TrainConfig
from omnitwin.errors import BadCheckpoint, BadInput
from omnitwin.model.anatomy import BLOCKS
from omnitwin.model.backbones import check_size
from omnitwin.model.checkpoint import load_checkpoint
from omnitwin.model.description import read_description
from omnitwin.model.locating import LARGEST_WEIGHTS, locate_checkpoint
from omnitwin.model.pretrained import Pretrained, bring, read_pretrained
from omnitwin.model.transfer import fitted
from omnitwin.recipes import (
    OWN,
    TIMM,
    ClassSampling,
    Network,
    NewWeights,
    PretrainedWeights,
    Recipe,
    TwinWeights,
    is_foreign,
    spelled_size,
)
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.system.files import digest


def begun(config: TrainConfig, reporter: Reporter = SILENT) -> TrainConfig:
    """Return the config of a new run, whose recipe names the weights that it starts from; fetch them if needed.

    Raises BadInput if weights don't fit the network, BadCheckpoint if no twin has that name, CannotRun if default
    weights are not here and cannot be fetched.
    """
    recipe, initial = config.recipe, config.recipe.initial
    if recipe.network.encoder.startswith(TIMM):
        check_size(recipe.network)
    if isinstance(initial, PretrainedWeights):
        if not initial.weights_sha256:
            found = bring(recipe.network, initial.weights, config.source.offline, reporter)
            initial = replace(initial, weights=found.name, weights_sha256=found.sha256)
        recipe = replace(recipe, initial=initial)
        if initial.freeze and isinstance(recipe.sampling, ClassSampling):  # features are neither turned nor coloured
            recipe = recipe.changed(turns=False, mirrors=False, colours=0.0)
    elif isinstance(initial, TwinWeights) and not initial.start_sha256:
        path = locate_checkpoint(initial.start)
        _check_same(initial.start, read_description(path).network, recipe.network)
        sha256 = digest(path, "sha256", LARGEST_WEIGHTS)
        recipe = replace(recipe, initial=replace(initial, start_sha256=sha256))
    elif isinstance(initial, NewWeights) and is_foreign(recipe.network):
        reporter.note(
            f"{recipe.network.encoder} starts from random weights. To start from those of ImageNet: --weights default"
        )
    return replace(config, recipe=recipe)


def initial_tensors(config: TrainConfig) -> dict[str, torch.Tensor]:
    """Return the tensors that a begun run starts from in place of random ones, by their names in the network."""
    recipe: Recipe = config.recipe
    initial = recipe.initial
    if isinstance(initial, PretrainedWeights):
        return read_pretrained(recipe.network, Pretrained(name=initial.weights, sha256=initial.weights_sha256))
    if isinstance(initial, TwinWeights):
        path = locate_checkpoint(initial.start)
        if digest(path, "sha256", LARGEST_WEIGHTS) != initial.start_sha256:
            raise BadCheckpoint(
                f"{initial.start} has changed since this run was begun from it", "Start a new run from what it is now."
            )
        network, description = load_checkpoint(path, config.encoder)
        if recipe.network.encoder == OWN:
            return network.state_dict()
        return fitted(network.state_dict(), description.network, recipe.network)
    return {}


def _check_same(start: str, found: Network, wanted: Network) -> None:
    """Raise BadInput with what differs between a twin's network and the recipe's, if that is too much.

    A network of blocks may see pictures of another size (model.transfer), and a drawing whole or by its ink. It may
    have any number of members, too.
    """
    free = {"members"} | ({"image_size", "image_width"} if wanted.encoder in BLOCKS else set())
    free |= {"frame"} if "photo" not in (found.frame, wanted.frame) else set()
    names = [each.name for each in fields(Network) if getattr(found, each.name) != getattr(wanted, each.name)]
    names = [name for name in names if name not in free]
    if not names:
        return
    differences = "; ".join(f"{name} {getattr(found, name)}, not {getattr(wanted, name)}" for name in names)
    words = {
        "encoder": f"--encoder {found.encoder}",
        "image_size": f"--image-size {spelled_size(found)}",
        "image_width": f"--image-size {spelled_size(found)}",
    }
    same = " ".join(dict.fromkeys(words.get(name, f"--override {name}={getattr(found, name)}") for name in names))
    raise BadInput(f"{start} is another network: {differences}", f"For the same network: {same}")
