"""Scale images by area averaging, the same for a data set and a file: each new pixel averages what it covers."""

import numpy as np

from omnitwin.metrics.arrays import Array

BLOCK = 1024  # images scaled at a time, which bounds the memory for their floats


def window_coverage(start_N: Array, length_N: Array, source: int, target: int) -> Array:
    """Return the share of each target cell that each source pixel covers, (N, target, source) float32.

    The target cells divide a window with this start and length in source pixels. Where the window reaches beyond the
    source, the shares of a cell sum to less than 1.
    """
    edges_NT = start_N[:, None] + length_N[:, None] * (np.arange(target + 1) / target)
    pixel = np.arange(source)
    overlap = np.minimum(edges_NT[:, 1:, None], pixel + 1) - np.maximum(edges_NT[:, :-1, None], pixel)
    shares: Array = (overlap.clip(0) * (target / length_N)[:, None, None]).astype(np.float32)
    return shares


def area_resize(images_NHW: Array, height: int, width: int) -> Array:
    """Return images (N, H, W) of grey levels from 0 to 255 as (N, height, width) uint8, by area averaging."""
    rows, columns = (
        _whole(source, target) for source, target in zip(images_NHW.shape[1:], (height, width), strict=True)
    )
    blocks = [
        np.rint(rows @ images_NHW[start : start + BLOCK].astype(np.float32) @ columns.T).astype(np.uint8)
        for start in range(0, len(images_NHW), BLOCK)
    ]
    return np.concatenate(blocks)


def _whole(source: int, target: int) -> Array:
    shares: Array = window_coverage(np.zeros(1), np.full(1, float(source)), source, target)[0]
    return shares
