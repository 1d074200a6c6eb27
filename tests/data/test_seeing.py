"""Pixels of a store stay right: when views.seen changes what it makes of a picture, stores of before are not used.

The pictures are computed, not drawn by Pillow, and small differences are allowed: other versions of Pillow and other
processors round differently.
"""

import numpy as np
import pytest
from PIL import Image

from omnitwin.data.store import SEEING
from omnitwin.images.views import seen
from omnitwin.recipes import View

KNOWN_SEEING = 3  # the version of which KNOWN are the pixels
ROUNDING = 3  # levels of 255
RENEW = "Raise data.store.SEEING, so that stored pixels are made again, and renew KNOWN and KNOWN_SEEING."
KNOWN = {  # bytes of channels, rows and columns
    "photo": "929292929292d1a72a69d88eda7e2694d463ce5237bdbb3db03458d59628929292929292a6a6a6a6a6a6a3a3a3"
    "a3a3a3313131313131aaaaaaaaaaaaacacacacacaca6a6a6a6a6a69b9b9b9b9b9bd5c7652351b2c76c244bb1dc"
    "65254db3da9c2448afdd9b3e9b9b9b9b9b9b",
    "grey photo": "989898989898b6a87883a99e754f2d527053ad817db1b5889e7d93bea478989898989898",
    "transparent photo": "c4c4c4c4c4c4fde7a6aae195fddda5c3dd6ffbd2aedbc94cf7ccbce8ad3bc4c4c4c4c4c4d4d4d4d4d4d4f7e9d9"
    "c9b9abeecdaa876442f8eadccebfb1f8ebddcfc1b3d4d4d4d4d4d4d9d9d9d9d9d9fdf1be7f7db9fadaa497c5de"
    "f1cab6d4e3a3edd4dfebb34ed9d9d9d9d9d9",
    "whole": "fffffffffffffffffffffcf6f0ebe5e0dad4cec9fcf6f0eb95e0dad4cec9fcc56f6c2e6edad4cec9fcf6f0eb64"
    "e0dad4cec9fcf6f0eb8de0dad4cec9fcf6f0ebe5e0dad4ccc9ffffffffffffffffffff",
    "whole, light on dark": "fffffffffffffffffffffcf6f0ebe5e0dad4cec9fcf6f0eb95e0dad4cec9fcc56f6c2e6edad4cec9fcf6f0eb64"
    "e0dad4cec9fcf6f0eb8de0dad4cec9fcf6f0ebe5e0dad4ccc9ffffffffffffffffffff",
    "ink": "ffffffffffd57affffffffffffffffb71dffffffe1c2c2c2c28c17c3c3e188111111110d03131389ffffffffff"
    "b71dffffffffffffffffb71dffffffffffffffffb71dffffffffffffffffd57affffff",
    "ink, light on dark": "ffffffffffd57affffffffffffffffb71dffffffe1c2c2c2c28c17c3c3e188111111110d03131389ffffffffff"
    "b71dffffffffffffffffb71dffffffffffffffffb71dffffffffffffffffd57affffff",
}


def coloured():
    """Three waves of different lengths, 90 x 60, in red, green and blue."""
    row, column = np.mgrid[:60, :90]
    waves = [np.sin(column / 9 + row / 30), np.cos(row / 7), np.sin((row + column) / 13)]
    return Image.fromarray(np.rint(128 + 100 * np.stack(waves, axis=2)).astype(np.uint8))


def clear():
    """The waves on a transparent ground, in part."""
    picture = coloured()
    picture.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, 90).astype(np.uint8), (60, 1))))
    return picture


def ink():
    """A thick cross on paper whose light falls off, with a speck beside it."""
    row, column = np.mgrid[:100, :160]
    paper = 230 - column / 4
    paper[(abs(row - 45) < 5) & (abs(column - 60) < 35)] = 50
    paper[(abs(column - 70) < 5) & (abs(row - 50) < 28)] = 50
    paper[90:92, 140:142] = 60
    return Image.fromarray(np.rint(paper).astype(np.uint8))


def light_ink():
    """The same drawing, light on dark."""
    return Image.fromarray(255 - np.asarray(ink()))


CASES = {
    "photo": (coloured, View(height=6, width=6, channels=3, frame="photo")),
    "grey photo": (coloured, View(height=6, width=6, frame="photo")),
    "transparent photo": (clear, View(height=6, width=6, channels=3, frame="photo")),
    "whole": (ink, View(height=8, width=10, frame="whole")),
    "whole, light on dark": (light_ink, View(height=8, width=10, frame="whole")),
    "ink": (ink, View(height=8, width=10, frame="ink")),
    "ink, light on dark": (light_ink, View(height=8, width=10, frame="ink")),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_seen_changes_only_with_the_version_that_stores_are_kept_by(case):
    assert SEEING == KNOWN_SEEING, RENEW
    draw, view = CASES[case]
    pixels = seen(draw(), view).pixels_CHW
    known = np.frombuffer(bytes.fromhex(KNOWN[case]), np.uint8).reshape(pixels.shape)
    assert np.abs(pixels.astype(int) - known).max() <= ROUNDING, f"{RENEW} Now: {pixels.tobytes().hex()}"
