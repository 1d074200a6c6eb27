"""Small galleries of drawings for tests, and how they are indexed without other processes."""

import os
import signal
from pathlib import Path

from drawn_places import signature, write

from omnitwin.answers.verifier import open_verifier
from omnitwin.config import IndexConfig
from omnitwin.gallery.index import build, read_gallery
from omnitwin.gallery.reading import read_record


def draw(folder: Path, *names: str) -> Path:
    """Write a drawing of its own to each name below a folder, and return the folder."""
    for name in names:
        write(folder / name, signature(ascii(name)))
    return folder


def index(*places: Path, **options):
    """Index places with the bundled weights, all in this process."""
    how = {name: options.pop(name) for name in ("reporter", "verifier", "save_seconds", "at_once") if name in options}
    how.setdefault("verifier", bundled())
    return build(IndexConfig(places=places, processes=0, **options), **how)


def bundled(known=[]):  # noqa: B006 (opened once)
    if not known:
        known.append(open_verifier("bundled"))
    return known[0]


def names_in(folder: Path) -> list[str]:
    return [item.name for item in read_gallery(folder)[1].items]


def age(path: Path, seconds: float = 100.0) -> None:
    """Let a file be changed earlier than it was."""
    there = path.stat()
    os.utime(path, ns=(there.st_atime_ns, there.st_mtime_ns - int(seconds * 1e9)))


def die_on_b(path, *task):
    """Work for another process, which b.png kills."""
    if os.path.basename(path) == "b.png":
        os.kill(os.getpid(), signal.SIGSEGV)
    return read_record(path, *task)
