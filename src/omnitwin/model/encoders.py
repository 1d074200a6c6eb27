"""Encoders: an image in, a feature vector out. Both twins share one encoder and its weights.

B images, C channels, H x W pixels (S x S if square), D features, M members
"""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from omnitwin.model.anatomy import BLOCKS, for_blocks
from omnitwin.model.backbones import BackboneEncoder, torchvision_models
from omnitwin.recipes import Network, View, is_foreign

NARROW = 0.01  # standard deviation of all initial weights and biases of the example's network


class ClassicEncoder(nn.Sequential):
    """The example's subnetwork, after Koch et al. 2015, "Siamese Neural Networks for One-shot Image Recognition".

    (B, 1, 105, 105) -> (B, 4096). Each ReLU follows its max-pool and so treats a quarter of the values. Max and ReLU
    are both monotone: the order changes neither a value nor a gradient.
    """

    features = 4096

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 64, 10),
            nn.MaxPool2d(2),
            nn.ReLU(inplace=True),
            nn.Conv2d(64, 128, 7),
            nn.MaxPool2d(2),
            nn.ReLU(inplace=True),
            nn.Conv2d(128, 128, 4),
            nn.MaxPool2d(2),
            nn.ReLU(inplace=True),
            nn.Conv2d(128, 256, 5),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Linear(256 * 5 * 5, self.features),
        )
        for parameter in self.parameters():
            nn.init.normal_(parameter, 0.0, NARROW)


class SmallEncoder(nn.Sequential):
    """Three blocks of convolution, batch normalisation, ReLU and pooling. (B, 1, 28, 28) -> (B, 128)."""

    features = 128

    def __init__(self) -> None:
        blocks: list[nn.Module] = []
        for before, after in ((1, 32), (32, 64), (64, 128)):
            blocks += [
                nn.Conv2d(before, after, 3, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.MaxPool2d(2),
                nn.ReLU(inplace=True),
            ]
        super().__init__(*blocks, nn.Flatten(), nn.Linear(128 * 3 * 3, self.features))


class ResNet18Encoder(nn.Sequential):
    """torchvision's ResNet-18 (He et al. 2016) for one channel, untrained. (B, 1, H, W) -> (B, 512)."""

    features = 512

    def __init__(self) -> None:
        network = torchvision_models().resnet18(num_classes=self.features)
        network.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
        super().__init__(network)


class BlocksEncoder(nn.Module):
    """Blocks, by their name in model.anatomy. (B, C, H, W) -> (B, D)."""

    def __init__(self, name: str, view: View) -> None:
        super().__init__()
        anatomy = BLOCKS[name]
        self.features, self.pooled, self.frame = anatomy.features, anatomy.pooled, view.frame
        before = (view.channels, *anatomy.widths[:-1])
        self.blocks = nn.Sequential(
            *(Block(*channels) for channels in zip(before, anatomy.widths, anatomy.residual, strict=True))
        )
        rows, columns = anatomy.places(view)
        self.out = nn.Linear(anatomy.widths[-1] * rows * columns, anatomy.features, bias=False)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        x = self.blocks(for_blocks(images_BCHW, self.frame))
        features_BD: Tensor = self.out(x.mean((2, 3)) if self.pooled else x.flatten(1))
        return features_BD


class Members(nn.Module):
    """Encoders of one kind side by side, their features in a row. (B, C, H, W) -> (B, M D).

    Networks that differ in their initial weights err in different places, and so less together (Lakshminarayanan et al.
    2017, "Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles").
    """

    def __init__(self, members: list[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.features = sum(cast(int, member.features) for member in members)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return torch.cat([member(images_BCHW) for member in self.members], 1)


class Block(nn.Module):
    """Convolution, pooling, batch norm and ReLU, then residual pairs of convolutions."""

    def __init__(self, before: int, width: int, residual: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.residual = nn.ModuleList(_residual(width) for _ in range(residual))

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(F.max_pool2d(self.conv(x), 2)), inplace=True)
        for pair in self.residual:
            x = F.relu(x + pair(x), inplace=True)
        return x


def _residual(width: int) -> nn.Sequential:
    pair = nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
    )
    nn.init.zeros_(pair[-1].weight)  # type: ignore[arg-type]  # at first the pair adds nothing
    return pair


ENCODERS: dict[str, Callable[[], nn.Module]] = {  # those that need no image size
    "classic": ClassicEncoder,
    "small": SmallEncoder,
    "resnet18": ResNet18Encoder,
}


def build_encoder(network: Network) -> nn.Module:
    """Return the encoder of a network, with new weights."""
    if is_foreign(network):
        return BackboneEncoder(network)
    if network.members == 1:
        return _build_member(network)
    return Members([_build_member(network) for _ in range(network.members)])


def _build_member(network: Network) -> nn.Module:
    if network.encoder in BLOCKS:
        return BlocksEncoder(network.encoder, network.view)
    return ENCODERS[network.encoder]()


def count_parameters(module: nn.Module) -> int:
    """Return the number of parameters of a module."""
    return sum(parameter.numel() for parameter in module.parameters())


def has_depthwise(module: nn.Module) -> bool:
    """Return whether a network convolves channels by themselves, as MobileNet does: on a CPU, bf16 slows that down."""
    convolutions = (part for part in module.modules() if isinstance(part, nn.Conv2d))
    return any(1 < part.groups == part.in_channels for part in convolutions)


def has_batch_statistics(module: nn.Module) -> bool:
    """Return whether an image's features, in training, depend on the other images of its batch."""
    return any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in module.modules())
