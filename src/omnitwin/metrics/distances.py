"""Distances of rows of numbers.

N rows, D numbers
"""

import numpy as np

from omnitwin.metrics.arrays import Array


def mahalanobis(rows_ND: Array, mean_D: Array, precision_DD: Array) -> Array:
    """Return sqrt((x - m) P (x - m)) for each row x, (N,), after Mahalanobis 1936, "On the generalised distance".

    precision_DD: the inverse of the covariance

    >>> mahalanobis(np.array([[3.0, 4.0]]), np.zeros(2), np.eye(2))
    array([5.])
    """
    apart_ND = rows_ND - mean_D
    distance_N: Array = np.sqrt(np.maximum(np.einsum("nd,de,ne->n", apart_ND, precision_DD, apart_ND), 0))
    return distance_N
