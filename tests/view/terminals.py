"""Pretended terminals, and pictures to draw on them."""

import io
import re

from rich.console import Console

from omnitwin.reports.pictures import LabelledPicture, Picture, ScoredPair
from omnitwin.reports.training import PlanReport, StepReport

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Paper(io.TextIOWrapper):
    """What a console writes to, in some encoding; strict, so that a character that does not exist there is an error."""

    def __init__(self, encoding="utf-8"):
        super().__init__(io.BytesIO(), encoding=encoding, write_through=True)

    def text(self):
        return self.buffer.getvalue().decode(self.encoding)

    def lines(self):
        """The lines as they are seen, without escape sequences."""
        return ESCAPE.sub("", self.text()).splitlines()


def terminal(width=80, *, colour=False, encoding="utf-8", **options):
    """A console that writes on Paper; colour means a terminal with 24-bit colour, else it is a pipe."""
    if colour:
        options = {"force_terminal": True, "color_system": "truecolor", **options}
    return Console(file=Paper(encoding), width=width, highlight=False, **options)


def picture(levels=((255, 255), (0, 255)), scale=14):
    """Rows of grey levels, each level a square of scale pixels a side."""
    rows = [bytes(level for level in row for _ in range(scale)) for row in levels]
    return Picture(width=scale * len(levels[0]), height=scale * len(levels), pixels=b"".join(r * scale for r in rows))


def framed(size=28):
    """A picture with ink along its left and right edges alone."""
    row = bytes([0, *[255] * (size - 2), 0])
    return Picture(width=size, height=size, pixels=row * size)


def pair(drawn=None, **fields):
    drawn = drawn or picture()
    labels = {"left_label": "Greek/alpha, drawing 1", "right_label": "Greek/beta, drawing 2"}
    return ScoredPair(**{"left": drawn, "right": drawn, "similar": True, **labels, **fields})


def plan(**fields):
    known = {
        "recipe": "small",
        "encoder": "small",
        "image_size": "28",
        "channels": 1,
        "parameters": 240_609,
        "iterations": 100,
        "first_iteration": 1,
        "batch_size": 8,
        "unit": "pairs",
        "batch_classes": None,
        "pairs_per_iteration": 8,
        "learning_rate": 1e-3,
        "seed": 0,
        "device": "cpu (1 threads)",
        "precision": "fp32",
        "images": 48,
        "classes": 8,
        "dataset": "synthetic/training",
        "held_out": ("Greek", "Latin"),
        "output": "run",
    }
    return PlanReport(**{**known, **fields})


def step(iteration, loss=0.5, elapsed_seconds=None, **fields):
    seconds = iteration / 10 if elapsed_seconds is None else elapsed_seconds
    return StepReport(iteration=iteration, loss=loss, pairs_per_second=80.0, elapsed_seconds=seconds, **fields)


def labelled(picture: Picture, label: str) -> LabelledPicture:
    return LabelledPicture(picture=picture, label=label)
