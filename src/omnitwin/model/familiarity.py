"""Know images unlike those that a network was trained for, by what the network makes of them, without torch.

    record = fit_familiarity(training, held_out)             # at the end of training
    novelty_of(traits(features_BD, pixels_BCHW, record), record) > 1   # when it answers

The distance is Mahalanobis' of a few traits from those of held-out images, after Lee et al. 2018, "A simple unified
framework for detecting out-of-distribution samples and adversarial attacks" (https://arxiv.org/abs/1807.03888), with
one Gaussian for all classes: the classes that are asked about were never seen. Its traits are the features' length,
their first principal directions and what these leave over, and how rough, light and coloured the pixels are.

B images, D features, K directions, T traits, C channels, H x W pixels
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from omnitwin.metrics.arrays import Array, rounded
from omnitwin.metrics.distances import mahalanobis

DIRECTIONS = 8  # principal; more take more images to know their spread
FALSE_ALARMS = 0.001  # share of familiar images beyond the limit; of pairs of simulated new classes about 1 %
SHRINK = 0.05  # of each trait's variance, added to the covariance
LEAST = 1e-3  # added before a logarithm; of the whole range of grey, or of a typical length
TINY = 1e-9


@dataclass(frozen=True, eq=False, kw_only=True)
class Looked:
    """Images as a network sees them, and its features of them before they are scaled to length 1.

    pixels_BCHW: uint8
    class_B: of each image
    kind_B: of each image, such as its variation; none of them may be refused often
    """

    features_BD: Array
    pixels_BCHW: Array
    class_B: Array
    kind_B: Array


def fit_familiarity(training: Looked, held_out: Looked) -> dict[str, Any] | None:
    """Return the record that a checkpoint keeps, plain JSON; None if numbers are not finite or classes too few.

    Training images give the directions, both together the spread, and held-out images the middle and the limit: each
    half of their classes is judged by a fit without it, and of no kind of them are more than FALSE_ALARMS beyond.
    """
    classes = np.unique(held_out.class_B)
    finite = all(np.isfinite(each.features_BD).all() for each in (training, held_out))
    if len(classes) < 4 or len(training.features_BD) < 2 * DIRECTIONS or not finite:
        return None
    length_B, unit_BD = _lengths(training.features_BD)
    middle_D = unit_BD.mean(0)
    _, _, directions_DD = np.linalg.svd(unit_BD - middle_D, full_matrices=False)
    record: dict[str, Any] = {
        "middle": rounded(middle_D),
        "directions": rounded(directions_DD[:DIRECTIONS]),
        "length": float(np.exp(np.log(length_B + TINY).mean())),
    }
    known_BT, held_BT = (traits(each.features_BD, each.pixels_BCHW, record) for each in (training, held_out))
    distance_B = np.empty(len(held_BT))
    half_B = np.isin(held_out.class_B, classes[::2])
    for judged_B in (half_B, ~half_B):
        distance_B[judged_B] = _distance(held_BT[judged_B], _gaussian(known_BT, held_BT[~judged_B]))
    limit = limit_of(distance_B, held_out.kind_B, held_out.class_B)
    return record | _gaussian(known_BT, held_BT) | {"limit": limit}


def limit_of(distance_B: Array, kind_B: Array, class_B: Array) -> float:
    """Return the distance that at most FALSE_ALARMS of the images of each kind are beyond, also of new classes.

    Of few images a quantile says little. So it is no less than the upper bound of a prediction interval of the
    logarithm, with a random effect of the class: images of a class are alike. Satterthwaite 1946, "An approximate
    distribution of estimates of variance components", gives Student's degrees of freedom.
    """
    bounds = []
    for kind in np.unique(kind_B):
        log_b = np.log(distance_B[kind_B == kind] + TINY)
        _, place_b = np.unique(class_B[kind_B == kind], return_inverse=True)
        count_C = np.bincount(place_b).astype(np.float64)
        mean_C = np.bincount(place_b, weights=log_b) / count_C
        images, classes = len(log_b), len(count_C)
        free = max(1, images - classes)
        within = float(((log_b - mean_C[place_b]) ** 2).sum()) / free if images > classes else 0.0
        between = float(mean_C.var(ddof=1)) if classes > 1 else 0.0
        between = max(0.0, between - within * float((1 / count_C).mean()))
        parts = between**2 / max(1, classes - 1) + within**2 / free
        t = _student(1 - FALSE_ALARMS, (between + within) ** 2 / parts if parts else 1.0)
        spread = math.sqrt(between * (1 + 1 / classes) + within * (1 + 1 / images))
        bounds.append(max(float(log_b.mean()) + t * spread, float(np.quantile(log_b, 1 - FALSE_ALARMS))))
    return max(math.exp(min(max(bounds), 100.0)), TINY)


def traits(features_BD: Array, pixels_BCHW: Array, record: dict[str, Any]) -> Array:
    """Return the traits (B, T) float64 of images, from a network's features of them and their pixels (uint8)."""
    length_B, unit_BD = _lengths(features_BD)
    apart_BD = unit_BD - np.array(record["middle"])
    directions_KD = np.array(record["directions"])
    along_BK = apart_BD @ directions_KD.T
    left_B = np.sqrt(np.maximum((apart_BD**2).sum(1) - (along_BK**2).sum(1), 0))
    columns = [np.log(length_B / record["length"] + LEAST), left_B, *along_BK.T, *_of_pixels(pixels_BCHW)]
    found: Array = np.stack(columns, axis=1)
    return found


def novelty_of(traits_BT: Array, record: dict[str, Any]) -> Array:
    """Return the distance (B,) from familiar images; above 1 an image is unlike all of them."""
    with np.errstate(all="ignore"):
        ratio_B: Array = _distance(traits_BT, record) / record["limit"]
    return np.where(np.isfinite(ratio_B), ratio_B, np.finfo(np.float64).max)


def _lengths(features_BD: Array) -> tuple[Array, Array]:
    """Return the features' lengths (B,), and the features scaled to length 1, float64."""
    features = features_BD.astype(np.float64)
    length_B = np.sqrt((features**2).sum(1))
    return length_B, features / np.maximum(length_B, 1e-12)[:, None]


def _of_pixels(pixels_BCHW: Array) -> list[Array]:
    """Return logarithms of contrast, steps, squared steps and curvature; and mean grey, and in colour the chroma."""
    pixels = pixels_BCHW.astype(np.float32) / np.float32(255)
    grey_BHW = pixels.mean(1)
    across, down = (np.diff(grey_BHW, axis=axis).reshape(len(grey_BHW), -1) for axis in (1, 2))
    around = grey_BHW[:, :-2, 1:-1] + grey_BHW[:, 2:, 1:-1] + grey_BHW[:, 1:-1, :-2] + grey_BHW[:, 1:-1, 2:]
    curvature_B = np.abs(4 * grey_BHW[:, 1:-1, 1:-1] - around).mean((1, 2))
    measured = [
        grey_BHW.std((1, 2)),
        np.abs(across).mean(1) + np.abs(down).mean(1),
        (across**2).mean(1) + (down**2).mean(1),
        curvature_B,
    ]
    columns = [np.log(each.astype(np.float64) + LEAST) for each in measured]
    columns.append(grey_BHW.mean((1, 2)).astype(np.float64))
    if pixels.shape[1] > 1:
        chroma_B = (pixels.max(1) - pixels.min(1)).mean((1, 2))
        columns.append(np.log(chroma_B.astype(np.float64) + LEAST))
    return columns


def _gaussian(known_BT: Array, held_BT: Array) -> dict[str, Any]:
    """Return the middle of held-out traits, and the inverse of the mean covariance of them and of those trained on."""
    covariance = (np.cov(known_BT.T) + np.cov(held_BT.T)) / 2
    covariance += np.diag(SHRINK * np.diag(covariance) + 1e-6)
    return {"mean": rounded(held_BT.mean(0)), "precision": rounded(np.linalg.inv(covariance))}


def _distance(traits_BT: Array, record: dict[str, Any]) -> Array:
    return mahalanobis(traits_BT, np.array(record["mean"]), np.array(record["precision"]))


def _student(share: float, degrees: float) -> float:
    """Return the quantile of Student's t, by its expansion about the normal one (Abramowitz and Stegun 26.7.5)."""
    z = NormalDist().inv_cdf(share)
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / degrees + second / degrees**2 + third / degrees**3
