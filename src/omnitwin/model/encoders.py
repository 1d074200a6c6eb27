"""Encoders: one image in, one feature vector out. Both twins are the same encoder with the same weights.

B images, S pixels a side, D features
"""

from torch import nn

from omnitwin.errors import CannotRun

NARROW = 0.01  # standard deviation of all initial weights and biases of the example's network


class ClassicEncoder(nn.Sequential):
    """The example's subnetwork, after Koch et al. 2015, "Siamese Neural Networks for One-shot Image Recognition".

    (B, 1, 105, 105) -> (B, 4096). Each ReLU stands behind its max-pool, where it has a quarter of the values to
    treat: max and ReLU are both monotone, so the order changes neither a value nor a gradient.
    """

    features = 4096
    image_size = 105

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
    image_size = 28

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
    """torchvision's ResNet-18 (He et al. 2016) for one channel, untrained. (B, 1, S, S) -> (B, 512), S 32 or more."""

    features = 512
    image_size = None  # any of 32 or more

    def __init__(self) -> None:
        try:
            from torchvision.models import resnet18
        except Exception as error:  # a torchvision of another build fails in more ways than ImportError
            raise CannotRun(
                f"torchvision does not work here: {error}",
                "Install the build that goes with your torch: pip install --force-reinstall torch torchvision",
            ) from error
        network = resnet18(num_classes=self.features)
        network.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
        super().__init__(network)


ENCODERS: dict[str, type[nn.Module]] = {
    "classic": ClassicEncoder,
    "small": SmallEncoder,
    "resnet18": ResNet18Encoder,
}


def count_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def has_batch_statistics(module: nn.Module) -> bool:
    """Whether an image's features depend, in training, on the others of its batch."""
    return any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in module.modules())
