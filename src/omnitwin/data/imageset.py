"""The protocol of a data set: image rows, the class of each, and their groups and sources if known.

    N images, C classes, G groups, B chosen rows, H x W pixels with D channels

A class is what the two images of a similar pair share: a character, a person, a product. A group holds classes that
are easily confused: an alphabet, a genus. A source says which hand, camera or session an image comes from. Training,
exams and `show` see a data set only through this protocol, so any class that has these names can be trained on.
"""

from typing import Protocol, Self

import torch

from omnitwin.errors import BadInput
from omnitwin.recipes import View
from omnitwin.reports.pictures import Picture


class ImageSet(Protocol):
    """Images of classes. The rows of a class lie side by side, and so do the classes of a group.

    Any object with these names is a data set, for training and for exams.

    >>> omnitwin.train({"training": my_set, "test": other_set}, recipe="fast")
    """

    @property
    def name(self) -> str:
        """The set's name and part, such as `omniglot/test`."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the C classes."""

    @property
    def group_names(self) -> tuple[str, ...]:
        """Names of the G groups; empty without groups."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the pixels, in hexadecimal digits."""

    @property
    def class_N(self) -> torch.Tensor:
        """Class of each image, (N,) int64, ascending."""

    @property
    def group_C(self) -> torch.Tensor | None:
        """Group of each class, (C,) int64, ascending; None without groups."""

    @property
    def source_N(self) -> torch.Tensor | None:
        """Source of each image, (N,) int64; None without sources."""

    @property
    def count_C(self) -> torch.Tensor:
        """Images in each class, (C,) int64."""

    @property
    def first_C(self) -> torch.Tensor:
        """Row of each class's first image, (C,) int64."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of what gather returns, in pixels. BadInput if the images differ in size."""

    @property
    def device(self) -> torch.device:
        """The device of all tensors here, and of what gather returns."""

    @property
    def nbytes(self) -> int:
        """Bytes of pixels that the set keeps in its device's memory."""

    def __len__(self) -> int:
        """Return N, the number of images."""

    def label(self, row: int) -> str:
        """Name one image by its class and its source or place, such as `Greek/character01, drawing 7`."""

    def picture(self, row: int) -> Picture:
        """Return one image as a report shows it."""

    def gather(self, rows_B: torch.Tensor) -> torch.Tensor:
        """Return a network's input for some rows: (B, D, H, W) float32 from 0 (black) to 1 (white)."""

    def framed(self, view: View) -> Self:
        """Return the set with every image as a network with this view sees it."""

    def to(self, device: torch.device) -> Self:
        """Return the set with its tensors on a device."""

    def of_classes(self, kept_C: torch.Tensor) -> Self:
        """Return the classes where kept_C, (C,) bool, is true, and their groups, both numbered from 0 again."""


def check_channels(images: ImageSet, channels: int) -> None:
    """Raise BadInput if a network that takes this many channels cannot see the images."""
    if images.shape[0] != channels:
        raise BadInput(
            f"{images.name} has images of {images.shape[0]} channels, the network takes {channels}",
            f"Use --override channels={images.shape[0]}.",
        )


def check_pairable(images: ImageSet) -> None:
    """Raise BadInput if no similar or no dissimilar pair can be drawn. A class of one image makes dissimilar ones."""
    if len(images.class_names) < 2:
        raise BadInput(
            f"{images.name} has {len(images.class_names)} class; pairs need at least 2", "Add images of another class."
        )
    if int(images.count_C.max()) < 2:
        raise BadInput(
            f"no class of {images.name} has 2 images, so no similar pair can be drawn",
            "Add a second image to some classes.",
        )


def single_classes(images: ImageSet) -> int:
    """Return the number of classes with one image: they make dissimilar pairs only."""
    return int((images.count_C < 2).sum())
