"""Images that cost time or memory (tests/costly.py): answered or refused within five seconds, and in one line."""

from pathlib import Path
from random import Random

from costly import COSTLY, written
from harness import Case
from PIL import Image, ImageDraw

SECONDS = 5.0


def costly_case(random: Random, folder: Path) -> Case:
    """A costly image against a drawing, or among those of a ranking, which leaves it out."""
    drawing, costly = folder / "drawing.png", folder / "costly.png"
    picture = Image.new("1", (105, 105), 1)
    ImageDraw.Draw(picture).rectangle((45, 20, 60, 85), fill=0)
    drawing.write_bytes(written(picture, "PNG"))
    costly.write_bytes(COSTLY[random.choice(sorted(COSTLY))](random))
    if random.random() < 0.7:
        pair = [str(costly), str(drawing)]
        random.shuffle(pair)
        return Case(words=("compare", "--quiet", *pair), codes=(0, 1, 2, 4), seconds=SECONDS)
    other = folder / "other.png"
    other.write_bytes(drawing.read_bytes())
    words = ("compare", str(drawing), str(other), str(costly))
    return Case(words=words, codes=(0,), several=True, seconds=SECONDS)
