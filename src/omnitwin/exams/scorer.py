"""Who sits the exams, a network or a baseline, and its scores: every image is embedded once.

N images of the set, B pairs, D features
"""

import time
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from omnitwin.data.packed import PackedSet
from omnitwin.metrics.calibration import calibrated
from omnitwin.reports.exams import NetworkReport
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.system.device import autocast, synchronize

EMBED_AT_ONCE = 64  # images
SCORE_AT_ONCE = 1 << 23  # numbers in one side of the embeddings of the pairs scored at once: 32 MB
ROWS_AT_ONCE = 512  # rows whose scores with all later rows are computed at once
EVEN = 0.5  # probability at which both answers are equally likely


class Model(Protocol):
    """What TwinNetwork and the baselines have in common; see their docstrings."""

    def embed(self, images_B1SS: torch.Tensor, /) -> torch.Tensor: ...
    def score(self, left_B: torch.Tensor, right_B: torch.Tensor, /) -> torch.Tensor: ...
    def prepare(self, embeddings_N: torch.Tensor, /) -> torch.Tensor: ...
    def score_all(self, left_A: torch.Tensor, right_B: torch.Tensor, /) -> torch.Tensor: ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Sitter:
    """A network with what its checkpoint says of it, or a baseline."""

    model: Model
    threshold: float = EVEN  # probability from which it answers `similar`
    calibration: dict[str, float] | None = None  # temperature and bias that turn its scores into logits
    probabilistic: bool = False  # its scores are logits even without a calibration
    image_size: int | None = None  # pixels a side of the images it takes; None: it takes any
    frame: str = "whole"  # how it wants images to lie in these squares (images.framing)
    novelty: dict[str, Any] | None = None  # limits of the drawings it knows (images.novelty)
    network: NetworkReport | None = None  # None: it is a baseline
    baseline: str | None = None
    family: str = "omniglot"  # data set whose exams it sits by default
    fingerprint: str | None = None  # of the images it was trained on
    held_out: tuple[str, ...] = ()  # alphabets of these images that were kept out of training


@dataclass(eq=False, kw_only=True)
class Scorer:
    """A sitter with a set of images, which are as it takes them and on its device.

    embed_at_once, score_at_once and rows_at_once bound memory; see the constants of the same names.
    """

    sitter: Sitter
    packed: PackedSet
    device: torch.device
    precision: str = "fp32"
    reporter: Reporter = SILENT
    embed_at_once: int = EMBED_AT_ONCE
    score_at_once: int = SCORE_AT_ONCE
    rows_at_once: int = ROWS_AT_ONCE
    embedded: int = field(default=0, init=False)  # images so far
    embed_seconds: float = field(default=0.0, init=False)
    _table_N: torch.Tensor | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._known_N = torch.zeros(len(self.packed), dtype=torch.bool)

    def prepared(self) -> torch.Tensor:
        """Return what score_all takes, for all images."""
        table_N = self._embed(torch.arange(len(self.packed)))
        with self.reporter.task("Preparing to compare", len(table_N), "images") as advance, torch.inference_mode():
            prepared_N = self.sitter.model.prepare(table_N)
            advance(len(table_N))
            return prepared_N

    def score_all(self, left_A: torch.Tensor, right_B: torch.Tensor) -> torch.Tensor:
        """Return the logits (A, B) of prepared embeddings, on the device."""
        with torch.inference_mode():
            scores_AB: torch.Tensor = calibrated(self.sitter.model.score_all(left_A, right_B), self.sitter.calibration)
            return scores_AB

    def score_pairs(self, left_B: torch.Tensor, right_B: torch.Tensor) -> torch.Tensor:
        """Return the logits (B,) of pairs of rows, on the CPU."""
        model = self.sitter.model
        table_N = self._embed(torch.unique(torch.cat([left_B, right_B])))
        at_once = max(1, self.score_at_once // table_N[0].numel())
        scores = []
        with self.reporter.task("Comparing pairs", len(left_B), "pairs") as advance, torch.inference_mode():
            for left_b, right_b in zip(torch.split(left_B, at_once), torch.split(right_B, at_once), strict=True):
                score_b = model.score(table_N[left_b.to(self.device)], table_N[right_b.to(self.device)])
                scores.append(calibrated(score_b, self.sitter.calibration).cpu())
                advance(len(left_b))
        return torch.cat(scores)

    def score_images(self, left_B1SS: torch.Tensor, right_B1SS: torch.Tensor) -> torch.Tensor:
        """Return the logits (B,) of pairs of images that are not in the set, on the CPU."""
        model = self.sitter.model
        scores = []
        with torch.inference_mode():
            for sides in zip(*(torch.split(side, self.embed_at_once) for side in (left_B1SS, right_B1SS)), strict=True):
                with autocast(self.device, self.precision):
                    left_b, right_b = (model.embed(side_b1SS.to(self.device)) for side_b1SS in sides)
                scores.append(calibrated(model.score(left_b, right_b), self.sitter.calibration).cpu())
        return torch.cat(scores)

    def _embed(self, rows_B: torch.Tensor) -> torch.Tensor:
        """Return the table of embeddings (N, ...) with at least these rows filled. No row is computed twice."""
        missing = rows_B[~self._known_N[rows_B]]
        if not len(missing):
            assert self._table_N is not None
            return self._table_N
        start = time.perf_counter()
        with self.reporter.task("Embedding images", len(missing), "images") as advance, torch.inference_mode():
            for rows_b in torch.split(missing, self.embed_at_once):
                with autocast(self.device, self.precision):
                    embeddings_b = self.sitter.model.embed(self.packed.gather(rows_b.to(self.device)))
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


def seated(sitter: Sitter, images: PackedSet, device: torch.device, precision: str, reporter: Reporter) -> Scorer:
    """Return a scorer of images as they came: framed as the sitter takes them, on the device."""
    framed = images if sitter.image_size is None else images.framed(sitter.image_size, sitter.frame)
    return Scorer(sitter=sitter, packed=framed.to(device), device=device, precision=precision, reporter=reporter)
