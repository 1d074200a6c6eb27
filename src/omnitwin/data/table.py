"""List the images of a table: CSV or TSV, a line for each image, with its path and its class.

    path,label,split,group,source
    a/1.jpg,a,train,dairy,camera 1

Columns may be called otherwise (COLUMNS) and lie in any order; others are ignored. The tables of open-metric-learning
are understood as they are: `category` is the group, `sequence` the source, `x_1, y_1, x_2, y_2` the left, top, right
and bottom of a box (its documentation, "Dataset format"). Relative paths lead from the table's folder.
"""

import codecs
import csv
import io
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from omnitwin.data.listing import SPLITS, LeftOut, ListedFile, Listing, alike, in_order
from omnitwin.errors import BadInput

COLUMNS = {  # names of each column, the preferred one first
    "path": ("path", "image", "image_path", "file", "file_path", "filepath", "filename", "file_name", "img"),
    "label": ("label", "class", "class_name", "identity", "target", "person", "id", "category"),
    "split": ("split", "set", "subset", "part", "partition"),
    "group": ("group", "category", "supercategory", "super_class", "superclass", "family"),
    "source": ("source", "camera", "session", "drawer", "sequence", "device"),
}
BOX = ("x_1", "y_1", "x_2", "y_2")
TABLES = {".csv", ".tsv", ".txt"}  # endings
SEPARATORS = "\t;,|"
SHOWN = 5  # columns in a message
LARGEST = 1 << 30  # bytes of a table: several million lines
TABLE_FORM = "Give a CSV or TSV with the columns path and label."


def is_table(place: Path) -> bool:
    """Return whether a file is a table by its name."""
    return place.suffix.lower() in TABLES and place.is_file()


def list_table(place: Path) -> Listing:
    """List the images of a table. A line without an image is left out, with its number and the reason.

    Raises BadInput if the table cannot be read, lacks the columns path and label, or lists no image.

    >>> list_table(Path("products.csv")).classes
    ('juice', 'milk')
    """
    text = _text(place)
    if not text.strip():
        raise BadInput(f"{place} is an empty file", TABLE_FORM)
    first = text.lstrip("\r\n").split("\n", 1)[0]
    separator = max(SEPARATORS, key=first.count)
    rows = csv.reader(io.StringIO(text.lstrip("\r\n"), newline=""), delimiter=separator, strict=True)
    header = _header(place, rows)
    columns = _columns(place, header)
    left_out: list[LeftOut] = []
    lines = list(_lines(rows, left_out))
    notes, split = _split_notes(header, columns, lines)
    if not split:
        columns.pop("split", None)
    files = list(_files(lines, columns, header, left_out))
    if not files:
        why = f": {left_out[0].path} {left_out[0].reason}" if left_out else ""
        raise BadInput(f"{place} lists no images{why}", "Give a line for each image, with its path and its label.")
    notes += alike({file.label for file in files})
    return Listing(place=place, root=place.parent, files=in_order(files), left_out=tuple(left_out), notes=notes)


def _text(place: Path) -> str:
    """Return a table's text, of UTF-8, or of UTF-16 as spreadsheets write it."""
    try:
        if place.stat().st_size > LARGEST:
            raise BadInput(f"{place} has more than {LARGEST:,} bytes", "Split it into several tables.")
        raw = place.read_bytes()
        wide = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return raw.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{place} is not UTF-8 text (byte {error.start:,})", "Save the table as UTF-8.") from error
    except OSError as error:
        raise BadInput(
            f"{place} cannot be read: {error.strerror or error}",
            "Mend its permissions, or give another folder or table.",
        ) from error


def _header(place: Path, rows: Iterator[list[str]]) -> list[str]:
    """Return the names of the columns, in small letters, with _ between words."""
    try:
        return [re.sub(r"[\s_-]+", "_", name.strip().lower()) for name in next(rows)]
    except csv.Error as error:
        raise BadInput(f"{place} is no table: line 1: {error}", TABLE_FORM) from error


def _columns(place: Path, header: Sequence[str]) -> dict[str, int]:
    """Return the place of each known column. A column that has been taken as the label is no group."""
    columns: dict[str, int] = {}
    for field, names in COLUMNS.items():
        found = next((name for name in names if name in header and header.index(name) not in columns.values()), None)
        if found is not None:
            columns[field] = header.index(found)
    missing = [field for field in ("path", "label") if field not in columns]
    if missing:
        there = ", ".join(header[:SHOWN]) + (", ..." if len(header) > SHOWN else "")
        raise BadInput(
            f"{place} has no column {' and no column '.join(missing)}; its first line is: {there}",
            f"Call it one of: {', '.join(COLUMNS[missing[0]])}.",
        )
    return columns


def _lines(rows: Iterator[list[str]], left_out: list[LeftOut]) -> Iterator[tuple[int, list[str]]]:
    """Yield each line of a table that is not empty, with the number of its last line of text."""
    reader: csv.reader = rows  # type: ignore[valid-type]
    before = 1
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            last = reader.line_num  # type: ignore[attr-defined]
            where = f"line {last:,}" if last <= before + 1 else f"lines {before + 1:,} to {last:,}"
            left_out.append(LeftOut(path=where, reason=f"cannot be read: {error}"))
            before = last
            continue
        before = reader.line_num  # type: ignore[attr-defined]
        if any(value.strip() for value in row):
            yield before, row


def _split_notes(
    header: Sequence[str], columns: Mapping[str, int], lines: Sequence[tuple[int, list[str]]]
) -> tuple[tuple[str, ...], bool]:
    """Return a note if the column of the split names no part, and whether it names any."""
    if "split" not in columns:
        return (), False
    place = columns["split"]
    words = {row[place].strip().lower() for _, row in lines if place < len(row)}
    if words & SPLITS.keys():
        return (), True
    if words <= {""}:
        return (), False
    return (f"the column {header[place]} names none of train, val and test, so it is no split",), False


def _files(
    lines: Sequence[tuple[int, list[str]]],
    columns: Mapping[str, int],
    header: Sequence[str],
    left_out: list[LeftOut],
) -> Iterator[ListedFile]:
    """Yield the images of a table's lines, and note the lines without one."""
    boxes = [header.index(name) for name in BOX] if all(name in header for name in BOX) else []
    seen: dict[ListedFile, int] = {}
    for number, row in lines:
        values = {field: row[index].strip() for field, index in columns.items() if index < len(row)}
        try:
            file = _file(values, [row[index].strip() for index in boxes if index < len(row)], "split" in columns)
        except ValueError as error:
            left_out.append(LeftOut(path=f"line {number:,}", reason=str(error)))
            continue
        if seen.setdefault(file, number) != number:
            left_out.append(LeftOut(path=f"line {number:,}", reason=f"says the same as line {seen[file]:,}"))
            continue
        yield file


def _file(values: Mapping[str, str], box: Sequence[str], split: bool) -> ListedFile:
    """Return the image of a line. Raises ValueError, with the reason, if it names none."""
    path, label = values.get("path"), values.get("label")
    if not path or not label:
        raise ValueError(f"has no {'path' if not path else 'label'}")
    if "\0" in path:
        raise ValueError("has a path with a zero byte")
    part = SPLITS.get(values.get("split", "").lower())
    if split and part is None:
        raise ValueError("is in no part of the split: it says neither train, val nor test")
    return ListedFile(
        path=path.replace("\\", "/") if os.name == "nt" else path,
        label=label,
        split=part,
        group=values.get("group") or None,
        source=values.get("source") or None,
        box=_box(box) if any(box) else None,
    )


def _box(words: Sequence[str]) -> tuple[int, int, int, int]:
    try:
        left, top, right, bottom = (round(float(word)) for word in words)
    except (ValueError, OverflowError):
        raise ValueError(f"has a box that is none: {', '.join(words)}") from None
    if not (0 <= left < right and 0 <= top < bottom):
        raise ValueError(f"has a box without pixels: {left}, {top}, {right}, {bottom}")
    return left, top, right, bottom
