"""The synthetic sets drawn once for all tests of a process: each of them is the same whenever it is drawn."""

from functools import cache

import pytest

from omnitwin.data import synthetic
from omnitwin.data.packed import PackedSet

DRAW = synthetic.draw_set


@cache
def _drawn(subset: str, alphabets: int, characters: int, drawers: int, size: int, seed: int) -> PackedSet:
    return DRAW(subset, alphabets=alphabets, characters=characters, drawers=drawers, size=size, seed=seed)


def draw_once(patch: pytest.MonkeyPatch) -> None:
    """Have synthetic.draw_set return a set that was drawn before. Nobody changes a set."""

    def draw_set(subset, *, alphabets=None, characters=None, drawers=synthetic.DRAWERS, size=synthetic.SIZE, seed=0):
        if subset not in synthetic.ALPHABETS:
            return DRAW(subset, alphabets=alphabets, characters=characters, drawers=drawers, size=size, seed=seed)
        alphabets = synthetic.ALPHABETS[subset] if alphabets is None else alphabets
        characters = synthetic.CHARACTERS if characters is None else characters
        return _drawn(subset, alphabets, characters, drawers, size, seed)

    patch.setattr(synthetic, "draw_set", draw_set)
