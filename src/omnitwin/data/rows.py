"""The common part of image sets whose labels are tensors: classes, groups and sources of the rows.

N images, C classes, G groups
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelledRows:
    """The labels of rows that lie side by side by class and group; omnitwin.data.imageset explains the names."""

    name: str
    class_N: torch.Tensor
    class_names: tuple[str, ...]
    group_C: torch.Tensor | None = None
    group_names: tuple[str, ...] = ()
    source_N: torch.Tensor | None = None

    @cached_property
    def count_C(self) -> torch.Tensor:
        """Images in each class, (C,) int64."""
        return torch.bincount(self.class_N, minlength=len(self.class_names))

    @cached_property
    def first_C(self) -> torch.Tensor:
        """Row of each class's first image, (C,) int64."""
        return torch.cumsum(self.count_C, 0) - self.count_C

    @property
    def device(self) -> torch.device:
        return self.class_N.device

    def labels_on(self, device: torch.device) -> dict[str, Any]:
        """Return the fields with tensors here, on a device."""
        return {
            "class_N": self.class_N.to(device),
            "source_N": None if self.source_N is None else self.source_N.to(device),
            "group_C": None if self.group_C is None else self.group_C.to(device),
        }

    def labels_of(self, kept_C: torch.Tensor) -> dict[str, Any]:
        """Return the fields here for the classes where kept_C, (C,) bool, is true, all numbered from 0 again."""
        there_N = kept_C[self.class_N]
        labels = {
            "class_N": (torch.cumsum(kept_C, 0) - 1)[self.class_N[there_N]],
            "source_N": None if self.source_N is None else self.source_N[there_N],
            "class_names": tuple(self.class_names[index] for index in kept_C.nonzero().flatten().tolist()),
        }
        if self.group_C is None:
            return labels
        groups = torch.unique(self.group_C[kept_C])
        return labels | {
            "group_C": torch.searchsorted(groups, self.group_C[kept_C]),
            "group_names": tuple(self.group_names[index] for index in groups.tolist()),
        }
