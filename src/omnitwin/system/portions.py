"""How many images are worked on at once. Imports nothing heavy."""

from collections.abc import Iterator

HANDY = 160  # pixels a side up to which any number of images is: those of the published recipes have 105 or fewer


def images_at_once(most: int, size: int) -> int:
    """Return `most`, or fewer if images have more than HANDY pixels a side, so that memory stays the same; 1 or more.

    A checkpoint says how large its images are, and it may be another person's.
    """
    return max(1, most if size <= HANDY else most * HANDY**2 // size**2)


def portions(count: int, most: int, size: int) -> Iterator[slice]:
    """Yield the slices of `count` images that are worked on at once, in order. None are empty."""
    at_once = images_at_once(most, size)
    for start in range(0, count, at_once):
        yield slice(start, min(start + at_once, count))
