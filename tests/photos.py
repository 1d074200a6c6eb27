"""Small photos in colour, wider than high, of things: an image set written without omnitwin's own, as a user would.

It has no groups of classes and no sources of images.
"""

from dataclasses import dataclass, replace

import torch
from torch.nn import functional as F

from omnitwin.reports.pictures import Picture


@dataclass(frozen=True, eq=False)
class Photos:
    """Images (N, 3, H, W) uint8 and the class of each, in the order of classes."""

    images: torch.Tensor
    class_N: torch.Tensor
    class_names: tuple[str, ...]
    name: str = "things"
    fingerprint: str = "0" * 64
    group_names: tuple[str, ...] = ()
    group_C: torch.Tensor | None = None
    source_N: torch.Tensor | None = None

    @property
    def count_C(self):
        return torch.bincount(self.class_N, minlength=len(self.class_names))

    @property
    def first_C(self):
        return self.count_C.cumsum(0) - self.count_C

    @property
    def shape(self):
        return tuple(self.images.shape[1:])

    @property
    def device(self):
        return self.images.device

    @property
    def nbytes(self):
        return self.images.nbytes

    def __len__(self):
        return len(self.images)

    def label(self, row):
        return f"{self.class_names[self.class_N[row]]}, photo {row}"

    def picture(self, row):
        pixels = self.images[row].permute(1, 2, 0).contiguous().numpy().tobytes()
        return Picture(width=self.images.shape[3], height=self.images.shape[2], pixels=pixels, channels=3)

    def gather(self, rows_B):
        return self.images[rows_B] / 255

    def framed(self, view):
        return replace(self, images=F.interpolate(self.images.float(), (view.height, view.width)).to(torch.uint8))

    def to(self, device):
        return replace(self, images=self.images.to(device), class_N=self.class_N.to(device))

    def of_classes(self, kept_C):
        there_N = kept_C[self.class_N]
        return replace(
            self,
            images=self.images[there_N],
            class_N=(kept_C.cumsum(0) - 1)[self.class_N[there_N]],
            class_names=tuple(name for name, kept in zip(self.class_names, kept_C.tolist(), strict=True) if kept),
        )


def photos(*counts, height=6, width=10):
    """Photos of as many things as there are counts; no two photos are alike."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (sum(counts), 3, height, width), generator=generator, dtype=torch.uint8)
    class_N = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    return Photos(images, class_N, tuple(f"thing {index}" for index in range(len(counts))))
