"""The scores of a verifier that sits the exams: every image is embedded once.

N images of the set, B pairs, D features
"""

import time
from dataclasses import dataclass, field

import torch

from omnitwin.answers.engines import EMBED_AT_ONCE, torch_network
from omnitwin.answers.verifier import Verifier
from omnitwin.data.imageset import ImageSet, check_channels
from omnitwin.metrics.calibration import calibrated
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.system.device import autocast, synchronize
from omnitwin.system.portions import images_at_once

SCORE_AT_ONCE = 1 << 23  # numbers in one side of the embeddings of the pairs scored at once: 32 MB
ROWS_AT_ONCE = 512  # rows whose scores with all later rows are computed at once


@dataclass(eq=False, kw_only=True)
class Scorer:
    """A verifier that torch runs, with a set of images, framed as it sees them and on its device.

    embed_at_once, score_at_once and rows_at_once bound memory; see the constants of the same names.
    """

    verifier: Verifier
    packed: ImageSet
    precision: str = "fp32"
    reporter: Reporter = SILENT
    embed_at_once: int = EMBED_AT_ONCE
    score_at_once: int = SCORE_AT_ONCE
    rows_at_once: int = ROWS_AT_ONCE
    embedded: int = field(default=0, init=False)  # images so far
    embed_seconds: float = field(default=0.0, init=False)
    _table_N: torch.Tensor | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        network = torch_network(self.verifier)
        self.model, self.device = network.model, network.device
        self._known_N = torch.zeros(len(self.packed), dtype=torch.bool)

    def prepared(self) -> torch.Tensor:
        """Return what score_all takes, for all images."""
        table_N = self._embed(torch.arange(len(self.packed)))
        with self.reporter.task("Preparing to compare", len(table_N), "images") as advance, torch.inference_mode():
            prepared_N = self.model.prepare(table_N)
            advance(len(table_N))
            return prepared_N

    def score_all(self, left_A: torch.Tensor, right_B: torch.Tensor) -> torch.Tensor:
        """Return the logits (A, B) of prepared embeddings, on the device."""
        with torch.inference_mode():
            scores_AB: torch.Tensor = calibrated(self.model.score_all(left_A, right_B), self.verifier.calibration)
            return scores_AB

    def score_pairs(self, left_B: torch.Tensor, right_B: torch.Tensor) -> torch.Tensor:
        """Return the logits (B,) of pairs of rows, on the CPU."""
        table_N = self._embed(torch.unique(torch.cat([left_B, right_B])))
        at_once = max(1, self.score_at_once // table_N[0].numel())
        scores = []
        with self.reporter.task("Comparing pairs", len(left_B), "pairs") as advance, torch.inference_mode():
            for left_b, right_b in zip(torch.split(left_B, at_once), torch.split(right_B, at_once), strict=True):
                score_b = self.model.score(table_N[left_b.to(self.device)], table_N[right_b.to(self.device)])
                scores.append(calibrated(score_b, self.verifier.calibration).cpu())
                advance(len(left_b))
        return torch.cat(scores)

    def score_images(self, left_B1SS: torch.Tensor, right_B1SS: torch.Tensor) -> torch.Tensor:
        """Return the logits (B,) of pairs of images that are not in the set, on the CPU."""
        scores = []
        with torch.inference_mode():
            for sides in zip(*(torch.split(side, self._at_once()) for side in (left_B1SS, right_B1SS)), strict=True):
                with autocast(self.device, self.precision):
                    left_b, right_b = (self.model.embed(side_b1SS.to(self.device)) for side_b1SS in sides)
                scores.append(calibrated(self.model.score(left_b, right_b), self.verifier.calibration).cpu())
        return torch.cat(scores)

    def _at_once(self) -> int:
        view = self.verifier.view  # None: a baseline, which takes images as they came
        return self.embed_at_once if view is None else images_at_once(self.embed_at_once, max(view.height, view.width))

    def _embed(self, rows_B: torch.Tensor) -> torch.Tensor:
        """Return the table of embeddings (N, ...) with at least these rows filled. No row is computed twice."""
        missing = rows_B[~self._known_N[rows_B]]
        if not len(missing):
            assert self._table_N is not None
            return self._table_N
        start = time.perf_counter()
        with self.reporter.task("Embedding images", len(missing), "images") as advance, torch.inference_mode():
            for rows_b in torch.split(missing, self._at_once()):
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


def seated(verifier: Verifier, images: ImageSet, precision: str = "fp32", reporter: Reporter = SILENT) -> Scorer:
    """Return a scorer of images as they came: they are framed as the verifier sees them, and moved to its device.

    Raises BadInput if a network takes other channels than the images have.
    """
    framed = images if verifier.view is None else images.framed(verifier.view)
    if verifier.description is not None:
        check_channels(framed, verifier.description.network.channels)
    device = torch_network(verifier).device
    return Scorer(verifier=verifier, packed=framed.to(device), precision=precision, reporter=reporter)
