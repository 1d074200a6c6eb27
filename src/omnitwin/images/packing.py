"""Decode an image file once: the pixels that a network sees go into a scratch file, and the facts are returned.

It runs in worker processes and needs no torch. Pixels are large for lines of JSON; a scratch file that both processes
have open costs a copy in memory.
"""

import os
import time
import zlib
from pathlib import Path
from typing import Any

from PIL import Image

from omnitwin.errors import BadImage
from omnitwin.images.facts import Box, ImageFacts, cut_out, facts_of, problem_of
from omnitwin.images.intake import read_picture
from omnitwin.images.views import seen
from omnitwin.metrics.arrays import Array
from omnitwin.recipes import View
from omnitwin.system.plain import open_alone

State = tuple[int, int, int]  # bytes of a file, and when it was changed and its entry was, in nanoseconds
NO_FILE: State = (0, 0, 0)
AGAIN: State = (-1, -1, -1)  # of a file that may be readable the next time: no file has this state
CHANGED = "changed while it was read"
TICK = 0.02  # seconds: a file that is changed twice within a tick of the system's clock may keep its state


def state_of(path: str) -> State:
    """Return what changes when a file is written: as git does, to know it again without reading it."""
    try:
        there = os.stat(path)
    except (OSError, ValueError):
        return NO_FILE
    return there.st_size, there.st_mtime_ns, there.st_ctime_ns


def pack_record(path: str, box: Box | None, view: dict[str, Any], scratch: str, offset: int) -> dict[str, Any]:
    """Decode a file, write the pixels that a view takes at an offset of a scratch file, and return the facts as JSON.

    view: the fields of a recipes.View

    It raises nothing. `state` is the file's, `crc` the CRC-32 of the pixels, and `unwritten` why they are not there.
    """
    wanted = View(**view)
    state = settled_state(path)
    try:
        facts, pixels_CHW = read_picture(Path(path), lambda picture: _both(cut_out(picture, box), wanted))
    except BadImage as error:
        return {"state": state, "problem": problem_of(path, error)}
    except MemoryError as error:
        return {"state": AGAIN, "problem": problem_of(path, error)}
    if state_of(path) != state:
        return {"state": AGAIN, "problem": CHANGED}
    pixels = pixels_CHW.tobytes()
    try:
        with open(scratch, "r+b", buffering=0, opener=open_alone) as file:
            file.seek(offset)
            if file.write(pixels) < len(pixels):
                return {"unwritten": "No space left on device"}
    except OSError as error:
        return {"unwritten": error.strerror or str(error)}
    return {
        "state": state,
        "crc": zlib.crc32(pixels),
        "width": facts.width,
        "height": facts.height,
        "coloured": facts.coloured,
        "ink": facts.ink,
        "blank": facts.blank,
        "digest": facts.digest.hex(),
        "hash": facts.hash,
        "thumb": facts.thumb.hex(),
    }


def seen_of(picture: Image.Image, view: View) -> Array:
    """Return the pixels (C, H, W) uint8 that a network with this view sees."""
    return seen(picture, view).pixels_CHW


def _both(picture: Image.Image, view: View) -> tuple[ImageFacts, Array]:
    return facts_of(picture), seen_of(picture, view)


def settled_state(path: str) -> State:
    """Return a file's state, a moment later if it has just been changed: the next change then has another time."""
    state = state_of(path)
    age = time.time() - max(state[1:]) / 1e9
    if 0 <= age < TICK:
        time.sleep(TICK)
        state = state_of(path)
    return state
