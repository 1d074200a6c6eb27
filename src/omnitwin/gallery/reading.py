"""Read an image file for a gallery: its digest, and unless that is known already, what a network sees of it.

It runs in worker processes and needs no torch. As in images.packing, pixels go through a scratch file, and the facts
are returned as JSON.
"""

import hashlib
from pathlib import Path
from typing import Any

from PIL import Image

from omnitwin.errors import BadImage
from omnitwin.images.facts import problem_of
from omnitwin.images.intake import read_picture
from omnitwin.images.packing import CHANGED, settled_state, state_of
from omnitwin.images.views import Seen, check_seen, prepared, seen
from omnitwin.recipes import View
from omnitwin.system.plain import open_alone, open_named

DIGESTED_AT_ONCE = 1 << 20  # bytes
LARGEST_FILE = 1 << 32  # bytes: a sparse file may claim far more than any disk holds


def read_record(path: str, view: dict[str, Any], scratch: str, offset: int, known: list[str]) -> dict[str, Any]:
    """Read an image file, and write the pixels that a view takes at an offset of a scratch file.

    view: the fields of a recipes.View
    known: digests of files that need not be decoded

    It raises nothing. `problem` is a line that names the file, `unwritten` why the pixels are not
    there; `pixels` tells whether the file was decoded.
    """
    wanted = View(**view)
    before = settled_state(path)
    if before[0] > LARGEST_FILE:
        return {"problem": f"{path} has more than {LARGEST_FILE:,} bytes."}
    try:
        sha256 = _digest(path)
        facts: dict[str, Any] = {"sha256": sha256, "size": before[0], "mtime_ns": before[1], "pixels": False}
        if sha256 not in known:
            size, found = _seen(path, wanted)
            check_seen(found, path, wanted)
            facts |= {
                "pixels": True,
                "width": size[0],
                "height": size[1],
                "unrest": found.unrest,
                "pen": found.pen,
                "findings": found.findings,
            }
    except BadImage as error:
        return {"problem": error.line()}
    except MemoryError as error:
        return {"problem": f"{path} {problem_of(path, error)}."}
    except OSError as error:
        return {"problem": f"{path} cannot be read: {error.strerror or error}."}
    if state_of(path) != before:
        return {"problem": f"{path} {CHANGED}."}
    if facts["pixels"]:
        try:
            with open(scratch, "r+b", buffering=0, opener=open_alone) as file:
                pixels = found.pixels_CHW.tobytes()
                file.seek(offset)
                if file.write(pixels) < len(pixels):
                    return {"unwritten": "No space left on device"}
        except OSError as error:
            return {"unwritten": error.strerror or str(error)}
    return facts


def _seen(path: str, view: View) -> tuple[tuple[int, int], Seen]:
    """Return the size of an upright picture in pixels, width first, and what a network sees of it. Raises BadImage."""

    def take(picture: Image.Image) -> tuple[tuple[int, int], Seen]:
        return picture.size, seen(picture, view)

    return read_picture(Path(path), take, lambda picture: prepared(picture, view))


def _digest(path: str) -> str:
    """Return the SHA-256 of a file, or of what a link to it leads to. Raises OSError."""
    found = hashlib.sha256()
    with open(path, "rb", buffering=0, opener=open_named) as file:
        while part := file.read(DIGESTED_AT_ONCE):
            found.update(part)
    return found.hexdigest()
