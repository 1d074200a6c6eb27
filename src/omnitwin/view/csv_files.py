"""Tables as CSV, for a file or for standard output: names stand as they are, but none is taken for a formula."""

import sys
from pathlib import Path

from omnitwin.errors import BadInput
from omnitwin.system.files import check_replaceable, replacing
from omnitwin.view.console import result_console, say

STDOUT = Path("-")  # the file's name that means standard output
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # beginnings that a spreadsheet takes for more than text


def check_csv_file(path: Path | None) -> None:
    """Raise BadInput unless a name ends like CSV, CannotWrite if a link is there. Call it before the work."""
    if path is None or path == STDOUT:
        return
    if path.suffix.lower() != ".csv":  # an image is not written over
        raise BadInput(f"{path} does not end like CSV", "Name it FILE.csv, or - for standard output.")
    check_replaceable(path)


def write_csv_file(table: str, path: Path) -> None:
    """Write a table to a file, or to standard output for STDOUT. Raises CannotWrite.

    A program gets it as it is; on a terminal control characters are spelt out.
    """
    if path != STDOUT:
        with replacing(path) as temporary:
            temporary.write_text(table, encoding="utf-8", errors="surrogateescape", newline="")
    elif sys.stdout.isatty():
        for line in table.splitlines():
            say(result_console(), line)
    else:
        sys.stdout.write(table)


def no_formula(path: str) -> str:
    """Return the path of the same file, with `./` before it if a spreadsheet would take it for a formula."""
    return f"./{path}" if path.startswith(FORMULA) else path
