"""How the process ends: with the code of its answer, or as a failure, whatever a library does.

Exit code 1 is a verdict (different), and so is 0 of `compare`. But OpenBLAS and libgomp call C's exit(1) when memory or
threads fail, Python itself exits with 1 for an exception that nobody caught, and a Ctrl-C while modules are imported is
a traceback, or is swallowed by a callback. Therefore:

- `arm` has C's exit() end in _exit(3). exit() calls what was registered with __cxa_atexit: here libc's own _exit, its
  argument 3. No Python runs. What is registered later is called earlier, and cannot change the code. Windows has no
  __cxa_atexit; there the process is not armed.
- `leave` is the only way out with another code: it does what Python does at its end, then calls _exit itself.
- Until the command begins, and while torch is imported, Ctrl-C ends the process at once: nothing has been written that
  would need tidying up.
"""

import os
import signal
import sys
from contextlib import suppress
from typing import Any, NoReturn

from omnitwin.errors import ExitCode

# Their C code may call exit(). The process is armed when the first of them is imported, so that help and TAB, which
# import none, need no ctypes (2 ms).
CALL_EXIT = ("numpy", "torch")
LEFT_BY_LIBRARY = (  # perror adds a colon and what the system refused last
    b"omnitwin: a library ended the program, most often for lack of memory. Free some, or raise the limit (ulimit). "
    b"The system's last error"
)


class Interrupted:
    """Whether Ctrl-C came. Libraries may turn the KeyboardInterrupt into another error, or swallow it."""

    came = False


def say(text: str) -> None:
    """Write a line to standard error, needing as little as possible; unprintable characters are spelt out."""
    plain = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in " ".join(text.split()))
    with suppress(OSError):
        os.write(2, f"omnitwin: {plain}\n".encode("ascii", "backslashreplace"))


def watch() -> None:
    """Have Ctrl-C end the process at once, and the process armed before the first library that may call exit()."""
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:  # else ignored, as in a background job
        signal.signal(signal.SIGINT, _end_at_once)
    sys.unraisablehook = _end_or_tell
    sys.meta_path.insert(0, _Arming())


def interrupt_by_exception() -> None:
    """Have Ctrl-C raise KeyboardInterrupt from now on: there may be something to tidy up."""
    if signal.getsignal(signal.SIGINT) == _end_at_once:
        signal.signal(signal.SIGINT, _interrupt)


def leave(code: int) -> NoReturn:
    """End the process with a code: what waits for the end of Python is done first."""
    try:
        if signal.getsignal(signal.SIGINT) in (_interrupt, signal.default_int_handler):
            signal.signal(signal.SIGINT, _end_at_once)
        if Interrupted.came and code not in (ExitCode.DONE, ExitCode.DIFFERENT):
            code = ExitCode.INTERRUPTED
        _finish()
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except BaseException:  # for lack of memory: the answer was given before
        pass
    os._exit(code)


def arm() -> None:
    """Have C's exit() end the process with CANNOT_RUN, from now on. Does nothing without ctypes or __cxa_atexit."""
    with suppress(Exception):
        import ctypes

        libc = ctypes.CDLL(None)
        for function, word in ((libc._exit, int(ExitCode.CANNOT_RUN)), (libc.perror, LEFT_BY_LIBRARY)):
            libc.__cxa_atexit(ctypes.cast(function, ctypes.c_void_p), word, None)


class _Arming:
    """A finder of modules that finds none."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name in CALL_EXIT and self in sys.meta_path:
            sys.meta_path.remove(self)
            arm()


def _finish() -> None:
    """Do what Python does at its end: wait for threads, run the functions of atexit, write what is buffered."""
    import atexit

    if threading := sys.modules.get("threading"):
        threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed, or nobody reads it
            stream.flush()


def _end_at_once(number: int, frame: Any) -> NoReturn:
    say("interrupted.")
    os._exit(ExitCode.INTERRUPTED)


def _interrupt(number: int, frame: Any) -> NoReturn:
    spec = getattr(sys.modules.get("torch"), "__spec__", None)
    if getattr(spec, "_initializing", False):  # its C++ aborts if the Python that it calls raises an exception
        _end_at_once(number, frame)
    Interrupted.came = True
    raise KeyboardInterrupt


def _end_or_tell(unraisable: Any) -> None:
    """Tell of an exception in a callback as Python does, but let Ctrl-C be heard there, too."""
    if unraisable.exc_type is not None and issubclass(unraisable.exc_type, KeyboardInterrupt):
        _end_at_once(signal.SIGINT, None)
    sys.__unraisablehook__(unraisable)
