"""Whose failure an exception is: of the memory, of a library that cannot be loaded, of the system, or of omnitwin."""

import os
import traceback
from collections.abc import Iterator
from types import FrameType

from omnitwin.errors import ExitCode, is_shortage
from omnitwin.system import leaving, limits

MOST_SAID = 300  # characters: some libraries explain at length
LEFT = "a library ended the program (exit code {}), though there was no answer yet. For the traceback: OMNITWIN_DEBUG=1"


def code_of(ending: BaseException) -> int:
    """Return the exit code for what ended the command line; tell of it unless that has been done."""
    if isinstance(ending, SystemExit):
        if isinstance(ending.code, ExitCode):
            return ending.code
        _show_traceback_if_wanted(ending)
        leaving.say(LEFT.format(ending.code))
        return ExitCode.CANNOT_RUN
    if isinstance(ending, KeyboardInterrupt):
        leaving.say("interrupted.")
        return ExitCode.INTERRUPTED
    _show_traceback_if_wanted(ending)
    text, code = explained(ending)
    leaving.say(text)
    return code


def _show_traceback_if_wanted(ending: BaseException) -> None:
    if os.environ.get("OMNITWIN_DEBUG", "") not in ("", "0"):
        traceback.print_exception(ending)


def explained(error: BaseException) -> tuple[str, ExitCode]:
    """Return what is to be said of an exception that nothing else explains, and the exit code."""
    said = _said(error)
    library = library_of(error)
    if is_shortage(error) or limits.are_near() or (library and limits.set_limits()):
        detail = f" ({said})" if said else ""
        mend = "Raise it" if limits.set_limits() else "Free some, or try --device cpu"
        return f"too little memory{limits.in_words()}{detail}. {mend}.", ExitCode.CANNOT_RUN
    if library:
        why = f"{type(error).__name__}: {said}" if said else type(error).__name__
        mend = "Install it again, or look at the environment variables that it reads."
        return f"{library} cannot be loaded: {why.rstrip('.')}. {mend}", ExitCode.CANNOT_RUN
    if isinstance(error, OSError) and error.errno is not None:  # else not from the system but from a library
        place = "go on" if error.filename is None else f"use {error.filename}"
        return f"cannot {place}: {error.strerror}.", ExitCode.CANNOT_RUN
    text = f"unexpected {type(error).__name__}: {error}. For the traceback: OMNITWIN_DEBUG=1"
    return text, ExitCode.UNEXPECTED


def library_of(error: BaseException) -> str:
    """Return the library whose import failed, or nothing.

    An exception that comes out of the body of somebody else's module was raised while that was imported. So was an
    ImportError without such a body: the module is missing, or has no such name. With a SyntaxError its file is damaged.
    """
    for frame in _frames(error):
        name = str(frame.f_globals.get("__name__", ""))
        if frame.f_code.co_name == "<module>" and not _is_ours(name):
            return name.partition(".")[0]
        loaded = str(frame.f_locals.get("name", "")) if "importlib" in name and "_bootstrap" in name else ""
        if not _is_ours(loaded):  # its file cannot be read as a module
            return loaded.partition(".")[0]
    name = getattr(error, "name", None) or "a library"
    return name.partition(".")[0] if isinstance(error, ImportError | SyntaxError) and not _is_ours(name) else ""


def raised_in(error: BaseException) -> str:
    """Return the name of the module that raised an exception."""
    return [str(frame.f_globals.get("__name__", "")) for frame in _frames(error)][-1]


def _said(error: BaseException) -> str:
    """Return what an error says in one line that is not too long; an ImportError's is told by its cause."""
    while isinstance(error, ImportError) and error.__cause__ is not None:
        error = error.__cause__
    text = " ".join(str(error).split())
    return text if len(text) <= MOST_SAID else f"{text[:MOST_SAID]}..."


def _frames(error: BaseException) -> Iterator[FrameType]:
    place = error.__traceback__
    while place is not None:
        yield place.tb_frame
        place = place.tb_next


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in ("omnitwin", "__main__", "")
