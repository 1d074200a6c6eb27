"""Folders of drawn pictures for tests of galleries: things that look alike, copies, and files that are no images."""

import os
import shutil

import numpy as np
from PIL import Image, ImageDraw

THINGS = ("arch", "bow", "star", "wave")


def drawing(thing, variant, side=105):
    """A thing as strokes on paper; variants of a thing differ by a few pixels."""
    corners = np.random.default_rng(100 + THINGS.index(thing)).integers(15, 90, (5, 2))
    moved = corners + np.random.default_rng(variant).integers(-2, 3, (5, 2)) * (variant > 0)
    image = Image.new("L", (105, 105), 255)
    ImageDraw.Draw(image).line([tuple(map(int, corner)) for corner in moved], fill=0, width=4)
    return image.resize((side, side))


def folder_of_things(root, variants=3, things=THINGS):
    """root/THING/VARIANT.png"""
    for thing in things:
        (root / thing).mkdir(parents=True)
        for variant in range(variants):
            path = root / thing / f"{variant}.png"
            drawing(thing, variant).save(path)
            os.utime(path, (1e9 + variant, 1e9 + variant))  # variant 0 is the oldest
    return root


def copied(source, target):
    """A file with the same bytes and the same time."""
    target.parent.mkdir(parents=True, exist_ok=True)
    return shutil.copy2(source, target)
