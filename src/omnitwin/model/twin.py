"""The twin network: one encoder for both images, and a symmetric score of the two embeddings.

B images or pairs, S pixels a side, D features; N, left A and right B embeddings of many
"""

from abc import ABC, abstractmethod
from typing import cast

import torch
from torch import nn
from torch.nn import functional as F

from omnitwin.errors import BadInput
from omnitwin.model.anatomy import check
from omnitwin.model.encoders import NARROW, build_encoder
from omnitwin.recipes import OWN, Network

FIRST_SCALE, FIRST_BIAS = 8.0, 4.0  # of a distance's logit before training
TILE = 512  # pairs a side that a CPU's inner cache holds while all features are added up


class TwinNetwork(nn.Module, ABC):
    """Both images through one encoder, then a score of their embeddings, whose sigmoid is the probability of similar.

    score(a, b) equals score(b, a) bit for bit on any machine. An embedding may differ in its last bits by the machine
    and by the image's place in a batch.
    """

    encoder: nn.Module
    head: nn.Module

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    @abstractmethod
    def embed(self, images_B1SS: torch.Tensor) -> torch.Tensor:
        """Embeddings (B, D) float32 of images (B, 1, S, S), ink 0 and paper 1."""

    @abstractmethod
    def score(self, left_BD: torch.Tensor, right_BD: torch.Tensor) -> torch.Tensor:
        """Logits (B,) of the probability that each pair of embeddings shows the same thing."""

    @abstractmethod
    def prepare(self, embeddings_ND: torch.Tensor) -> torch.Tensor:
        """What score_all takes, of embeddings (N, D)."""

    @abstractmethod
    def score_all(self, left_AD: torch.Tensor, right_BD: torch.Tensor) -> torch.Tensor:
        """Logits (A, B) of every left with every right prepared embedding: score's formula, but for rounding."""

    def forward(self, left_B1SS: torch.Tensor, right_B1SS: torch.Tensor) -> torch.Tensor:
        """Logits (B,) of pairs of images; both twins go through the encoder as one batch."""
        left_BD, right_BD = self.embed(torch.cat([left_B1SS, right_B1SS])).chunk(2)
        return self.score(left_BD, right_BD)


class DifferenceTwin(TwinNetwork):
    """Score of two images = w . |sigmoid(f(a)) - sigmoid(f(b))| + c.

    As in MathWorks' example and Koch et al. 2015, sec. 3.1. |x - y| equals |y - x| bit for bit. Every parameter of the
    head starts from N(0, 0.01), as in the example.
    """

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__(encoder)
        self.head: nn.Linear = nn.Linear(cast(int, self.encoder.features), 1)
        for parameter in self.head.parameters():
            nn.init.normal_(parameter, 0.0, NARROW)

    def embed(self, images_B1SS: torch.Tensor) -> torch.Tensor:
        """Embeddings (B, D) float32 in (0, 1) of images (B, 1, S, S), ink 0 and paper 1."""
        features_BD: torch.Tensor = self.encoder(images_B1SS)
        return features_BD.float().sigmoid()

    def score(self, left_BD: torch.Tensor, right_BD: torch.Tensor) -> torch.Tensor:
        """Logits (B,) of the probability that each pair of embeddings shows the same thing."""
        # element by element, not as a matrix product: fp32 under autocast too, and a row never depends on its batch
        return ((left_BD - right_BD).abs() * self.head.weight).sum(1) + self.head.bias

    def prepare(self, embeddings_ND: torch.Tensor) -> torch.Tensor:
        """What score_all takes: embeddings times the head's weights, about their mean so that sums stay small."""
        return (embeddings_ND - embeddings_ND.mean(0)) * self.head.weight[0]

    def score_all(self, left_AD: torch.Tensor, right_BD: torch.Tensor) -> torch.Tensor:
        """Logits (A, B) of every left with every right prepared embedding: score's formula, but for rounding.

        With u = w x and v = w y, w |x - y| is u + v - 2 min(u, v) where w is above 0 and u + v - 2 max(u, v) below:
        two passes a feature over a tile of pairs instead of A x B x D differences in memory (or of torch.cdist, which
        is no faster on a CPU and knows no weights).
        """
        left_DA, right_DB = left_AD.T.contiguous(), right_BD.T.contiguous()
        logits_AB = left_DA.sum(0)[:, None] + right_DB.sum(0) + self.head.bias
        tile = TILE if left_AD.device.type == "cpu" else max(len(left_AD), len(right_BD))
        extremes = [torch.minimum if weight > 0 else torch.maximum for weight in self.head.weight[0].tolist()]
        for row in range(0, len(left_AD), tile):
            rows_Da1 = left_DA[:, row : row + tile, None].unbind()
            for column in range(0, len(right_BD), tile):
                part_ab = logits_AB[row : row + tile, column : column + tile]
                total_ab, one_ab = torch.zeros_like(part_ab), torch.empty_like(part_ab)
                columns_D1b = right_DB[:, None, column : column + tile].unbind()
                for extreme, row_a1, column_1b in zip(extremes, rows_Da1, columns_D1b, strict=True):
                    extreme(row_a1, column_1b, out=one_ab)
                    total_ab += one_ab
                part_ab -= 2 * total_ab
        return logits_AB


class DistanceTwin(TwinNetwork):
    """Score of two images = bias - scale |z(a) - z(b)|^2, z being the encoder's features at length 1.

    The score of two embeddings has two parameters only, so that all else is left to the encoder.
    """

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__(encoder)
        self.head: Distance = Distance()

    def embed(self, images_B1SS: torch.Tensor) -> torch.Tensor:
        """Embeddings (B, D) float32 of length 1."""
        features_BD: torch.Tensor = self.encoder(images_B1SS)
        return F.normalize(features_BD.float(), dim=1)

    def score(self, left_BD: torch.Tensor, right_BD: torch.Tensor) -> torch.Tensor:
        return self.head.bias - self.head.log_scale.exp() * (left_BD - right_BD).square().sum(1)

    def prepare(self, embeddings_ND: torch.Tensor) -> torch.Tensor:
        return embeddings_ND

    def score_all(self, left_AD: torch.Tensor, right_BD: torch.Tensor) -> torch.Tensor:
        """As score, but for rounding: |x - y|^2 is |x|^2 + |y|^2 - 2 x . y."""
        squares_AB = left_AD.square().sum(1)[:, None] + right_BD.square().sum(1)
        return self.head.bias - self.head.log_scale.exp() * (squares_AB - 2 * left_AD @ right_BD.T)


class Distance(nn.Module):
    """The two numbers that turn a squared distance (0 to 4) into a logit."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(FIRST_SCALE).log())
        self.bias = nn.Parameter(torch.tensor(FIRST_BIAS))


def build_twin(network: Network, encoder: nn.Module | None = None) -> TwinNetwork:
    """Build a twin network with new weights; BadInput if its parts are not known or do not fit.

    encoder: a module of the user's own, (B, C, S, S) to (B, D), for a network whose encoder is called `own`.
    """
    check(network)
    if encoder is None:
        if network.encoder == OWN:
            raise BadInput("this network has an encoder of your own", "Give it: encoder=MODULE in Python.")
        encoder = build_encoder(network)
    return (DistanceTwin if network.head == "distance" else DifferenceTwin)(encoder)
