"""Choose the recipe that suits somebody's own images, by how some of them look: ink on paper, or photos."""

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from omnitwin.config import SourceConfig
from omnitwin.data.describe import COLOUR, INK, examined, look_of
from omnitwin.data.listing import Listing
from omnitwin.data.places import list_images
from omnitwin.errors import BadInput
from omnitwin.images.facts import ImageFacts, cut_out
from omnitwin.images.framing import ink_boxes
from omnitwin.images.intake import read_picture
from omnitwin.images.views import seen
from omnitwin.recipes import Recipe, recipe_called, square
from omnitwin.reports.progress import SILENT, Reporter

MEASURED = 40  # images whose ink is measured
MEASURE = square(128, "ink")  # the view in which it is
LOOKED_AT = 200  # images, evenly spaced in the listing: the share of a kind is known to some percent
FOR_INK, FOR_PHOTOS = "ink", "photo"  # recipes
WIDEST = 4.0  # by how much one side of what the network sees may be longer than the other
STEP = 8  # pixels: sides are multiples of it, so that three halvings lose nothing


def fitted_recipe(
    place: Path, source: SourceConfig, name: str | None, changes: Mapping[str, Any], reporter: Reporter = SILENT
) -> Recipe:
    """Return a published recipe with changes, fitted to the images of a folder or table. A note says how.

    name: of the recipe; None: `ink` for ink on paper, else `photo`
    changes: values by field; what they say is not fitted

    Raises BadInput if none of the images can be read, or if a change has no effect on them.

    >>> fitted_recipe(Path("signatures"), SourceConfig(), None, {}).network.view
    View(height=32, width=88, channels=1, frame='ink')
    """
    check_own(changes)
    some, facts = _some_facts(place, source, reporter)
    look = look_of(facts)
    recipe = recipe_called(name or (FOR_INK if look == INK else FOR_PHOTOS))
    fitted = recipe.changed(**{**_fields(recipe, look, some, changes), **changes})
    if recipe.name in (FOR_INK, FOR_PHOTOS):
        view = fitted.network.view
        colours = "colours" if view.channels == 3 else "grey"
        reporter.note(
            f"{place} looks like {look}: recipe {fitted.name}, {view.height} x {view.width} pixels in {colours}. "
            f"To overrule: --recipe, --image-size, --override channels={1 if view.channels == 3 else 3}."
        )
    return fitted


def check_own(changes: Mapping[str, Any]) -> None:
    """Raise BadInput for a change of a recipe that has no effect on somebody's own images."""
    if "holdout" in changes:
        raise BadInput(
            "--holdout has no effect on images of your own: their split says which classes are held out",
            "Leave it out. To choose them: a folder called held-out, or the column split of a table.",
        )


def _some_facts(place: Path, source: SourceConfig, reporter: Reporter) -> tuple[Listing, list[ImageFacts]]:
    """Return some files that can be read, and what is known of them."""
    listing = list_images(place, source.pattern)
    step = max(1, len(listing.files) // LOOKED_AT)
    some = replace(listing, files=listing.files[::step])
    found = list(examined(some, reporter))
    facts = [each for each in found if each.problem is None]
    if not facts:
        raise BadInput(
            f"none of {len(found):,} images of {place} can be read: {some.files[0].path} {found[0].problem}",
            f"See what is there: omnitwin show --data {place}",
        )
    files = [file for file, each in zip(some.files, found, strict=True) if each.problem is None]
    return replace(some, files=tuple(files)), facts


def _fields(recipe: Recipe, look: str, some: Listing, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the network that the images decide."""
    if recipe.name == FOR_PHOTOS:
        return {"channels": 3 if look == COLOUR else 1}
    if recipe.name != FOR_INK or {"image_size", "image_width"} & changes.keys():
        return {}
    view = recipe.network.view
    height, width = sides_of(math.sqrt(view.height * view.width), aspect_of_ink(some))
    return {"image_size": height, "image_width": width}


def aspect_of_ink(some: Listing) -> float:
    """Return the median width by height of the box around the ink in some files: the paper around it may be square."""
    boxes = []
    for file in some.files[:: -(-len(some.files) // MEASURED)]:
        picture = read_picture(some.location(file), partial(cut_out, box=file.box))
        boxes.append(ink_boxes(seen(picture, MEASURE).pixels_CHW)[0])
    top_N, bottom_N, left_N, right_N = np.stack(boxes).T
    return float(np.median((right_N - left_N) / (bottom_N - top_N)))


def sides_of(size: float, aspect: float) -> tuple[int, int]:
    """Return height and width with this aspect (width by height) and about size x size pixels.

    >>> sides_of(48, 4.0)
    (24, 96)
    """
    stretch = math.sqrt(min(WIDEST, max(1 / WIDEST, aspect)))
    height, width = (max(STEP, round(side / STEP) * STEP) for side in (size / stretch, size * stretch))
    return height, width
