"""Measure how unlike any known drawing an image is, by a few plain statistics of its ink and its paper.

N images, S pixels a side of the square that the network sees, D statistics
"""

from typing import Any

import numpy as np

from omnitwin.images.framing import WHITE
from omnitwin.metrics.arrays import Array
from omnitwin.metrics.distances import mahalanobis
from omnitwin.system.portions import portions

FALSE_ALARMS = 0.015  # share of held-out drawings in all variations; of drawings as drawn, far fewer are beyond
LEAST = 1e-3  # of full ink, added before a logarithm
TINY = 1e-9  # the least limit, so that distances can be divided by it
RIDGE = 1e-4  # of each statistic's variance, added so that their covariance has an inverse


def statistics(squares_NSS: Array, unrest_N: Array) -> Array:
    """Return the statistics (N, D) float64 of squares (uint8, paper 255) and of their paper's unrest (images.cleaning).

    They are the logarithms of the mean ink, of its steps (sums of the differences of neighbours, and of their squares)
    and of its curvature; the ink along the border, the share of grey, the extents of the ink, and the unrest.
    """
    parts = portions(len(squares_NSS), len(squares_NSS), squares_NSS.shape[-1])
    return np.concatenate([_statistics(squares_NSS[part], unrest_N[part]) for part in parts])


def _statistics(squares_NSS: Array, unrest_N: Array) -> Array:
    ink = (WHITE - squares_NSS.astype(np.float64)) / WHITE
    steps = [np.abs(np.diff(ink, axis=axis)).reshape(len(ink), -1) for axis in (1, 2)]
    around = ink[:, :-2, 1:-1] + ink[:, 2:, 1:-1] + ink[:, 1:-1, :-2] + ink[:, 1:-1, 2:]
    curvature = np.abs(4 * ink[:, 1:-1, 1:-1] - around)
    border = ink[:, 0].mean(1) + ink[:, -1].mean(1) + ink[:, :, 0].mean(1) + ink[:, :, -1].mean(1)
    share = ink.mean((1, 2))
    extents = np.sort([(ink > 0.5).any(axis).mean(1) for axis in (1, 2)], axis=0)
    columns = [
        np.log(share + LEAST),
        np.log(sum(step.mean(1) for step in steps) + LEAST),
        np.log(sum((step**2).mean(1) for step in steps) + LEAST),
        np.log(curvature.mean((1, 2)) + LEAST),
        border,
        (ink * (1 - ink)).mean((1, 2)) / (share + LEAST),
        *extents,
        np.asarray(unrest_N, dtype=np.float64),
    ]
    return np.stack(columns, axis=1)


def fit_novelty(training_ND: Array, held_out_ND: Array) -> dict[str, Any]:
    """Return the record that a checkpoint keeps: mean and inverse covariance of drawings' statistics, and two limits.

    At most FALSE_ALARMS of the held-out drawings are beyond one limit or the other.
    """
    covariance = np.cov(training_ND[:, :-1].T)
    covariance += np.diag(RIDGE * np.diag(covariance) + 1e-12)
    record = {"mean": training_ND[:, :-1].mean(0).tolist(), "precision": np.linalg.inv(covariance).tolist()}
    limits = [float(np.quantile(distance_N, 1 - FALSE_ALARMS / 2)) for distance_N in _distances(held_out_ND, record)]
    return record | {"distance_limit": max(limits[0], TINY), "unrest_limit": max(limits[1], TINY)}


def novelty(statistics_ND: Array, record: dict[str, Any]) -> Array:
    """Return how far each image is from known drawings, (N,); above 1 it is unlike any of them.

    It is the distance of the ink's statistics (Mahalanobis 1936) or the unrest of the paper, each divided by its limit,
    whichever is larger.
    """
    distance_N, unrest_N = _distances(statistics_ND, record)
    ratios: Array = np.maximum(distance_N / record["distance_limit"], unrest_N / record["unrest_limit"])
    return ratios


def _distances(statistics_ND: Array, record: dict[str, Any]) -> tuple[Array, Array]:
    """Return the distance of the ink's statistics, and the unrest, which is the last statistic."""
    known = (np.array(record[name]) for name in ("mean", "precision"))
    return mahalanobis(statistics_ND[:, :-1], *known), statistics_ND[:, -1]
