"""Consoles for results (stdout) and messages (stderr), and cleaning of text from outside."""

import json
import math
import os
import sys
from contextlib import suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from omnitwin.reports.pictures import Picture


def result_console() -> Console:
    return _console(sys.stdout)


def message_console() -> Console:
    return _console(sys.stderr)


def _console(stream: TextIO) -> Console:
    """Return a console for a stream. NO_COLOR rules out every style, even if FORCE_COLOR is set."""
    if not os.environ.get("NO_COLOR"):
        return Console(file=stream, highlight=False)
    terminal = False
    with suppress(OSError, ValueError):  # the stream is closed
        terminal = stream.isatty()
    return Console(file=stream, highlight=False, color_system=None, force_terminal=terminal)


def clean(text: str) -> str:
    """Return text with every control and other unprintable character spelled out (`\\x1b`), safe for a terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def say(console: Console, text: str, style: str = "") -> None:
    """Print a line without markup and without wrapping."""
    console.print(Text(clean(text), style=style), soft_wrap=True)


def print_json(report: Any) -> None:
    """Print a report as JSON on stdout, without its pictures, in printable ASCII."""
    text = json.dumps(_plain(report), indent=2, allow_nan=False).replace("\x7f", "\\u007f")  # json leaves DEL as it is
    result_console().out(text, highlight=False)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        record: dict[str, Any] = {}
        for field in fields(value):
            part, rule = getattr(value, field.name), field.metadata.get("json")
            if rule == "inline":
                record |= _plain(part)
            elif rule != "omitted" and not isinstance(part, Picture):
                record[field.name] = _plain(part)
        return record
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value if not isinstance(part, Picture)]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
