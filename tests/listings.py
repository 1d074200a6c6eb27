"""Listings of files that are not there: for what reads no image."""

from pathlib import Path

from omnitwin.data.listing import ListedFile, Listing, in_order


def names(count):
    return [f"class {index}" for index in range(count)]


def listing(counts, groups=None, splits=None):
    """So many files of each class."""
    files = [
        ListedFile(
            path=f"{label}/{index}.jpg",
            label=label,
            group=(groups or {}).get(label),
            split=splits and splits(label, index),
        )
        for label, count in counts.items()
        for index in range(count)
    ]
    return Listing(place=Path("place"), root=Path("place"), files=in_order(files))
