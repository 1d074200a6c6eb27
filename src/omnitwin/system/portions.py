"""How many images are worked on at once. Imports nothing heavy."""

HANDY = 160  # pixels a side up to which any number of images is: those of the published recipes have 105 or fewer


def images_at_once(most: int, size: int) -> int:
    """Return `most`, or fewer if images have more than HANDY pixels a side, so that memory stays the same; 1 or more.

    A checkpoint says how large its images are, and it may be another person's.
    """
    return most if size <= HANDY else max(1, most * HANDY**2 // size**2)
