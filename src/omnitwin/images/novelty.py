"""Measure how unlike any drawing an image is, by a few plain statistics of its ink, its paper and its pen.

    statistics_of(images)             # of Seen images, by what intake found
    novelty(statistics_ND, record) > 1   # unlike: the record is a checkpoint's, fitted by training.novelty

A small network tells drawings, however seen, from pictures of things (images.things) by these statistics. What else
is no drawing resembles things more than drawings: Hendrycks, Mazeika, Dietterich 2019, "Deep anomaly detection with
outlier exposure" (https://arxiv.org/abs/1812.04606).

N images, S pixels a side of the square that the network sees, D statistics, U hidden units
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from omnitwin.images.framing import WHITE
from omnitwin.images.views import Seen
from omnitwin.metrics.arrays import Array
from omnitwin.metrics.distances import mahalanobis
from omnitwin.system.portions import portions

LEAST = 1e-3  # of full ink or of unrest, added before a logarithm
CLIP = 6.0  # spreads: a statistic further from those of drawings counts as this far
MOST = 700.0  # beyond which an exponential is no number
OLDER = 8  # statistics of the ink, by which records up to version 6 of a checkpoint know drawings, with the unrest


def statistics_of(images: Sequence[Seen]) -> Array:
    """Return the statistics (N, D) float64 of images that were read for the frame `ink`."""
    squares_NSS = np.stack([image.pixels_CHW[0] for image in images])
    parts = portions(len(squares_NSS), len(squares_NSS), squares_NSS.shape[-1])
    ink_NK = np.concatenate([_of_ink(squares_NSS[part]) for part in parts])
    unrest_N1 = np.array([[image.unrest] for image in images])
    return np.concatenate([ink_NK, unrest_N1, np.array([image.pen for image in images])], axis=1)


def _of_ink(squares_NSS: Array) -> Array:
    """Return statistics of squares (uint8, paper 255), (N, OLDER).

    They are the logarithms of the mean ink, of its steps (sums of the differences of neighbours, and of their squares)
    and of its curvature; the ink along the border, the share of grey, and the extents of the ink.
    """
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
    ]
    return np.stack(columns, axis=1)


def logged(statistics_ND: Array) -> Array:
    """Return statistics with the logarithm of the unrest in its place: what the record's network is trained on."""
    logged_ND = statistics_ND.copy()
    logged_ND[:, OLDER] = np.log(statistics_ND[:, OLDER] + LEAST)
    return logged_ND


def standardised(logged_ND: Array, record: dict[str, Any]) -> Array:
    """Return the network's input: statistics by the mean and the spread of drawings, limited to CLIP."""
    apart_ND: Array = (logged_ND - np.array(record["mean"])) / np.array(record["spread"])
    return apart_ND.clip(-CLIP, CLIP)


def score(statistics_ND: Array, record: dict[str, Any]) -> Array:
    """Return the log odds (N,) that images show things and no drawing."""
    input_ND = standardised(logged(statistics_ND), record)
    hidden_NU = np.tanh(input_ND @ np.array(record["weights"]).T + np.array(record["biases"]))
    scores_N: Array = hidden_NU @ np.array(record["head"]) + record["bias"]
    return scores_N


def novelty(statistics_ND: Array, record: dict[str, Any]) -> Array:
    """Return how far each image is from known drawings, (N,); above 1 it is unlike any of them.

    It is the odds that the image shows a thing, as a multiple of the odds at the record's limit. A record of an older
    checkpoint gives the distance of the ink's statistics (Mahalanobis 1936) or the unrest of the paper, each divided by
    its limit, whichever is larger.
    """
    if "precision" in record:
        distance_N = mahalanobis(statistics_ND[:, :OLDER], np.array(record["mean"]), np.array(record["precision"]))
        unrest_N = statistics_ND[:, OLDER]
        ratio_N: Array = np.maximum(distance_N / record["distance_limit"], unrest_N / record["unrest_limit"])
        ratio_N = np.nan_to_num(ratio_N, nan=np.finfo(np.float64).max)
    else:
        ratio_N = np.exp(np.clip(score(statistics_ND, record) - record["limit"], -MOST, MOST))
    return ratio_N
