"""Training on all pairs of a batch: more from each image than random pairs give, for recipes that say so."""

import copy
import math

import torch

from omnitwin.config import TrainConfig
from omnitwin.data.augment import vary
from omnitwin.data.batches import check_batches, draw_batch
from omnitwin.data.imageset import ImageSet
from omnitwin.model.losses import all_pairs_loss, centroid_loss
from omnitwin.model.twin import TwinNetwork
from omnitwin.recipes import Recipe
from omnitwin.system.device import autocast
from omnitwin.system.randomness import Stream, random_generator
from omnitwin.training.trainer import RANK, Trainer

EARLY = 9  # iterations that the moving average counts as begun before the first: early ones do not linger


class BatchTrainer(Trainer):
    """Classes with several drawings each, varied; AdamW; a run ends with the moving average of its weights."""

    def __init__(self, config: TrainConfig, packed: ImageSet) -> None:
        assert config.recipe.batches is not None
        self.batches = config.recipe.batches
        super().__init__(config, packed)
        check_batches(self.packed, self.batches)
        self.least = 2 * self.batches.drawings
        self.network.to(memory_format=torch.channels_last)
        self.averaged = copy.deepcopy(self.network).eval()
        self.embed = torch.compile(self.network.embed) if config.compile else self.network.embed
        self.classes = min(self.recipe.batch_size // self.batches.drawings, len(packed.class_names))
        images = self.classes * self.batches.drawings
        self.pairs_per_step = images * (images - 1) // 2

    @property
    def trained(self) -> TwinNetwork:
        return self.averaged if self.batches.averaging else self.network

    def new_optimizer(self) -> torch.optim.Optimizer:
        """AdamW; only what is multiplied with inputs decays."""
        encoder, head = self.network.encoder.parameters(), self.network.head.parameters()
        inner = list(encoder)
        groups = [
            {"params": [one for one in inner if one.dim() > 1], "weight_decay": self.batches.weight_decay, "rate": 1.0},
            {"params": [one for one in inner if one.dim() == 1], "weight_decay": 0.0, "rate": 1.0},
            {"params": list(head), "weight_decay": 0.0, "rate": self.batches.head_rate},
        ]
        betas, epsilon = self.recipe.adam_betas, self.recipe.adam_epsilon
        return torch.optim.AdamW(groups, lr=self.recipe.learning_rate, betas=betas, eps=epsilon, fused=True)

    def do_step(self, iteration: int) -> tuple[torch.Tensor, torch.Tensor]:
        images_B1SS, class_B = self.draw_images(iteration)
        rate = learning_rate(self.recipe, iteration)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["rate"]
        self.optimizer.zero_grad()
        with autocast(self.device, self.precision):
            embeddings_BD = self.embed(images_B1SS)
        logits_BB = self.network.score_all(embeddings_BD, embeddings_BD)
        loss = all_pairs_loss(logits_BB, class_B, self.batches.focus)
        if self.batches.centroid_weight:
            embeddings_CKD = embeddings_BD.view(self.classes, self.batches.drawings, -1)
            loss = loss + self.batches.centroid_weight * centroid_loss(embeddings_CKD, self.batches.centroid_scale)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self._average(iteration)
        return loss.detach(), logits_BB.detach().std(correction=0)

    def trial(self, size: int) -> None:
        images_B1SS, class_B = (part[:size] for part in self.draw_images(1))
        self.optimizer.zero_grad()
        with autocast(self.device, self.precision):
            embeddings_BD = self.network.embed(images_B1SS)
        logits_BB = self.network.score_all(embeddings_BD, embeddings_BD)
        all_pairs_loss(logits_BB, class_B, self.batches.focus).backward()  # type: ignore[no-untyped-call]

    def draw_images(self, iteration: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The varied images of an iteration, (B, 1, S, S), and the place of each one's class in the batch, (B,)."""
        generator = random_generator(self.device, self.recipe.seed, Stream.PAIRS, RANK, iteration)
        batch = draw_batch(self.packed, self.batches, self.classes, generator)
        ink_BSS = 1 - self.packed.gather(batch.row_CK.flatten())[:, 0]
        way_B = batch.way_C.repeat_interleave(self.batches.drawings)
        images_B1SS = vary(ink_BSS, way_B, self.batches, generator).contiguous(memory_format=torch.channels_last)
        place_B = torch.arange(len(batch.way_C), device=self.device).repeat_interleave(self.batches.drawings)
        return images_B1SS, place_B

    @torch.no_grad()
    def _average(self, iteration: int) -> None:
        remembered = self.batches.averaging * self.recipe.iterations
        weight = max(1 / (remembered + 1), EARLY / (iteration + EARLY))
        pairs = zip(self.averaged.state_dict().values(), self.network.state_dict().values(), strict=True)
        for average, newest in pairs:
            if average.is_floating_point():
                average.lerp_(newest, weight)
            else:
                average.copy_(newest)

    def state(self) -> dict[str, torch.Tensor]:
        average = {f"average.{name}": tensor for name, tensor in self.averaged.state_dict().items()}
        return super().state() | average

    def wanted_state(self) -> dict[str, torch.Tensor]:
        average = {f"average.{name}": tensor for name, tensor in self.averaged.state_dict().items()}
        return super().wanted_state() | average

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        super().restore(state)
        prefix = "average."
        self.averaged.load_state_dict(
            {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
        )


def learning_rate(recipe: Recipe, iteration: int) -> float:
    """Of an iteration (1 is the first): up in a straight line, then down to 0 as half a cosine."""
    assert recipe.batches is not None
    share, warm_up = iteration / recipe.iterations, recipe.batches.warm_up
    if share < warm_up:
        return recipe.learning_rate * share / warm_up
    return recipe.learning_rate * (1 + math.cos(math.pi * (share - warm_up) / max(1 - warm_up, 1e-9))) / 2


def new_trainer(config: TrainConfig, packed: ImageSet) -> Trainer:
    """The trainer that the recipe asks for."""
    return (BatchTrainer if config.recipe.batches else Trainer)(config, packed)
