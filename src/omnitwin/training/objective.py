"""The objectives of training, by the name in the recipe.

An objective of embeddings maps (embeddings (B, D) float32, labels (B,) int64) to a scalar. A new one is a record in
recipes.py and an entry in LOSSES. A function given to the Python API needs neither. What a loss learns itself, such as
a proxy of each class, moves with the network and is saved for `--resume`, but is no part of the network.

B images, P pairs, D features, C labels
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, cast

import torch
from torch import nn
from torch.nn import functional as F

from omnitwin.data.sampling import Batch
from omnitwin.errors import BadInput
from omnitwin.model.encoders import has_batch_statistics
from omnitwin.model.losses import (
    all_pairs_loss,
    arcface_loss,
    centroid_loss,
    contrast_loss,
    contrastive_loss,
    pair_loss,
    proxy_anchor_loss,
    triplet_loss,
)
from omnitwin.model.twin import TwinNetwork
from omnitwin.recipes import OWN, AllPairsObjective, ClassSampling, ProxyObjective, Recipe
from omnitwin.system.device import autocast
from omnitwin.system.randomness import Stream, random_generator
from omnitwin.system.tensorfile import Layout

CPU_PAIRS = 60  # pairs in the network at once: as fast as 180, with a third less memory (benchmarks/RESULTS.md)

EmbeddingLoss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
LossAndLogits = tuple[torch.Tensor, torch.Tensor | None]  # scalar; logits of all pairs (B, B) if computed
Loss = Callable[[torch.Tensor, Batch], LossAndLogits]  # of embeddings (B, D) and their batch
NewLoss = Callable[[TwinNetwork, Recipe, int], Loss]  # the number is that of the labels; a module's parameters learn


@dataclass(frozen=True, eq=False, kw_only=True)
class Machinery:
    """The network to train, its device and its number format."""

    network: TwinNetwork
    device: torch.device
    precision: str
    compile: bool = False


class Objective(Protocol):
    """Compute the loss of a batch and its gradients."""

    chance: float | None  # nats: the loss of a network that gives all pairs the same score; None: unknown
    learned: dict[str, nn.Parameter]  # what the loss itself learns, by name

    def backward(self, batch: Batch, member: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
        """Add the gradients. Return the loss and the standard deviation of the logits, scalars on the device.

        member: of the encoder, which alone learns from this batch
        """


class OfPairs:
    """The example's loss: mean binary cross-entropy of the pairs of a batch.

    pairs_at_once: pairs that go through the network together; the gradients of the parts add up to the batch's
    """

    chance: float | None = math.log(2)

    def __init__(self, machinery: Machinery, pairs_at_once: int) -> None:
        self.machinery, self.pairs_at_once = machinery, pairs_at_once
        self.learned: dict[str, nn.Parameter] = {}
        network = machinery.network
        self.forward: Callable[..., torch.Tensor] = torch.compile(network) if machinery.compile else network

    def backward(self, batch: Batch, member: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
        assert batch.similar_P is not None
        parts = (*batch.images.chunk(2), batch.similar_P)
        logits, losses = [], []
        for left, right, similar_p in zip(*(torch.split(part, self.pairs_at_once) for part in parts), strict=True):
            with autocast(self.machinery.device, self.machinery.precision):
                logits_p = self.forward(left, right)
            loss = pair_loss(logits_p, similar_p) * (len(similar_p) / len(batch.similar_P))
            loss.backward()  # type: ignore[no-untyped-call]
            logits.append(logits_p.detach())
            losses.append(loss.detach())
        return torch.stack(losses).sum(), torch.cat(logits).std(correction=0)


class OfEmbeddings:
    """A loss of the embeddings of a batch and their labels.

    losses: one for each member of the encoder, which learns as if it were alone
    """

    chance: float | None = None

    def __init__(self, machinery: Machinery, losses: Sequence[Loss]) -> None:
        self.machinery, self.losses = machinery, losses
        self.learned = {
            name: parameter
            for member, loss in enumerate(losses)
            if isinstance(loss, nn.Module)
            for name, parameter in loss.named_parameters(prefix="" if len(losses) == 1 else str(member))
        }
        network = machinery.network
        network.to(memory_format=torch.channels_last)
        self.embed: Callable[..., torch.Tensor] = torch.compile(network.learn) if machinery.compile else network.learn

    def backward(self, batch: Batch, member: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
        with autocast(self.machinery.device, self.machinery.precision):
            images = batch.images  # of a frozen backbone they are features (training.frozen)
            if images.dim() == 4:
                images = images.contiguous(memory_format=torch.channels_last)
            embeddings_BD = self.embed(images, member)
        loss, logits_BB = self.losses[member](embeddings_BD, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        if logits_BB is None:
            with torch.no_grad():
                prepared_BD = self.machinery.network.prepare(embeddings_BD)
                logits_BB = self.machinery.network.score_all(prepared_BD, prepared_BD)
        return loss.detach(), logits_BB.detach().std(correction=0)


def _all_pairs(network: TwinNetwork, recipe: Recipe, labels: int) -> Loss:
    part, sampling = recipe.objective, recipe.sampling
    assert isinstance(part, AllPairsObjective)
    assert isinstance(sampling, ClassSampling)

    def loss_of(embeddings_BD: torch.Tensor, batch: Batch) -> LossAndLogits:
        logits_BB = network.score_all(embeddings_BD, embeddings_BD)
        loss = all_pairs_loss(logits_BB, batch.label_B, part.focus)
        if part.centroid_weight:
            several, alone_SD = embeddings_BD, None
            if batch.alone:
                several, alone_SD = embeddings_BD[: -batch.alone], embeddings_BD[-batch.alone :]
            embeddings_CKD = several.view(-1, sampling.drawings, embeddings_BD.shape[1])
            loss = loss + part.centroid_weight * centroid_loss(embeddings_CKD, part.centroid_scale, alone_SD)
        return loss, logits_BB

    return loss_of


def _of_distances(loss: Callable[..., torch.Tensor], field: str) -> NewLoss:
    """Return the maker of a loss of embeddings (model.losses) with a number that a field of the objective holds."""

    def new_loss(network: TwinNetwork, recipe: Recipe, labels: int) -> Loss:
        def loss_of(embeddings_BD: torch.Tensor, batch: Batch) -> LossAndLogits:
            head_loss, logits_BB = _of_head(network, embeddings_BD, batch.label_B)
            return loss(embeddings_BD, batch.label_B, getattr(recipe.objective, field)) + head_loss, logits_BB

        return loss_of

    return new_loss


def _of_head(network: TwinNetwork, embeddings_BD: torch.Tensor, label_B: torch.Tensor) -> LossAndLogits:
    """Return a loss from which the head learns what the distances of the embeddings mean. None reaches the encoder."""
    fixed_BD = embeddings_BD.detach()
    logits_BB = network.score_all(fixed_BD, fixed_BD)
    return all_pairs_loss(logits_BB, label_B, focus=0.0), logits_BB


class _OfProxies(nn.Module):
    """A loss of embeddings and of proxies (model.losses), which begin in random directions."""

    def __init__(self, loss: Callable[..., torch.Tensor], network: TwinNetwork, recipe: Recipe, labels: int) -> None:
        super().__init__()
        assert isinstance(recipe.objective, ProxyObjective)
        self.loss, self.part = loss, recipe.objective
        self.network = (network,)  # in a tuple, which hides its parameters
        generator = random_generator(torch.device("cpu"), recipe.seed, Stream.PROXIES)
        features = cast(int, network.encoder.features) // recipe.network.members
        first_CD = torch.randn((labels, features), generator=generator)
        self.proxies = nn.Parameter(F.normalize(first_CD, dim=1).to(next(network.parameters()).device))

    def forward(self, embeddings_BD: torch.Tensor, batch: Batch) -> LossAndLogits:
        head_loss, logits_BB = _of_head(*self.network, embeddings_BD, batch.label_B)
        loss = self.loss(embeddings_BD, batch.label_B, self.proxies, self.part.margin, self.part.proxy_scale)
        return loss + head_loss, logits_BB


def _of_own(own: EmbeddingLoss) -> Loss:
    if isinstance(own, nn.Module) and any(parameter.requires_grad for parameter in own.parameters()):
        raise BadInput(
            "your objective has parameters of its own, which no run trains",
            "Freeze them, or use the objective proxy-anchor or arcface, which learns a proxy of each class.",
        )

    def loss_of(embeddings_BD: torch.Tensor, batch: Batch) -> LossAndLogits:
        loss = own(embeddings_BD, batch.label_B)
        if not isinstance(loss, torch.Tensor) or loss.dim() or not loss.requires_grad:
            what = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, torch.Tensor) else repr(loss)
            raise BadInput(f"your objective returned {what}", "It must return a scalar tensor with a gradient.")
        return loss, None

    return loss_of


LOSSES: dict[str, NewLoss] = {
    "all-pairs": _all_pairs,
    "contrastive": _of_distances(contrastive_loss, "margin"),
    "triplet": _of_distances(triplet_loss, "margin"),
    "supervised-contrastive": _of_distances(contrast_loss, "temperature"),
    "proxy-anchor": partial(_OfProxies, proxy_anchor_loss),
    "arcface": partial(_OfProxies, arcface_loss),
}


def learned_layout(recipe: Recipe, features: int, labels: int) -> Layout:
    """Return the layout of what a recipe's loss learns itself, by its names. features: the size of an embedding"""
    if not isinstance(recipe.objective, ProxyObjective):
        return {}
    members = recipe.network.members
    names = ["proxies"] if members == 1 else [f"{member}.proxies" for member in range(members)]
    return {name: ((labels, features // members), "float32") for name in names}


def images_of_a_pass(recipe: Recipe, batch_statistics: bool, device: torch.device) -> int:
    """Return how many images of a batch go through the network together.

    batch_statistics: whether an image's features depend on the others that go with it
    """
    size = recipe.sampling.batch_size
    if recipe.objective.name != "pairs":
        return size
    in_parts = device.type == "cpu" and not batch_statistics  # else their gradients do not add up to the batch's
    return 2 * (min(CPU_PAIRS, size) if in_parts else size)


def new_objective(recipe: Recipe, machinery: Machinery, labels: int, own: EmbeddingLoss | None = None) -> Objective:
    """Return the recipe's objective. Raises BadInput if it is called `own` and own is None or has parameters to train.

    labels: the number of labels that batches have
    own: the user's function, for a recipe whose objective is called `own`
    """
    name, members = recipe.objective.name, recipe.network.members
    if name == "pairs":
        return OfPairs(
            machinery, images_of_a_pass(recipe, has_batch_statistics(machinery.network), machinery.device) // 2
        )
    if name == OWN:
        if own is None:
            raise BadInput("this recipe has an objective of your own", "In Python, pass it: objective=FUNCTION.")
        losses = [_of_own(own)] * members
    else:
        losses = [LOSSES[name](machinery.network, recipe, labels) for _ in range(members)]
    return OfEmbeddings(machinery, losses)
