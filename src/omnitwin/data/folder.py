"""List the images of a folder, with the classes that its folders or a pattern say.

The class of an image is the folder that directly holds it, at any depth. Where class folders lie in folders of their
own, those are the groups. Folders such as `train`, `val` and `test` at the top are a given split. Links to folders are
not followed, so no circle and no other tree is read; links to files are. Hidden names are passed over. Nothing is
opened, copied or moved.
"""

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from omnitwin.data.listing import (
    SPLITS,
    TRAINING,
    LeftOut,
    ListedFile,
    Listing,
    alike,
    in_order,
)
from omnitwin.errors import BadInput
from omnitwin.images.kinds import is_image_name

NOT_PICTURES = {"__MACOSX", "Thumbs.db", "desktop.ini"}  # that systems leave in folders
DEEPEST = 100  # folders in folders: a deeper tree is made by a program gone wrong, or to do harm
NOT_READ = "may not be read"  # the beginning of a reason
FOLDER_FORM = "Give a folder with a folder of images for each class."


def list_folder(folder: Path, pattern: str | None = None) -> Listing:
    """List the images below a folder.

    pattern: a regular expression that finds the class in a file's path from the folder, written with slashes: its group
    `label`, else its first group, else what it matches. The groups `group`, `source` and `split` are understood, too.
    Python's expressions have no time limit: one with a repeat inside a repeat, such as (a+)+, can take for ever.

    Raises BadInput if the pattern is none, or no image is found.

    >>> list_folder(Path("faces"), r"(?P<label>s\\d+)_(?P<source>cam\\d)").classes
    ('s1', 's2')
    """
    expression = compiled(pattern) if pattern is not None else None
    left_out: list[LeftOut] = []
    names: list[str] = []
    others = 0
    for name, image in walk(folder, left_out):
        if image:
            names.append(name)
        else:
            others += 1
    if not names:
        if left_out and left_out[0].path == ".":
            raise BadInput(f"{folder} {left_out[0].reason}", "Check its permissions.")
        raise BadInput(f"{folder} holds no image files{_why(left_out, others)}", FOLDER_FORM)
    split = _has_split(names, pattern is not None)
    listed = list(_by_pattern(names, expression, split) if expression else _by_folders(names, folder, split))
    files = [each for each in listed if isinstance(each, ListedFile)]
    left_out += [each for each in listed if isinstance(each, LeftOut)]
    if not files:
        raise BadInput(f"the pattern {pattern!r} matches none of the {len(names):,} image files", f"First: {names[0]}")
    return Listing(
        place=folder,
        root=folder,
        files=in_order(files),
        left_out=tuple(sorted(left_out, key=lambda each: each.path)),
        others=others,
        notes=(*_loose(files, folder, pattern), *alike({file.label for file in files})),
    )


def _loose(files: Sequence[ListedFile], folder: Path, pattern: str | None) -> tuple[str, ...]:
    """Return a note on images that lie beside the folders of classes: they are a class of their own."""
    loose = sum("/" not in file.path for file in files)
    if pattern is not None or not 0 < loose < len(files):
        return ()
    lie = "1 image lies" if loose == 1 else f"{loose:,} images lie"
    return (f"{lie} in {folder.name or folder} itself, beside the folders of classes: taken for a class of its own",)


def compiled(pattern: str) -> re.Pattern[str]:
    """Return a pattern for classes. Raises BadInput if it is no regular expression."""
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise BadInput(
            f"{pattern!r} is no regular expression: {error}", r"For example: --label-from '(\d+)_'"
        ) from error


def _why(left_out: Sequence[LeftOut], others: int) -> str:
    """Return why a folder may have no images, for its refusal."""
    if left_out:
        return f" ({left_out[0].path} {left_out[0].reason})"
    return f", but {others:,} of other kinds" if others else ""


def walk(
    folder: Path, left_out: list[LeftOut], skip: Callable[[str], bool] = lambda name: False
) -> Iterator[tuple[str, bool]]:
    """Yield each file below a folder by its path from there, and whether its name is an image's.

    left_out: gets what is neither passed over nor yielded: folders that may not be read, links to folders, pipes
    skip: tells of the path of a file or folder whether it is passed over, as hidden ones are
    """
    waiting = [""]
    while waiting:
        below = waiting.pop()
        try:
            with os.scandir(folder / below) as found:
                entries = list(found)
        except OSError as error:
            left_out.append(LeftOut(path=below or ".", reason=f"{NOT_READ}: {error.strerror or error}"))
            continue
        for entry in entries:
            name = f"{below}/{entry.name}" if below else entry.name
            if entry.name.startswith(".") or entry.name in NOT_PICTURES or skip(name):
                continue
            kind = _kind(entry)
            if kind == "file":
                yield name, is_image_name(entry.name)
            elif kind != "folder":
                left_out.append(LeftOut(path=name, reason=kind))
            elif name.count("/") < DEEPEST:
                waiting.append(name)
            else:
                left_out.append(LeftOut(path=name, reason=f"lies more than {DEEPEST} folders deep"))


def _kind(entry: os.DirEntry[str]) -> str:
    """Return `file`, `folder`, or why an entry is neither."""
    try:
        if entry.is_dir(follow_symlinks=False):
            return "folder"
        if entry.is_file(follow_symlinks=False):
            return "file"
        if not entry.is_symlink():
            return "is a pipe or a device"
        mode = entry.stat().st_mode
        if stat.S_ISDIR(mode):
            return "is a link to a folder, which is not followed"
        return "file" if stat.S_ISREG(mode) else "is a link to a pipe or a device"
    except FileNotFoundError:
        return "is a link that leads to no file"
    except OSError as error:
        return f"{NOT_READ}: {error.strerror or error}"


def _has_split(names: Sequence[str], by_pattern: bool) -> bool:
    """Return whether the folders at the top are a split: one for training and one for another part.

    Without a pattern they have to hold folders of classes, or `train` and `test` are classes themselves.
    """
    deep = 1 if by_pattern else 2
    tops = {name.split("/", 1)[0] for name in names if name.count("/") >= deep}
    found = {SPLITS.get(top.lower()) for top in tops} - {None}
    return TRAINING in found and len(found) > 1


def _by_folders(names: Sequence[str], folder: Path, split: bool) -> Iterator[ListedFile | LeftOut]:
    """Yield each file with the class that its folder says, or why it has none."""
    own = folder.resolve().name or "images"
    for name in names:
        part, inside = _part(name) if split else (None, name)
        above = inside.rpartition("/")[0]
        if split and (part is None or not above):
            where = "lies beside the folders of the split" if part is None else "lies in no folder of a class"
            yield LeftOut(path=name, reason=where)
            continue
        yield ListedFile(path=name, label=above or own, split=part, group=above.rpartition("/")[0] or None)


def _by_pattern(names: Sequence[str], expression: re.Pattern[str], split: bool) -> Iterator[ListedFile | LeftOut]:
    """Yield each file with the class that the pattern finds, or why it has none."""
    for name in names:
        found = expression.search(name)
        values = found.groupdict() if found else {}
        label = values.get("label") or (found and (found[1] if expression.groups else found[0]))
        part = SPLITS.get((values.get("split") or "").lower()) or (_part(name)[0] if split else None)
        if not label:
            yield LeftOut(path=name, reason="does not match the pattern")
        elif part is None and (split or "split" in values):
            yield LeftOut(path=name, reason="is in no part of the split")
        else:
            group, source = values.get("group") or None, values.get("source") or None
            yield ListedFile(path=name, label=label, split=part, group=group, source=source)


def _part(name: str) -> tuple[str | None, str]:
    """Return the part of the split that the folder at the top names, and the path inside it."""
    top, _, inside = name.partition("/")
    return (SPLITS.get(top.lower()), inside) if inside else (None, name)
