"""How a recipe's weights move, by the name of its optimiser: torch's optimiser, the learning rate, and the average.

A new optimiser is a record in recipes.py and a class here.
"""

import copy
import math
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import nn

from omnitwin.model.backbones import BackboneEncoder
from omnitwin.model.twin import TwinNetwork
from omnitwin.recipes import Adam, AdamW, PretrainedWeights, ProxyObjective, Recipe

EARLY = 9  # the larger, the sooner the moving average of the weights forgets the first iterations


class Plain:
    """Adam with a constant learning rate. A run ends with the network itself.

    averages: whether a moving average of the weights is kept
    average: that average; None: there is none
    """

    averages = False
    average: TwinNetwork | None = None

    def __init__(self, network: TwinNetwork, recipe: Recipe, learned: Sequence[nn.Parameter] = ()) -> None:
        """learned: what the loss itself learns (training.objective)"""
        self.network, self.part, self.iterations = network, recipe.optimiser, recipe.iterations
        self.recipe = recipe
        groups = self.groups()
        if isinstance(recipe.initial, PretrainedWeights):
            groups = _apart(groups, cast(BackboneEncoder, network.encoder), recipe.initial.backbone_rate)
        if isinstance(recipe.objective, ProxyObjective):
            groups.append({"params": list(learned), "weight_decay": 0.0, "rate": recipe.objective.proxy_rate})
        self.torch = self.build(groups)

    @property
    def trained(self) -> TwinNetwork:
        """The network that a run would end with now."""
        return self.network

    @staticmethod
    def rate(part: Adam, share: float) -> float:
        """Return the learning rate; share: of the iterations, with the present one, from 0 to 1."""
        return part.learning_rate

    def groups(self) -> list[dict[str, Any]]:
        """Return the network's parameters in groups, each with its `rate`, a multiple of the learning rate."""
        return [{"params": [each for each in self.network.parameters() if each.requires_grad], "rate": 1.0}]

    def build(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """Return torch's optimiser."""
        return torch.optim.Adam(groups, **self.settings())

    def settings(self) -> dict[str, Any]:
        part = self.part
        return {"lr": part.learning_rate, "betas": part.adam_betas, "eps": part.adam_epsilon, "fused": True}

    def begin(self, iteration: int) -> None:
        """Set the learning rate of an iteration (1 is the first) and drop the gradients."""
        rate = self.rate(self.part, iteration / self.iterations)
        held = is_held(self.recipe, iteration)
        for group in self.torch.param_groups:
            group["lr"] = 0.0 if held and group.get("backbone") else rate * group["rate"]
        self.torch.zero_grad()

    def end(self, iteration: int) -> None:
        """Move the weights by their gradients."""
        self.move()

    def move(self) -> None:
        for group in self.torch.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:  # the loss does not use it, but a state file has its tensors
                    parameter.grad = torch.zeros_like(parameter)
        self.torch.step()


class Averaged(Plain):
    """AdamW with warm-up and cosine. A run ends with the moving average of the weights."""

    averages = True
    part: AdamW

    def __init__(self, network: TwinNetwork, recipe: Recipe, learned: Sequence[nn.Parameter] = ()) -> None:
        super().__init__(network, recipe, learned)
        self.averaged = copy.deepcopy(network).eval()
        self.average = self.averaged

    @property
    def trained(self) -> TwinNetwork:
        return self.averaged if self.part.averaging else self.network

    @staticmethod
    def rate(part: Adam, share: float) -> float:
        """Return a rate that rises in a line, then falls to 0 as half a cosine (Loshchilov and Hutter 2017)."""
        assert isinstance(part, AdamW)
        if share < part.warm_up:
            return part.learning_rate * share / part.warm_up
        return part.learning_rate * (1 + math.cos(math.pi * (share - part.warm_up) / max(1 - part.warm_up, 1e-9))) / 2

    def groups(self) -> list[dict[str, Any]]:
        inner = [parameter for parameter in self.network.encoder.parameters() if parameter.requires_grad]
        head = list(self.network.head.parameters())
        matrices, vectors = [each for each in inner if each.dim() > 1], [each for each in inner if each.dim() <= 1]
        return [  # only what is multiplied with inputs decays
            {"params": matrices, "weight_decay": self.part.weight_decay, "rate": 1.0},
            {"params": vectors, "weight_decay": 0.0, "rate": 1.0},
            {"params": head, "weight_decay": 0.0, "rate": self.part.head_rate},
        ]

    def build(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        return torch.optim.AdamW(groups, **self.settings())

    @torch.no_grad()
    def end(self, iteration: int) -> None:
        """Move the weights by their gradients, and the average towards them."""
        self.move()
        remembered = self.part.averaging * self.iterations
        weight = max(1 / (remembered + 1), EARLY / (iteration + EARLY))
        pairs = zip(
            self.averaged.state_dict(keep_vars=True).values(),
            self.network.state_dict(keep_vars=True).values(),
            strict=True,
        )
        still = {id(each) for each in self.network.parameters() if not each.requires_grad}
        for average, newest in pairs:
            if id(newest) in still:
                continue
            if average.is_floating_point():
                average.lerp_(newest, weight)
            else:
                average.copy_(newest)


def is_held(recipe: Recipe, iteration: int) -> bool:
    """Return whether a backbone with weights of others stays as it is in an iteration (1 is the first)."""
    initial = recipe.initial
    if not isinstance(initial, PretrainedWeights):
        return False
    return initial.freeze or iteration <= initial.head_first * recipe.iterations


def _apart(groups: list[dict[str, Any]], encoder: BackboneEncoder, rate: float) -> list[dict[str, Any]]:
    """Return the groups with the backbone's parameters in groups of their own, at a rate of their own."""
    inside = {id(parameter) for parameter in encoder.backbone.parameters()}
    apart = []
    for group in groups:
        own = [parameter for parameter in group["params"] if id(parameter) in inside]
        others = [parameter for parameter in group["params"] if id(parameter) not in inside]
        apart += [{**group, "params": others}] if others else []
        apart += [{**group, "params": own, "rate": rate * group["rate"], "backbone": True}] if own else []
    return apart


OPTIMISERS: dict[str, type[Plain]] = {Adam.name: Plain, AdamW.name: Averaged}


def learning_rate(recipe: Recipe, iteration: int) -> float:
    """Return the learning rate of an iteration (1 is the first)."""
    return OPTIMISERS[recipe.optimiser.name].rate(recipe.optimiser, iteration / recipe.iterations)
