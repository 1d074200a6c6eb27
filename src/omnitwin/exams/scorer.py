"""Who sits the exams: a network or a baseline, with every image embedded once and scores that follow from that.

N images of the set, B pairs, D features
"""

import time
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from omnitwin.data.imageset import ImageSet
from omnitwin.metrics.calibration import calibrated
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.system.device import autocast, keep_freed_memory, synchronize

EMBED_AT_ONCE = 64  # images
SCORE_AT_ONCE = 1 << 23  # numbers in one side of the embeddings of the pairs scored at once: 32 MB


class Model(Protocol):
    """What TwinNetwork and the baselines have in common; see their docstrings."""

    def embed(self, images_B1SS: torch.Tensor, /) -> torch.Tensor: ...
    def score(self, left_B: torch.Tensor, right_B: torch.Tensor, /) -> torch.Tensor: ...
    def prepare(self, embeddings_N: torch.Tensor, /) -> torch.Tensor: ...
    def score_all(self, left_A: torch.Tensor, right_B: torch.Tensor, /) -> torch.Tensor: ...


@dataclass(eq=False, kw_only=True)
class Scorer:
    """A model with a set of images, of the size it takes, on its device.

    calibration (temperature, bias) turns its scores into the logits whose sigmoid is the probability that is told;
    None leaves them as they are.
    """

    model: Model
    packed: ImageSet
    device: torch.device
    precision: str = "fp32"
    calibration: dict[str, float] | None = None
    frame: str = "whole"  # how images lie in the squares of packed (data.framing)
    novelty: dict[str, Any] | None = None  # what it knows drawings by, see metrics.novelty
    probabilistic: bool = False  # whether scores are logits by themselves, before any calibration
    reporter: Reporter = SILENT
    embedded: int = 0
    embed_seconds: float = 0.0
    _table_N: torch.Tensor | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.device.type == "cpu":
            keep_freed_memory()
        self._known_N = torch.zeros(len(self.packed), dtype=torch.bool)

    def prepared(self) -> torch.Tensor:
        """What score_all takes, of all images."""
        table_N = self._embed(torch.arange(len(self.packed)))
        with self.reporter.task("Preparing to compare", len(table_N), "images") as advance, torch.inference_mode():
            prepared_N = self.model.prepare(table_N)
            advance(len(table_N))
            return prepared_N

    def score_pairs(self, left_B: torch.Tensor, right_B: torch.Tensor) -> torch.Tensor:
        """Logits (B,) on the CPU of pairs of rows."""
        table_N = self._embed(torch.unique(torch.cat([left_B, right_B])))
        at_once = max(1, SCORE_AT_ONCE // table_N[0].numel())
        scores = []
        with self.reporter.task("Comparing pairs", len(left_B), "pairs") as advance, torch.inference_mode():
            for left_b, right_b in zip(torch.split(left_B, at_once), torch.split(right_B, at_once), strict=True):
                score_b = self.model.score(table_N[left_b.to(self.device)], table_N[right_b.to(self.device)])
                scores.append(calibrated(score_b, self.calibration).cpu())
                advance(len(left_b))
        return torch.cat(scores)

    def score_images(self, left_B1SS: torch.Tensor, right_B1SS: torch.Tensor) -> torch.Tensor:
        """Logits (B,) on the CPU of pairs of images that are not in the set."""
        scores = []
        with torch.inference_mode():
            for sides in zip(*(torch.split(side, EMBED_AT_ONCE) for side in (left_B1SS, right_B1SS)), strict=True):
                with autocast(self.device, self.precision):
                    left_b, right_b = (self.model.embed(side_b1SS.to(self.device)) for side_b1SS in sides)
                scores.append(calibrated(self.model.score(left_b, right_b), self.calibration).cpu())
        return torch.cat(scores)

    def _embed(self, rows_B: torch.Tensor) -> torch.Tensor:
        """The table of embeddings (N, ...), in which at least these rows are filled; none is ever computed twice."""
        missing = rows_B[~self._known_N[rows_B]]
        if not len(missing):
            assert self._table_N is not None
            return self._table_N
        start = time.perf_counter()
        with self.reporter.task("Embedding images", len(missing), "images") as advance, torch.inference_mode():
            for rows_b in torch.split(missing, EMBED_AT_ONCE):
                with autocast(self.device, self.precision):
                    embeddings_b = self.model.embed(self.packed.gather(rows_b.to(self.device)))
                if self._table_N is None:
                    self._table_N = embeddings_b.new_zeros((len(self.packed), *embeddings_b.shape[1:]))
                self._table_N[rows_b.to(self.device)] = embeddings_b
                self._known_N[rows_b] = True
                advance(len(rows_b))
        synchronize(self.device)
        self.embedded += len(missing)
        self.embed_seconds += time.perf_counter() - start
        assert self._table_N is not None
        return self._table_N
