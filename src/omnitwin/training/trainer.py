"""Training steps: the network, its optimiser and the data on one device."""

from typing import cast

import torch
from torch import nn

from omnitwin.config import TrainConfig
from omnitwin.data.imageset import ImageSet, check_channels
from omnitwin.data.sampling import Batch
from omnitwin.model import backbones
from omnitwin.model.anatomy import features_of
from omnitwin.model.backbones import BackboneEncoder
from omnitwin.model.checkpoint import layout_with
from omnitwin.model.encoders import count_parameters, has_depthwise
from omnitwin.model.twin import TwinNetwork, build_twin
from omnitwin.recipes import PretrainedWeights, Recipe, is_foreign
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.system.device import select_device, select_precision
from omnitwin.system.randomness import Stream, random_generator
from omnitwin.system.shortage import Memory, attempt, fitting_batch
from omnitwin.system.tensorfile import Layout
from omnitwin.training.frozen import FrozenSampler, is_frozen, keep_pretrained, new_sampler
from omnitwin.training.objective import Machinery, learned_layout, new_objective
from omnitwin.training.optimiser import OPTIMISERS, is_held

BUFFERS = ("running_mean", "running_var", "num_batches_tracked")  # of batch norm: they are not trained
LEARNED = "objective."  # before the names of what the loss itself learns
MOMENTS = ("exp_avg", "exp_avg_sq")  # of Adam, by torch's names: each has the shape of its parameter
RANK = 0  # number of this process among those that train together; part of every key


def build_network(recipe: Recipe, encoder: nn.Module | None = None) -> TwinNetwork:
    """Return a network whose initial weights are a function of the recipe's seed alone.

    encoder: the user's own module; its weights stay as they are
    """
    with torch.random.fork_rng(devices=[]):
        torch.random.set_rng_state(random_generator(torch.device("cpu"), recipe.seed, Stream.INITIAL).get_state())
        return build_twin(recipe.network, encoder)


def state_layout(recipe: Recipe, encoder: nn.Module | None = None, labels: int = 0) -> Layout:
    """Return the layout of the state of a run, as its recipe implies it. Nothing of that size is allocated.

    encoder: the user's own module, for a recipe whose encoder is called `own`
    labels: the number of labels that batches have (data.sampling), for a recipe whose loss learns a proxy of each

    Raises BadInput if that encoder is missing.
    """
    layout = layout_with(recipe.network, encoder)
    prefixes = ("network.", "average.") if OPTIMISERS[recipe.optimiser.name].averages else ("network.",)
    state = {f"{prefix}{name}": kind for prefix in prefixes for name, kind in layout.items()}
    if encoder is None:
        still = {name for name in layout if name.endswith(BUFFERS)}
        if is_foreign(recipe.network):
            moving = {f"encoder.{name}" for name in backbones.moving(recipe.network, is_frozen(recipe))}
            still = {name for name in layout if name.startswith("encoder.")} - moving
    else:
        moving = {f"encoder.{name}" for name, parameter in encoder.named_parameters() if parameter.requires_grad}
        still = {name for name in layout if name.startswith("encoder.")} - moving
    features = features_of(recipe.network) if encoder is None else cast(int, encoder.features)
    learned = {f"{LEARNED}{name}": kind for name, kind in learned_layout(recipe, features, labels).items()}
    state |= learned
    for name, kind in {**{name: layout[name] for name in layout.keys() - still}, **learned}.items():
        state |= {f"adam.{moment}.{name}": kind for moment in MOMENTS}
        state[f"adam.step.{name}"] = ((), "float32")
    return state


class Trainer:
    """Take the training steps of a recipe.

    Step i draws its batch from the key (seed, rank, i), so a resumed run draws what an uninterrupted run draws.
    """

    def __init__(self, config: TrainConfig, images: ImageSet) -> None:
        self.recipe = config.recipe
        self.device = select_device(config.device)
        self.memory = Memory(self.device)
        precision = select_precision(config.precision, self.device)  # refused before anything is built
        self.images = images.framed(self.recipe.network.view).to(self.device)
        check_channels(self.images, self.recipe.network.channels)
        self.network = build_network(self.recipe, config.encoder).to(self.device)
        if isinstance(self.recipe.initial, PretrainedWeights):
            keep_pretrained(self.network, self.recipe.initial)
        self.network.train()
        slow = config.precision == "auto" and self.device.type == "cpu" and has_depthwise(self.network)
        self.precision = "fp32" if slow else precision
        self.sampler = new_sampler(self.images, self.recipe, self.network)
        if self.precision == "bf16":
            self.network.to(memory_format=torch.channels_last)
        self.machinery = Machinery(
            network=self.network, device=self.device, precision=self.precision, compile=config.compile
        )
        self.objective = new_objective(self.recipe, self.machinery, self.sampler.labels, config.objective)
        learned = list(self.objective.learned.values())
        self.optimiser = OPTIMISERS[self.recipe.optimiser.name](self.network, self.recipe, learned)
        self.parameter_count = count_parameters(self.network)

    @property
    def trained(self) -> TwinNetwork:
        """The network that a run would end with now."""
        return self.optimiser.trained

    def start_from(self, tensors: dict[str, torch.Tensor]) -> None:
        """Load initial weights, of the whole network or a part of it, by their names."""
        for network in self._networks().values():
            if unknown := network.load_state_dict(tensors, strict=False).unexpected_keys:
                raise ValueError(f"initial weights of another network: {unknown[0]}")

    def prepare(self, reporter: Reporter = SILENT) -> None:
        """Do what all steps need once: embed the images, if the backbone is frozen. The weights must be loaded."""
        if isinstance(self.sampler, FrozenSampler):
            self.sampler.look(reporter)

    def step(self, iteration: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Take a step (1 is the first). Return its loss and the spread of its logits, scalars on the device.

        The spread is the standard deviation; of several members both are means. Raises CannotRun, with a smaller batch
        to try, if memory is short.
        """
        return attempt(lambda: self._do_step(iteration), self.device, self.smaller_batch, self.machinery.compile)

    def draw(self, iteration: int, member: int = 0) -> Batch:
        """Return the batch of an iteration. member: of the encoder, from which it learns"""
        key = (iteration, member) if member else (iteration,)
        return self.sampler.draw(random_generator(self.device, self.recipe.seed, Stream.PAIRS, RANK, *key))

    def _do_step(self, iteration: int) -> tuple[torch.Tensor, torch.Tensor]:
        first = self.draw(iteration)
        if isinstance(self.recipe.initial, PretrainedWeights):
            cast(BackboneEncoder, self.network.encoder).hold(is_held(self.recipe, iteration))
        self.optimiser.begin(iteration)
        results = [self.objective.backward(first)]
        for member in range(1, self.recipe.network.members):
            results.append(self.objective.backward(self.draw(iteration, member), member))
        self.optimiser.end(iteration)
        losses, spreads = zip(*results, strict=True)
        return torch.stack(losses).mean(), torch.stack(spreads).mean()

    def smaller_batch(self) -> str:
        """Return the advice for a step that lacked memory."""
        self.optimiser.torch.zero_grad()
        moments = 0 if self.optimiser.torch.state else 2 * sum(tensor.nbytes for _, tensor in self._moving())
        size, least = self.recipe.sampling.batch_size, self.sampler.least
        return f"Try --batch-size {fitting_batch(size, least, self.trial, moments, self.memory)}."

    def trial(self, size: int) -> None:
        """Compute the gradients of a batch of this size, so that its memory can be measured."""
        self.optimiser.torch.zero_grad()
        self.objective.backward(self.draw(1).first(size // self.sampler.step * self.sampler.step))

    def state(self) -> dict[str, torch.Tensor]:
        """Return all tensors that the next step depends on, by name."""
        state = self._weights() | {f"{LEARNED}{name}": tensor for name, tensor in self.objective.learned.items()}
        for name, parameter in self._moving():
            for moment, tensor in self.optimiser.torch.state.get(parameter, {}).items():
                state[f"adam.{moment}.{name}"] = tensor
        return state

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Load what state() returned. The optimiser's tensors move to the device of its parameters."""
        for prefix, network in self._networks().items():
            network.load_state_dict(
                {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
            )
        with torch.no_grad():
            for name, parameter in self.objective.learned.items():
                parameter.copy_(state[f"{LEARNED}{name}"])
        for name, parameter in self._moving():
            self.optimiser.torch.state[parameter] = {
                moment: torch.empty_like(parameter).copy_(tensor) if tensor.dim() else tensor.to(self.device, copy=True)
                for moment in ("step", *MOMENTS)
                for tensor in (state[f"adam.{moment}.{name}"],)
            }

    def _moving(self) -> list[tuple[str, nn.Parameter]]:
        """Return the parameters that are trained, by name: all but those that a user's encoder has frozen."""
        moving = [(name, parameter) for name, parameter in self.network.named_parameters() if parameter.requires_grad]
        return moving + [(f"{LEARNED}{name}", parameter) for name, parameter in self.objective.learned.items()]

    def _networks(self) -> dict[str, TwinNetwork]:
        """Return the networks by the prefix of their tensors in a state."""
        return {"network.": self.network} | ({"average.": average} if (average := self.optimiser.average) else {})

    def _weights(self) -> dict[str, torch.Tensor]:
        return {
            f"{prefix}{name}": tensor
            for prefix, network in self._networks().items()
            for name, tensor in network.state_dict().items()
        }
