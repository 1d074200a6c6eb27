"""The twin network: one encoder for both images, and a symmetric score of the two embeddings.

B images or pairs, S pixels a side, D features
"""

from typing import cast

import torch
from torch import nn
from torch.nn import functional as F

from omnitwin.errors import BadInput
from omnitwin.model.encoders import ENCODERS, NARROW


class TwinNetwork(nn.Module):
    """Score of two images = w . |sigmoid(f(a)) - sigmoid(f(b))| + c, its sigmoid the probability that they are similar.

    As in MathWorks' example and Koch et al. 2015, sec. 3.1. |x - y| equals |y - x| bit for bit, so the score of a pair
    does not depend on its order. Every parameter of the head starts from N(0, 0.01), as in the example.
    """

    def __init__(self, encoder: str, image_size: int) -> None:
        super().__init__()
        self.check(encoder, image_size)
        self.encoder = ENCODERS[encoder]()
        self.head = nn.Linear(cast(int, self.encoder.features), 1)
        for parameter in self.head.parameters():
            nn.init.normal_(parameter, 0.0, NARROW)

    @staticmethod
    def check(encoder: str, image_size: int) -> None:
        """BadInput where there is no such encoder, or none for such images."""
        if encoder not in ENCODERS:
            raise BadInput(f"no encoder is called {encoder!r}", f"Use {', '.join(ENCODERS)}.")
        needed = getattr(ENCODERS[encoder], "image_size", None)
        if needed is not None and needed != image_size:
            raise BadInput(
                f"the encoder {encoder} takes {needed} x {needed} pixels, not {image_size} x {image_size}", ""
            )

    def embed(self, images_B1SS: torch.Tensor) -> torch.Tensor:
        """Embeddings (B, D) float32 in (0, 1) of images (B, 1, S, S), ink 0 and paper 1."""
        features_BD: torch.Tensor = self.encoder(images_B1SS)
        return features_BD.float().sigmoid()

    def score(self, left_BD: torch.Tensor, right_BD: torch.Tensor) -> torch.Tensor:
        """Logits (B,) of the probability that each pair of embeddings shows the same thing."""
        # element by element, not as a matrix product: fp32 under autocast too, and a row never depends on its batch
        return ((left_BD - right_BD).abs() * self.head.weight).sum(1) + self.head.bias

    def forward(self, left_B1SS: torch.Tensor, right_B1SS: torch.Tensor) -> torch.Tensor:
        """Logits (B,) of pairs of images; both twins go through the encoder as one batch."""
        left_BD, right_BD = self.embed(torch.cat([left_B1SS, right_B1SS])).chunk(2)
        return self.score(left_BD, right_BD)


def pair_loss(logits_B: torch.Tensor, similar_B: torch.Tensor) -> torch.Tensor:
    """Mean binary cross-entropy in nats: -log p for a similar pair, -log(1 - p) for another, p = sigmoid(logit).

    Taken on logits, where it neither overflows nor rounds to log 0.
    """
    return F.binary_cross_entropy_with_logits(logits_B, similar_B.float())
