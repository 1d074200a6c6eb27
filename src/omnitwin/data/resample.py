"""One way of scaling an image, for a whole data set and for a single file: each new pixel averages what it covers."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
BLOCK = 1024  # images scaled at a time, which bounds the memory for their floats


def coverage(source: int, target: int) -> Array:
    """(target, source) float32: the share of each target cell that each source pixel covers; rows sum to 1."""
    edges, pixel = np.linspace(0, source, target + 1), np.arange(source)
    overlap = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    shares: Array = (overlap.clip(0) * target / source).astype(np.float32)
    return shares


def area_resize(images_NHW: Array, height: int, width: int) -> Array:
    """Images (N, H, W) of grey levels from 0 to 255 as (N, height, width) uint8, by area averaging."""
    rows, columns = coverage(images_NHW.shape[1], height), coverage(images_NHW.shape[2], width).T
    blocks = [
        np.rint(rows @ images_NHW[start : start + BLOCK].astype(np.float32) @ columns).astype(np.uint8)
        for start in range(0, len(images_NHW), BLOCK)
    ]
    return np.concatenate(blocks)
