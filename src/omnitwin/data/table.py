"""A table of images: CSV or TSV, a line for each image, with its path and its class.

    path,label,split,group,source
    a/1.jpg,a,train,dairy,camera 1

Columns may be called otherwise (COLUMNS) and lie in any order; others are ignored. open-metric-learning's tables (its
documentation, "Dataset format") are understood as they are, with their boxes and categories. Relative paths lead from
the table's folder.
"""

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from omnitwin.data.listing import LeftOut, ListedFile, Listing, in_order, split_of
from omnitwin.errors import BadInput

COLUMNS = {  # names of each column, the preferred one first
    "path": ("path", "image", "image_path", "file", "file_path", "filepath", "filename", "file_name", "img"),
    "label": ("label", "class", "class_name", "identity", "target", "person", "id", "category"),
    "split": ("split", "set", "subset", "part", "partition", "fold"),
    "group": ("group", "category", "supercategory", "super_class", "superclass", "family"),
    "source": ("source", "camera", "session", "drawer", "sequence", "device"),
}
BOX = ("x_1", "y_1", "x_2", "y_2")  # of open-metric-learning, in pixels
SUFFIXES = {".csv", ".tsv", ".txt"}  # of tables
SEPARATORS = "\t;,|"
SHOWN = 5  # columns in a message
MOST_CHARACTERS = 1 << 16  # of a field


def is_table(place: Path) -> bool:
    """Return whether a file is a table by its name."""
    return place.suffix.lower() in SUFFIXES


def list_table(place: Path) -> Listing:
    """List the images of a table. Raises BadInput if it has no columns of paths and classes, or no line with both.

    >>> list_table(Path("products.csv")).classes
    ('juice', 'milk')
    """
    left_out: list[LeftOut] = []
    try:
        with place.open(encoding="utf-8-sig", newline="") as file:
            files = list(_files(place, file.read().splitlines(keepends=True), left_out))
    except UnicodeDecodeError as error:
        raise BadInput(f"{place} is not UTF-8 text: {error}", "Save the table as UTF-8.") from error
    except csv.Error as error:
        raise BadInput(f"{place} is no table: {error}", "Give a CSV or TSV with the columns path and label.") from error
    except OSError as error:
        raise BadInput(f"{place} cannot be read: {error.strerror or error}", "") from error
    if not files:
        why = f": {left_out[0].path} {left_out[0].reason}" if left_out else ""
        raise BadInput(f"{place} lists no images{why}", "Give a line for each image, with its path and its label.")
    return Listing(place=place, root=place.parent, files=in_order(files), left_out=tuple(left_out))


def _files(place: Path, lines: Sequence[str], left_out: list[LeftOut]) -> Iterator[ListedFile]:
    """Yield the images of a table's lines, and note the lines without one."""
    if not lines:
        raise BadInput(f"{place} is an empty file", "Give a CSV or TSV with the columns path and label.")
    separator = max(SEPARATORS, key=lines[0].count)
    rows = csv.reader(lines, delimiter=separator, strict=True)
    header = [name.strip().lower() for name in next(rows)]
    columns = _columns(place, header)
    boxed = all(name in header for name in BOX)
    for row in rows:
        if not any(value.strip() for value in row):
            continue
        values = {field: row[index].strip() for field, index in columns.items() if index < len(row)}
        line = f"line {rows.line_num}"
        if not values.get("path") or not values.get("label"):
            left_out.append(LeftOut(path=line, reason="has no path or no label"))
            continue
        try:
            yield _file(values, [row[header.index(name)] for name in BOX] if boxed else [])
        except (ValueError, IndexError):
            left_out.append(LeftOut(path=line, reason="has a box that is no box, or a path that is none"))


def _columns(place: Path, header: Sequence[str]) -> dict[str, int]:
    """Return the place of each known column. A column that has been taken as the label is no group."""
    columns: dict[str, int] = {}
    for field, names in COLUMNS.items():
        found = next((name for name in names if name in header and header.index(name) not in columns.values()), None)
        if found is not None:
            columns[field] = header.index(found)
    missing = [field for field in ("path", "label") if field not in columns]
    if missing:
        there = ", ".join(header[:SHOWN])
        raise BadInput(
            f"{place} has no column {' and no column '.join(missing)}; its first line is: {there}",
            f"Call it one of: {', '.join(COLUMNS[missing[0]])}.",
        )
    return columns


def _file(values: Mapping[str, str], box: Sequence[str]) -> ListedFile:
    """Return the image of a line. Raises ValueError if its box or its path is none."""
    path = values["path"].replace("\\", "/") if os.name == "nt" else values["path"]
    if "\0" in path:
        raise ValueError("a path with a NUL")
    corners = [float(value) for value in box if value.strip()]
    left, top, right, bottom = (round(corner) for corner in corners) if corners else (0, 0, 0, 0)
    if corners and not (0 <= left < right and 0 <= top < bottom):
        raise ValueError("not a box")
    return ListedFile(
        path=path,
        label=values["label"],
        split=split_of(values.get("split", "")),
        group=values.get("group") or None,
        source=values.get("source") or None,
        box=(left, top, right, bottom) if corners else None,
    )
