"""From a network's logits to probabilities that mean what they say, and how far they are from it.

    B score values or bins; similar_B and dissimilar_B count the pairs in each

The prior is 1:1 throughout: both kinds of pair weigh one half in all, however many there are of each.
"""

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

BINS = 15  # of equal width, for the reliability curve and ECE (Guo et al. 2017, sec. 2)
STEPS = 100  # of Newton's method; it settles in about 10
DONE = 1e-10  # largest change that is no longer worth a step
RIDGE = 1e-9  # keeps a step finite where all logits are equal
STEEPEST, FLATTEST = 1e6, 1e-6  # of 1 / temperature: scores that ask for more are no logits any more


def calibrated(score: Any, calibration: dict[str, float] | None) -> Any:
    """The logit (array, tensor or number) whose sigmoid is the probability to tell; None leaves a score as it is."""
    return score if calibration is None else score / calibration["temperature"] + calibration["bias"]


def equal_weights(similar_B: Array, dissimilar_B: Array) -> tuple[Array, Array]:
    """The counts as weights that sum to one half for each kind."""
    return similar_B / similar_B.sum() / 2, dissimilar_B / dissimilar_B.sum() / 2


def fit_calibration(logit_B: Array, similar_B: Array, dissimilar_B: Array) -> dict[str, float] | None:
    """Temperature T and bias b for which sigmoid(logit / T + b) is the likeliest probability; None where none helps.

    Logistic regression by Newton's method, on targets drawn in a little from 0 and 1 so that perfectly separated pairs
    stay finite (Platt 1999, "Probabilistic outputs for support vector machines", sec. 2.2). None: similar pairs do not
    score above dissimilar ones, or T would be beyond all measure.
    """
    similar, dissimilar = float(similar_B.sum()), float(dissimilar_B.sum())
    weight_similar_B, weight_dissimilar_B = equal_weights(similar_B, dissimilar_B)
    weight_B = weight_similar_B + weight_dissimilar_B
    high, low = (similar + 1) / (similar + 2), 1 / (dissimilar + 2)
    target_B = high * weight_similar_B + low * weight_dissimilar_B
    middle, spread = float(logit_B @ weight_B), float(np.sqrt((logit_B - logit_B @ weight_B) ** 2 @ weight_B))
    if spread == 0 or not np.isfinite(spread):
        return None
    x_B = (logit_B - middle) / spread
    fitted_2 = np.array([1.0, 0.0])  # slope and bias
    loss = _cross_entropy(fitted_2, x_B, weight_B, target_B)
    for _ in range(STEPS):
        p_B = sigmoid(fitted_2[0] * x_B + fitted_2[1])
        error_B, curvature_B = weight_B * p_B - target_B, weight_B * p_B * (1 - p_B)
        gradient_2 = np.array([error_B @ x_B, error_B.sum()])
        off = curvature_B @ x_B
        hessian_22 = np.array([[curvature_B @ x_B**2 + RIDGE, off], [off, curvature_B.sum() + RIDGE]])
        step_2 = np.linalg.solve(hessian_22, gradient_2)
        while (there := _cross_entropy(fitted_2 - step_2, x_B, weight_B, target_B)) > loss and abs(step_2).max() > DONE:
            step_2 /= 2  # a whole step can lead too far where scores have long tails
        fitted_2, loss = fitted_2 - step_2, min(loss, there)
        if abs(step_2).max() < DONE:
            break
    slope, bias = fitted_2
    scale = slope / spread
    if not FLATTEST < scale < STEEPEST:
        return None
    return {"temperature": float(1 / scale), "bias": float(bias - scale * middle)}


def _cross_entropy(fitted_2: Array, x_B: Array, weight_B: Array, target_B: Array) -> float:
    """Mean cross-entropy of the targets; log(1 + e^z) - target z, without overflow."""
    z_B = fitted_2[0] * x_B + fitted_2[1]
    return float(weight_B @ np.logaddexp(0, z_B) - target_B @ z_B)


def best_threshold(probability_B: Array, similar_B: Array, dissimilar_B: Array) -> float:
    """The probability from which accepting pairs gives the highest balanced accuracy; midway between two scores.

    Kept a millionth away from 0 and 1, so that its log odds stay finite.
    """
    weight_similar_B, weight_dissimilar_B = equal_weights(similar_B, dissimilar_B)
    # accepting from bin i on (i = 0 to B): what is gained over accepting nothing
    gain_T = np.concatenate([np.cumsum((weight_similar_B - weight_dissimilar_B)[::-1])[::-1], [0.0]])
    first = int(np.argmax(gain_T))
    below = probability_B[first - 1] if first > 0 else 0.0
    above = probability_B[first] if first < len(probability_B) else 1.0
    return float(min(max((below + above) / 2, 1e-6), 1 - 1e-6))


def reliability(probability_B: Array, similar_B: Array, dissimilar_B: Array) -> tuple[Array, Array, Array]:
    """Mean probability, share of similar pairs and weight of each of BINS bins of equal width, empty ones left out."""
    weight_similar_B, weight_dissimilar_B = equal_weights(similar_B, dissimilar_B)
    weight_B = weight_similar_B + weight_dissimilar_B
    place_B = np.minimum((probability_B * BINS).astype(np.int64), BINS - 1)
    weight = np.bincount(place_B, weights=weight_B, minlength=BINS)
    there = weight > 0
    mean = np.bincount(place_B, weights=weight_B * probability_B, minlength=BINS)[there] / weight[there]
    share = np.bincount(place_B, weights=weight_similar_B, minlength=BINS)[there] / weight[there]
    return mean, share, weight[there]


def expected_calibration_error(probability_B: Array, similar_B: Array, dissimilar_B: Array) -> float:
    """Mean distance of probability and share of similar pairs over the bins, by weight (Naeini et al. 2015)."""
    mean, share, weight = reliability(probability_B, similar_B, dissimilar_B)
    return float((np.abs(mean - share) * weight).sum())


def brier_score(probability_B: Array, similar_B: Array, dissimilar_B: Array) -> float:
    """Mean squared distance of the probability from 1 for similar pairs and 0 for others (Brier 1950)."""
    weight_similar_B, weight_dissimilar_B = equal_weights(similar_B, dissimilar_B)
    return float(weight_similar_B @ (1 - probability_B) ** 2 + weight_dissimilar_B @ probability_B**2)


def log_odds(probability: float) -> float:
    """Return the logit whose sigmoid is this probability, above 0 and below 1."""
    return math.log(probability / (1 - probability))


def sigmoid(logit: Array) -> Array:
    """1 / (1 + e^-logit), without overflow."""
    half = np.tanh(np.asarray(logit, dtype=np.float64) / 2)
    result: Array = (1 + half) / 2
    return result
