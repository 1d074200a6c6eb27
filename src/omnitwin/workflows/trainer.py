"""One training step after another: the network, its optimiser and the data, together on one device."""

import torch

from omnitwin.config import Recipe, TrainConfig
from omnitwin.data.packed import PackedSet, check_pairable
from omnitwin.data.pairs import draw_pairs
from omnitwin.device import autocast, keep_freed_memory, random_generator, select_device, select_precision
from omnitwin.model.encoders import count_parameters
from omnitwin.model.twin import TwinNetwork, pair_loss

INITIAL, PAIRS = 1, 2  # streams of random numbers, so that no two uses share a key
RANK = 0  # of this process among those that train together; part of every key


def build_network(recipe: Recipe) -> TwinNetwork:
    """A new network whose initial weights are a function of the recipe's seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.random.set_rng_state(random_generator(torch.device("cpu"), recipe.seed, INITIAL).get_state())
        return TwinNetwork(recipe.encoder, recipe.image_size)


class Trainer:
    """The example's training step (Adam, mean binary cross-entropy of random pairs), any number of times.

    Step i draws its pairs from the key (seed, rank, i), so a resumed run draws what an uninterrupted one would have.
    """

    def __init__(self, config: TrainConfig, packed: PackedSet) -> None:
        check_pairable(packed)
        keep_freed_memory()
        self.recipe = config.recipe
        self.device = select_device(config.device)
        self.precision = select_precision(config.precision, self.device)
        self.packed = packed.resized(self.recipe.image_size).to(self.device)
        self.network = build_network(self.recipe).to(self.device).train()
        if self.precision == "bf16":
            self.network.to(memory_format=torch.channels_last)
        self.forward = torch.compile(self.network) if config.compile else self.network
        self.optimizer = torch.optim.Adam(
            self.network.parameters(),
            lr=self.recipe.learning_rate,
            betas=self.recipe.adam_betas,
            eps=self.recipe.adam_epsilon,
            fused=True,
        )
        self.parameters = count_parameters(self.network)

    def step(self, iteration: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Do iteration (1 is the first); its loss and the standard deviation of its logits, scalars on the device."""
        left_B1SS, right_B1SS, similar_B = self.draw(iteration)
        with autocast(self.device, self.precision):
            logits_B = self.forward(left_B1SS, right_B1SS)
        loss = pair_loss(logits_B, similar_B)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return loss.detach(), logits_B.detach().std(correction=0)

    def draw(self, iteration: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The pairs of an iteration: left and right images (B, 1, S, S) and whether they are similar (B,)."""
        generator = random_generator(self.device, self.recipe.seed, PAIRS, RANK, iteration)
        pairs = draw_pairs(self.packed, self.recipe.batch_size, generator)
        return self.packed.gather(pairs.left_B), self.packed.gather(pairs.right_B), pairs.similar_B

    def state(self) -> dict[str, torch.Tensor]:
        """All that the next step depends on, by name."""
        state = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        for name, parameter in self.network.named_parameters():
            for moment, tensor in self.optimizer.state.get(parameter, {}).items():
                state[f"adam.{moment}.{name}"] = tensor
        return state

    def wanted_state(self) -> dict[str, torch.Tensor]:
        """Tensors named, shaped and typed as a state to go on from must be; their values mean nothing."""
        wanted = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        for name, parameter in self.network.named_parameters():
            shapes = {"step": torch.zeros(()), "exp_avg": parameter, "exp_avg_sq": parameter}
            wanted |= {f"adam.{moment}.{name}": tensor for moment, tensor in shapes.items()}
        return wanted

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Go on from what state() returned; the optimiser's tensors go to where its parameters are."""
        self.network.load_state_dict(
            {name.removeprefix("network."): tensor for name, tensor in state.items() if name.startswith("network.")}
        )
        for name, parameter in self.network.named_parameters():
            self.optimizer.state[parameter] = {
                moment: torch.empty_like(parameter).copy_(tensor) if tensor.dim() else tensor.to(self.device)
                for moment in ("step", "exp_avg", "exp_avg_sq")
                for tensor in (state[f"adam.{moment}.{name}"],)
            }
