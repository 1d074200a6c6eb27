"""Mahalanobis' distance is that of the rows made white."""

import numpy as np

from omnitwin.metrics.distances import mahalanobis


def test_the_distance_is_the_plain_one_of_rows_made_white():
    random = np.random.default_rng(0)
    rows, mean = random.normal(size=(50, 4)), random.normal(size=4)
    root = random.normal(size=(4, 4))
    white = (rows - mean) @ np.linalg.inv(root).T  # of covariance root root^T
    found = mahalanobis(rows, mean, np.linalg.inv(root @ root.T))
    np.testing.assert_allclose(found, np.linalg.norm(white, axis=1), rtol=1e-8)


def test_rounding_makes_no_distance_the_root_of_a_number_below_0():
    assert mahalanobis(np.zeros((1, 2)), np.zeros(2), -np.eye(2)).tolist() == [0.0]
    assert mahalanobis(np.ones((1, 2)), np.zeros(2), -np.eye(2)).tolist() == [0.0]
