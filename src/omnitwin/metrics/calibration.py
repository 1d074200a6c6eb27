"""Turn a network's logits into calibrated probabilities, and measure how well calibrated they are.

    B score values or bins; similar_B and dissimilar_B count the pairs in each

The prior is 1:1 throughout: similar and dissimilar pairs each have the total weight one half, whatever their numbers.
"""

import math
from typing import Any

import numpy as np

from omnitwin.metrics.arrays import Array

BINS = 15  # of equal width, for the reliability curve and ECE (Guo et al. 2017, sec. 2)
STEPS = 100  # of Newton's method, at most; it takes about 10
DONE = 1e-10  # largest change of a parameter at which the method stops
RIDGE = 1e-9  # keeps a step finite if all logits are equal
STEEPEST, FLATTEST = 1e6, 1e-6  # bounds of 1 / temperature: a fit outside them is refused


def calibrated(score: Any, calibration: dict[str, float] | None) -> Any:
    """Return score / temperature + bias; None returns the score unchanged. score: an array, tensor or number"""
    return score if calibration is None else score / calibration["temperature"] + calibration["bias"]


def equal_weights(similar_B: Array, dissimilar_B: Array) -> tuple[Array, Array]:
    """Return the counts as weights that sum to one half for each kind of pair."""
    return similar_B / similar_B.sum() / 2, dissimilar_B / dissimilar_B.sum() / 2


def fit_calibration(logit_B: Array, similar_B: Array, dissimilar_B: Array) -> dict[str, float] | None:
    """Return the temperature T and bias b that make sigmoid(logit / T + b) the likeliest probability, or None.

    This is logistic regression by Newton's method. Its targets lie slightly inside 0 and 1, so that T stays finite for
    perfectly separated pairs (Platt 1999, "Probabilistic outputs for support vector machines", sec. 2.2). The result is
    None if similar pairs do not score above dissimilar ones, or if 1 / T is out of bounds.
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
            step_2 /= 2  # a whole step can overshoot if scores have long tails
        fitted_2, loss = fitted_2 - step_2, min(loss, there)
        if abs(step_2).max() < DONE:
            break
    slope, bias = fitted_2
    scale = slope / spread
    if not FLATTEST < scale < STEEPEST:
        return None
    return {"temperature": float(1 / scale), "bias": float(bias - scale * middle)}


def _cross_entropy(fitted_2: Array, x_B: Array, weight_B: Array, target_B: Array) -> float:
    """Return the mean cross-entropy of the targets, log(1 + e^z) - target z, without overflow."""
    z_B = fitted_2[0] * x_B + fitted_2[1]
    return float(weight_B @ np.logaddexp(0, z_B) - target_B @ z_B)


def best_threshold(probability_B: Array, similar_B: Array, dissimilar_B: Array) -> float:
    """Return the threshold of the probability with the highest balanced accuracy, midway between two scores.

    It stays a millionth away from 0 and 1, so that its log odds are finite.
    """
    weight_similar_B, weight_dissimilar_B = equal_weights(similar_B, dissimilar_B)
    # gain of accepting bins i and above (i = 0 to B) over accepting nothing
    gain_T = np.concatenate([np.cumsum((weight_similar_B - weight_dissimilar_B)[::-1])[::-1], [0.0]])
    first = int(np.argmax(gain_T))
    below = probability_B[first - 1] if first > 0 else 0.0
    above = probability_B[first] if first < len(probability_B) else 1.0
    return float(min(max((below + above) / 2, 1e-6), 1 - 1e-6))


def reliability(probability_B: Array, similar_B: Array, dissimilar_B: Array) -> tuple[Array, Array, Array]:
    """Return mean probability, share of similar pairs and weight of each bin that has pairs, of BINS of equal width."""
    weight_similar_B, weight_dissimilar_B = equal_weights(similar_B, dissimilar_B)
    weight_B = weight_similar_B + weight_dissimilar_B
    place_B = np.minimum((probability_B * BINS).astype(np.int64), BINS - 1)
    weight = np.bincount(place_B, weights=weight_B, minlength=BINS)
    there = weight > 0
    mean = np.bincount(place_B, weights=weight_B * probability_B, minlength=BINS)[there] / weight[there]
    share = np.bincount(place_B, weights=weight_similar_B, minlength=BINS)[there] / weight[there]
    return mean, share, weight[there]


def expected_calibration_error(probability_B: Array, similar_B: Array, dissimilar_B: Array) -> float:
    """Return the mean of |probability - share of similar pairs| over the bins, by weight (Naeini et al. 2015)."""
    mean, share, weight = reliability(probability_B, similar_B, dissimilar_B)
    return float((np.abs(mean - share) * weight).sum())


def brier_score(probability_B: Array, similar_B: Array, dissimilar_B: Array) -> float:
    """Return the mean squared distance of the probability from 1 for similar pairs, from 0 for others (Brier 1950)."""
    weight_similar_B, weight_dissimilar_B = equal_weights(similar_B, dissimilar_B)
    return float(weight_similar_B @ (1 - probability_B) ** 2 + weight_dissimilar_B @ probability_B**2)


def log_odds(probability: float) -> float:
    """Return the logit whose sigmoid is this probability, above 0 and below 1."""
    return math.log(probability / (1 - probability))


def sigmoid(logit: Array) -> Array:
    """Return 1 / (1 + e^-logit), without overflow."""
    half = np.tanh(np.asarray(logit, dtype=np.float64) / 2)
    result: Array = (1 + half) / 2
    return result
