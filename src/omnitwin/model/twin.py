"""The twin network: one encoder for both images, and a symmetric score of the two embeddings.

B images or pairs, C channels, H x W pixels, D features; N embeddings, or A left and B right ones
"""

import copy
import math
from abc import ABC, abstractmethod
from typing import cast

import torch
from torch import nn
from torch.nn import functional as F

from omnitwin.errors import BadInput
from omnitwin.model.encoders import NARROW, Members, build_encoder
from omnitwin.recipes import OWN, Network

FIRST_SCALE, FIRST_BIAS = 8.0, 4.0  # initial scale and bias of a distance's logit
TILE = 512  # pairs a side of a tile that stays in a CPU's inner cache while all features are added up


class TwinNetwork(nn.Module, ABC):
    """Embed both images by one encoder and score the embeddings. The score's sigmoid is the probability of similar.

    score(a, b) equals score(b, a) bit for bit on any machine. The last bits of an embedding may depend on the machine
    and on the image's place in a batch.
    """

    encoder: nn.Module
    head: nn.Module

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def embed(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        """Return embeddings (B, D) float32 of images (B, C, H, W) from 0 (black, ink) to 1 (white, paper)."""
        return self.scaled(self.features(images_BCHW))

    @abstractmethod
    def scaled(self, features_BD: torch.Tensor) -> torch.Tensor:
        """Turn features into embeddings (B, D)."""

    def features(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        """Return the encoder's features (B, D) float32, which scaled turns into embeddings."""
        features_BD: torch.Tensor = self.encoder(images_BCHW)
        return features_BD.float()

    def learn(self, images_BCHW: torch.Tensor, member: int) -> torch.Tensor:
        """Return the embeddings (B, D) from which a member of the encoder learns; a single one is the whole network."""
        return self.embed(images_BCHW)

    @abstractmethod
    def score(self, left_BD: torch.Tensor, right_BD: torch.Tensor) -> torch.Tensor:
        """Return the logit of each pair of embeddings, (B,): of the probability that both show the same thing."""

    @abstractmethod
    def prepare(self, embeddings_ND: torch.Tensor) -> torch.Tensor:
        """Turn embeddings (N, D) into what score_all takes."""

    @abstractmethod
    def score_all(self, left_AD: torch.Tensor, right_BD: torch.Tensor) -> torch.Tensor:
        """Return the logits (A, B) of all left with all right prepared embeddings, equal to score's up to rounding."""

    def forward(self, left_BCHW: torch.Tensor, right_BCHW: torch.Tensor) -> torch.Tensor:
        """Return the logits (B,) of pairs of images, which go through the encoder as one batch."""
        left_BD, right_BD = self.embed(torch.cat([left_BCHW, right_BCHW])).chunk(2)
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

    def scaled(self, features_BD: torch.Tensor) -> torch.Tensor:
        """Return embeddings (B, D) in (0, 1)."""
        return features_BD.sigmoid()

    def score(self, left_BD: torch.Tensor, right_BD: torch.Tensor) -> torch.Tensor:
        """Return the logit of each pair of embeddings, (B,): of the probability that both show the same thing."""
        # elementwise, not a matrix product: stays fp32 under autocast, and a row never depends on its batch
        return ((left_BD - right_BD).abs() * self.head.weight).sum(1) + self.head.bias

    def prepare(self, embeddings_ND: torch.Tensor) -> torch.Tensor:
        """Return embeddings times the head's weights, minus their mean so that sums stay small, for score_all."""
        return (embeddings_ND - embeddings_ND.mean(0)) * self.head.weight[0]

    def score_all(self, left_AD: torch.Tensor, right_BD: torch.Tensor) -> torch.Tensor:
        """Return the logits (A, B) of all left with all right prepared embeddings, equal to score's up to rounding.

        With u = w x and v = w y, w |x - y| is u + v - 2 min(u, v) if w is above 0, else u + v - 2 max(u, v). So each
        feature takes two passes over a tile of pairs, and A x B x D differences never lie in memory. torch.cdist is no
        faster on a CPU and takes no weights.
        """
        left_DA, right_DB = left_AD.T.contiguous(), right_BD.T.contiguous()
        logits_AB = left_DA.sum(0)[:, None] + right_DB.sum(0) + self.head.bias
        tile = TILE if left_AD.device.type == "cpu" else max(len(left_AD), len(right_BD))
        extremes = [torch.minimum if weight > 0 else torch.maximum for weight in self.head.weight[0].tolist()]
        for row in range(0, len(left_AD), tile):
            rows_Da1 = left_DA[:, row : row + tile, None].unbind()
            for column in range(0, len(right_BD), tile):
                part_ab = logits_AB[row : row + tile, column : column + tile]
                total_ab, extreme_ab = torch.zeros_like(part_ab), torch.empty_like(part_ab)
                columns_D1b = right_DB[:, None, column : column + tile].unbind()
                for extreme, row_a1, column_1b in zip(extremes, rows_Da1, columns_D1b, strict=True):
                    extreme(row_a1, column_1b, out=extreme_ab)
                    total_ab += extreme_ab
                part_ab -= 2 * total_ab
        return logits_AB


class DistanceTwin(TwinNetwork):
    """Score of two images = bias - scale |z(a) - z(b)|^2, where z is the encoder's features scaled to length 1.

    The head has two parameters only; all else is left to the encoder. The features of each of several members are
    scaled by themselves, and the squared distance is the mean of theirs.
    """

    def __init__(self, encoder: nn.Module, members: int = 1) -> None:
        super().__init__(encoder)
        self.head: Distance = Distance()
        self.members = members

    def scaled(self, features_BD: torch.Tensor) -> torch.Tensor:
        """Return embeddings (B, D) of length 1."""
        units = [F.normalize(part, dim=1) for part in features_BD.chunk(self.members, 1)]
        return torch.cat(units, 1) / math.sqrt(self.members)

    def learn(self, images_BCHW: torch.Tensor, member: int) -> torch.Tensor:
        """Return the embeddings (B, D) of length 1 that a member would give alone."""
        encoder = cast(Members, self.encoder).members[member] if self.members > 1 else self.encoder
        features_BD: torch.Tensor = encoder(images_BCHW)
        return F.normalize(features_BD.float(), dim=1)

    def score(self, left_BD: torch.Tensor, right_BD: torch.Tensor) -> torch.Tensor:
        return self.head.bias - self.head.log_scale.exp() * (left_BD - right_BD).square().sum(1)

    def prepare(self, embeddings_ND: torch.Tensor) -> torch.Tensor:
        return embeddings_ND

    def score_all(self, left_AD: torch.Tensor, right_BD: torch.Tensor) -> torch.Tensor:
        """Return the logits (A, B), equal to score's up to rounding: |x - y|^2 is |x|^2 + |y|^2 - 2 x . y."""
        squares_AB = left_AD.square().sum(1)[:, None] + right_BD.square().sum(1)
        return self.head.bias - self.head.log_scale.exp() * (squares_AB - 2 * left_AD @ right_BD.T)


class Distance(nn.Module):
    """The two numbers that turn a squared distance (0 to 4) into a logit."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(FIRST_SCALE).log())
        self.bias = nn.Parameter(torch.tensor(FIRST_BIAS))


def build_twin(network: Network, encoder: nn.Module | None = None) -> TwinNetwork:
    """Return a twin network with new weights. Raises BadInput if its encoder is the user's own and not given.

    encoder: the user's own module, from (B, C, H, W) to (B, D), for a network whose encoder is called `own`
    """
    if encoder is None:
        if network.encoder == OWN:
            raise BadInput("this network has an encoder of your own", "In Python, pass it: encoder=MODULE.")
        encoder = build_encoder(network)
    else:
        encoder = tried(encoder, network)
    return DistanceTwin(encoder, network.members) if network.head == "distance" else DifferenceTwin(encoder)


def check_encoder(encoder: nn.Module) -> None:
    """Raise BadInput unless the user's own encoder is a module that says how many features it makes."""
    if not isinstance(encoder, nn.Module):
        raise BadInput(f"your encoder is {encoder!r}, not a torch.nn.Module", "Give an object, not its class or name.")
    features = getattr(encoder, "features", None)
    if not isinstance(features, int) or features < 1:
        raise BadInput("your encoder has no attribute `features`", "Set it to the size of an embedding.")


def tried(encoder: nn.Module, network: Network) -> nn.Module:
    """Return a copy of the user's encoder, which has been given two blank images; raise BadInput if it is none."""
    check_encoder(encoder)
    encoder = copy.deepcopy(encoder)
    features, view = encoder.features, network.view
    shape = (2, view.channels, view.height, view.width)
    tensor = next((each for each in (*encoder.parameters(), *encoder.buffers())), torch.zeros(()))
    training = encoder.training
    try:
        made = encoder.eval()(torch.zeros(shape, device=tensor.device))
        found = tuple(made.shape)
    except Exception as error:  # whatever a stranger's module raises
        raise BadInput(f"your encoder does not take images {shape}: {error}") from error
    if found != (2, features):
        raise BadInput(f"your encoder makes {found} of two images, not (2, {features})", "Set its `features`.")
    if any(parameter.requires_grad for parameter in encoder.parameters()) and not made.requires_grad:
        raise BadInput("no gradient reaches your encoder", "Its output must not be detached, nor of whole numbers.")
    return encoder.train(training)
