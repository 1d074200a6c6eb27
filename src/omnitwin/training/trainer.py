"""Training steps: the network, its optimiser and the data on one device."""

import copy
import math

import torch
from torch import nn

from omnitwin.config import TrainConfig
from omnitwin.data.imageset import ImageSet, check_channels
from omnitwin.data.sampling import SAMPLERS, Batch
from omnitwin.model.encoders import count_parameters
from omnitwin.model.twin import TwinNetwork, build_twin
from omnitwin.recipes import Adam, AdamW, Recipe
from omnitwin.system.device import select_device, select_precision
from omnitwin.system.randomness import Stream, random_generator
from omnitwin.system.shortage import Memory, attempt, fitting_batch
from omnitwin.training.objective import Machinery, new_objective

EARLY = 9  # the larger, the sooner the moving average of the weights forgets the first iterations
RANK = 0  # number of this process among those that train together; part of every key


def build_network(recipe: Recipe, encoder: nn.Module | None = None) -> TwinNetwork:
    """Return a network whose initial weights are a function of the recipe's seed alone.

    encoder: the user's own module; its weights stay as they are
    """
    with torch.random.fork_rng(devices=[]):
        torch.random.set_rng_state(random_generator(torch.device("cpu"), recipe.seed, Stream.INITIAL).get_state())
        return build_twin(recipe.network, encoder)


class Trainer:
    """Take the training steps of a recipe.

    Step i draws its batch from the key (seed, rank, i), so a resumed run draws what an uninterrupted run draws.
    `average` is the moving average of the weights, with which a run with AdamW ends; None for Adam.
    """

    def __init__(self, config: TrainConfig, images: ImageSet) -> None:
        self.recipe = config.recipe
        self.device = select_device(config.device)
        self.memory = Memory(self.device)
        self.precision = select_precision(config.precision, self.device)
        self.images = images.framed(self.recipe.network.image_size, self.recipe.network.frame).to(self.device)
        check_channels(self.images, self.recipe.network.channels)
        self.sampler = SAMPLERS[self.recipe.sampling.name](self.images, self.recipe.sampling, self.recipe.augmentation)
        self.network = build_network(self.recipe, config.encoder).to(self.device).train()
        if self.precision == "bf16":
            self.network.to(memory_format=torch.channels_last)
        self.machinery = Machinery(
            network=self.network, device=self.device, precision=self.precision, compile=config.compile
        )
        self.objective = new_objective(self.recipe, self.machinery, config.objective)
        self.optimizer = new_optimizer(self.network, self.recipe.optimiser)
        averages = isinstance(self.recipe.optimiser, AdamW)
        self.average: TwinNetwork | None = copy.deepcopy(self.network).eval() if averages else None
        self.parameter_count = count_parameters(self.network)

    @property
    def trained(self) -> TwinNetwork:
        """The network that a run would end with now."""
        optimiser = self.recipe.optimiser
        return self.average if self.average and isinstance(optimiser, AdamW) and optimiser.averaging else self.network

    def step(self, iteration: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Take a step (1 is the first). Return its loss and the spread of its logits, scalars on the device.

        The spread is the standard deviation. Raises CannotRun, with a smaller batch to try, if memory is short.
        """
        return attempt(lambda: self._do_step(iteration), self.device, self.smaller_batch, self.machinery.compile)

    def draw(self, iteration: int) -> Batch:
        """Return the batch of an iteration."""
        return self.sampler.draw(random_generator(self.device, self.recipe.seed, Stream.PAIRS, RANK, iteration))

    def _do_step(self, iteration: int) -> tuple[torch.Tensor, torch.Tensor]:
        batch = self.draw(iteration)
        rate = learning_rate(self.recipe, iteration)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["rate"]
        self.optimizer.zero_grad()
        loss, spread = self.objective.backward(batch)
        self.optimizer.step()
        self._update_average(iteration)
        return loss, spread

    def smaller_batch(self) -> str:
        """Return the advice for a step that lacked memory."""
        self.optimizer.zero_grad()
        moments = 0 if self.optimizer.state else 2 * sum(tensor.nbytes for tensor in self.network.parameters())
        size, least = self.recipe.sampling.batch_size, self.sampler.least
        return f"Try --batch-size {fitting_batch(size, least, self.trial, moments, self.memory)}."

    def trial(self, size: int) -> None:
        """Compute the gradients of a batch of this size, so that its memory can be measured."""
        self.optimizer.zero_grad()
        self.objective.backward(self.draw(1).first(size // self.sampler.step * self.sampler.step))

    @torch.no_grad()
    def _update_average(self, iteration: int) -> None:
        optimiser = self.recipe.optimiser
        if self.average is None or not isinstance(optimiser, AdamW):
            return
        remembered = optimiser.averaging * self.recipe.iterations
        weight = max(1 / (remembered + 1), EARLY / (iteration + EARLY))
        pairs = zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True)
        for average, newest in pairs:
            if average.is_floating_point():
                average.lerp_(newest, weight)
            else:
                average.copy_(newest)

    def state(self) -> dict[str, torch.Tensor]:
        """Return all tensors that the next step depends on, by name."""
        state = self._weights()
        for name, parameter in self.network.named_parameters():
            for moment, tensor in self.optimizer.state.get(parameter, {}).items():
                state[f"adam.{moment}.{name}"] = tensor
        return state

    def wanted_state(self) -> dict[str, torch.Tensor]:
        """Return tensors with the names, shapes and types of a state to resume from; their values mean nothing."""
        wanted = self._weights()
        for name, parameter in self.network.named_parameters():
            shapes = {"step": torch.zeros(()), "exp_avg": parameter, "exp_avg_sq": parameter}
            wanted |= {f"adam.{moment}.{name}": tensor for moment, tensor in shapes.items()}
        return wanted

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Load what state() returned. The optimiser's tensors move to the device of its parameters."""
        for prefix, network in self._networks().items():
            network.load_state_dict(
                {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
            )
        for name, parameter in self.network.named_parameters():
            self.optimizer.state[parameter] = {
                moment: torch.empty_like(parameter).copy_(tensor) if tensor.dim() else tensor.to(self.device, copy=True)
                for moment in ("step", "exp_avg", "exp_avg_sq")
                for tensor in (state[f"adam.{moment}.{name}"],)
            }

    def _networks(self) -> dict[str, TwinNetwork]:
        """Return the networks by the prefix of their tensors in a state."""
        return {"network.": self.network} | ({"average.": self.average} if self.average else {})

    def _weights(self) -> dict[str, torch.Tensor]:
        return {
            f"{prefix}{name}": tensor
            for prefix, network in self._networks().items()
            for name, tensor in network.state_dict().items()
        }


def new_optimizer(network: TwinNetwork, optimiser: Adam) -> torch.optim.Optimizer:
    """Return the optimiser of a network. Each group of parameters has a `rate`, a multiple of the learning rate."""
    settings = {"lr": optimiser.learning_rate, "betas": optimiser.adam_betas, "eps": optimiser.adam_epsilon}
    if not isinstance(optimiser, AdamW):
        return torch.optim.Adam([{"params": list(network.parameters()), "rate": 1.0}], **settings, fused=True)  # type: ignore[arg-type]
    inner, head = list(network.encoder.parameters()), list(network.head.parameters())
    groups = [  # only weights that multiply inputs decay, not biases and norms
        {"params": [each for each in inner if each.dim() > 1], "weight_decay": optimiser.weight_decay, "rate": 1.0},
        {"params": [each for each in inner if each.dim() == 1], "weight_decay": 0.0, "rate": 1.0},
        {"params": head, "weight_decay": 0.0, "rate": optimiser.head_rate},
    ]
    return torch.optim.AdamW(groups, **settings, fused=True)  # type: ignore[arg-type]


def learning_rate(recipe: Recipe, iteration: int) -> float:
    """Return the learning rate of an iteration (1 is the first).

    Adam's is constant. AdamW's rises linearly, then falls to 0 as half a cosine (Loshchilov and Hutter 2017).
    """
    optimiser = recipe.optimiser
    if not isinstance(optimiser, AdamW):
        return optimiser.learning_rate
    share, warm_up = iteration / recipe.iterations, optimiser.warm_up
    if share < warm_up:
        return optimiser.learning_rate * share / warm_up
    return optimiser.learning_rate * (1 + math.cos(math.pi * (share - warm_up) / max(1 - warm_up, 1e-9))) / 2
