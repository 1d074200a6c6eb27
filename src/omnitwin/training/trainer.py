"""One training step after another: the network, its optimiser and the data, together on one device."""

import torch

from omnitwin.config import TrainConfig
from omnitwin.data.imageset import ImageSet, check_pairable
from omnitwin.data.pairs import draw_pairs
from omnitwin.model.encoders import count_parameters, has_batch_statistics
from omnitwin.model.losses import pair_loss
from omnitwin.model.twin import TwinNetwork, build_twin
from omnitwin.recipes import Recipe
from omnitwin.system.device import autocast, keep_freed_memory, select_device, select_precision
from omnitwin.system.randomness import Stream, random_generator
from omnitwin.system.shortage import attempt, fitting_batch

CPU_PAIRS = 60  # that go through the network at once: a third less memory than 180, as fast (benchmarks/RESULTS.md)
RANK = 0  # of this process among those that train together; part of every key


def build_network(recipe: Recipe) -> TwinNetwork:
    """A new network whose initial weights are a function of the recipe's seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.random.set_rng_state(random_generator(torch.device("cpu"), recipe.seed, Stream.INITIAL).get_state())
        return build_twin(recipe.encoder, recipe.image_size, recipe.head)


class Trainer:
    """The example's training step (Adam, mean binary cross-entropy of random pairs), any number of times.

    BatchTrainer has the step of recipes that train on all pairs of a batch.

    least: the smallest batch. Step i draws its pairs from the key (seed, rank, i), so a resumed run draws what an
    uninterrupted one would have.
    """

    least = 1

    def __init__(self, config: TrainConfig, packed: ImageSet) -> None:
        check_pairable(packed)
        self.recipe = config.recipe
        self.device = select_device(config.device)
        if self.device.type == "cpu":
            keep_freed_memory()
        self.precision = select_precision(config.precision, self.device)
        self.packed = packed.framed(self.recipe.image_size, self.recipe.frame).to(self.device)
        self.network = build_network(self.recipe).to(self.device).train()
        if self.precision == "bf16":
            self.network.to(memory_format=torch.channels_last)
        self.compiled = config.compile
        self.forward = torch.compile(self.network) if config.compile else self.network
        self.optimizer = self.new_optimizer()
        self.parameter_count = count_parameters(self.network)
        # gradients of parts add up to that of the batch, unless the network looks at the batch as a whole
        chunk = CPU_PAIRS if self.device.type == "cpu" and not has_batch_statistics(self.network) else None
        self.pairs_at_once = min(chunk or self.recipe.batch_size, self.recipe.batch_size)
        self.pairs_per_step = self.recipe.batch_size

    @property
    def trained(self) -> TwinNetwork:
        """The network that a run would end with now."""
        return self.network

    def new_optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(
            self.network.parameters(),
            lr=self.recipe.learning_rate,
            betas=self.recipe.adam_betas,
            eps=self.recipe.adam_epsilon,
            fused=True,
        )

    def step(self, iteration: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Do iteration (1 is the first); its loss and the standard deviation of its logits, scalars on the device.

        CannotRun, with a smaller batch to try, where memory is too little.
        """
        return attempt(lambda: self.do_step(iteration), self.device, self.smaller_batch, self.compiled)

    def smaller_batch(self) -> str:
        """What to do about a step that lacked memory."""
        self.optimizer.zero_grad()
        moments = 0 if self.optimizer.state else 2 * sum(tensor.nbytes for tensor in self.network.parameters())
        return (
            f"Try --batch-size {fitting_batch(self.recipe.batch_size, self.least, self.trial, moments, self.device)}."
        )

    def trial(self, size: int) -> None:
        """Gradients of size pairs, for the memory that they take."""
        left_B1SS, right_B1SS, similar_B = (part[:size] for part in self.draw(1))
        self.optimizer.zero_grad()
        with autocast(self.device, self.precision):
            logits_B = self.network(left_B1SS, right_B1SS)
        pair_loss(logits_B, similar_B).backward()  # type: ignore[no-untyped-call]

    def do_step(self, iteration: int) -> tuple[torch.Tensor, torch.Tensor]:
        batch = self.draw(iteration)
        self.optimizer.zero_grad()
        logits, losses = [], []
        for left_B1SS, right_B1SS, similar_B in zip(
            *(torch.split(part, self.pairs_at_once) for part in batch), strict=True
        ):
            with autocast(self.device, self.precision):
                logits_B = self.forward(left_B1SS, right_B1SS)
            loss = pair_loss(logits_B, similar_B) * (len(similar_B) / self.recipe.batch_size)
            loss.backward()  # type: ignore[no-untyped-call]
            logits.append(logits_B.detach())
            losses.append(loss.detach())
        self.optimizer.step()
        return torch.stack(losses).sum(), torch.cat(logits).std(correction=0)

    def draw(self, iteration: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The pairs of an iteration: left and right images (B, 1, S, S) and whether they are similar (B,)."""
        generator = random_generator(self.device, self.recipe.seed, Stream.PAIRS, RANK, iteration)
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
                moment: torch.empty_like(parameter).copy_(tensor) if tensor.dim() else tensor.to(self.device, copy=True)
                for moment in ("step", "exp_avg", "exp_avg_sq")
                for tensor in (state[f"adam.{moment}.{name}"],)
            }
