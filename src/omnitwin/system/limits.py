"""A limit of memory that the user set (`ulimit -v`, `ulimit -d`): the work is done by a child, and this process waits.

Under such a limit a process ends in ways that none of its own code can catch or turn into a message: the dynamic loader
leaves with 127, C++ and Rust abort (134), an allocation that nobody checked crashes (139), and OpenBLAS sends itself
SIGINT if it cannot start a thread. So the program forks before it imports anything. The parent needs no memory. It
passes the child's own answers on, and for any other end says that memory was short and leaves with 3. Without a limit,
as nearly always, nothing is forked. A signal that `timeout` or a shell sends to the whole group reaches both processes,
so a training hears it twice and ends without saving.

The parent also ends a child that hangs: without memory Python 3.11 can spin for ever in the handling of an exception,
and Rust wait for a lock of its own.

Refusing limits that are known to be too low was the other way. The figures depend on the build of torch (3.2 GB with
CUDA's libraries), on the number of cores and on the images, and never reach what fails between them and success.

Linux only: macOS does not enforce these limits, and Windows has none.
"""

import os
import signal
from contextlib import suppress
from typing import NoReturn

from omnitwin.errors import ExitCode
from omnitwin.system import leaving

LIMITS = {"RLIMIT_AS": ("VmPeak", "ulimit -v"), "RLIMIT_DATA": ("VmData", "ulimit -d")}  # what each is a limit of
BRIM = 0.75  # share of a limit: failures of a process that holds so much are the limit's
PASSED_ON = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
ROOM = 1 << 20  # bytes: with less than this below a limit malloc gets no more memory
STILL = 4  # seconds without any work of a process that has no room, after which it hangs
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux's prctl


def set_limits() -> dict[str, int]:
    """Return the limits of memory that are set, in bytes."""
    try:
        import resource
    except ImportError:  # Windows
        return {}
    known = {name: resource.getrlimit(getattr(resource, name))[0] for name in LIMITS if hasattr(resource, name)}
    return {name: size for name, size in known.items() if size != resource.RLIM_INFINITY}


def in_words() -> str:
    """Return the limits in words, such as ` under the limit of 200 MB (ulimit -v)`, or nothing."""
    limits = [f"{size / 1e6:.0f} MB ({LIMITS[name][1]})" for name, size in set_limits().items()]
    return f" under the limit of {' and '.join(limits)}" if limits else ""


def are_near() -> bool:
    """Return whether this process has come near a limit. Every library then has odd errors."""
    limits = set_limits()
    if not limits:
        return False
    try:
        return any(_held("self", name) > BRIM * size for name, size in limits.items())
    except (OSError, MemoryError, LookupError, ValueError):
        return True


def _held(process: str, limit: str) -> int:
    """Return the bytes of a process that count for a limit."""
    with open(f"/proc/{process}/status", "rb") as file:
        lines = {line.split()[0]: line.split() for line in file if line.startswith(b"Vm")}
    return int(lines[f"{LIMITS[limit][0]}:".encode()][1]) << 10  # in kB


def _work(child: int) -> tuple[bytes, ...]:
    """Return the counts of page faults, reading, writing and waiting of a process that has no room left; else nothing.

    A process that waits for something else, such as a lock or a server, wakes now and then, which counts.
    """
    with suppress(OSError, LookupError, ValueError):
        if any(size - _held(str(child), name) < ROOM for name, size in set_limits().items()):
            with open(f"/proc/{child}/stat", "rb") as stat, open(f"/proc/{child}/io", "rb") as counts:
                fields = stat.read().rpartition(b")")[2].split()
                done = (fields[7], fields[9], *counts.read().splitlines())
            with open(f"/proc/{child}/status", "rb") as status:
                return (*done, *(line for line in status if line.startswith(b"voluntary")))
    return ()


def supervise() -> None:
    """Return in this process if no limit is set, else in a child of it. The parent then ends as the child does."""
    if not hasattr(signal, "sigtimedwait") or not set_limits():
        return
    heard = {*PASSED_ON, signal.SIGCHLD}
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, the child's end could not be asked for
    before = signal.pthread_sigmask(signal.SIG_BLOCK, heard)
    child: int | None
    try:
        child = os.fork()
    except OSError:  # there may be no other process
        child = None
    if child:
        _end_as(child, heard)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    leaving.arm()
    os.environ["RUST_BACKTRACE"] = "0"  # Rust waits for itself for ever if memory fails while it prints one
    if child is None:
        return
    with suppress(Exception):
        import ctypes

        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)


def _end_as(child: int, heard: set[signal.Signals]) -> NoReturn:
    """Wait for the child and end with its code; with CANNOT_RUN if the code is not its own answer."""
    interrupted, ended, status = False, 0, 0
    still, work = 0, _work(child)
    while not ended:
        came = signal.sigtimedwait(heard, 1)
        if came is None:
            before, work = work, _work(child)
            still = still + 1 if work and work == before else 0
            if still >= STILL:
                os.kill(child, signal.SIGKILL)
        elif came.si_signo == signal.SIGCHLD:
            ended, status = os.waitpid(child, os.WNOHANG)
        else:
            interrupted |= came.si_signo == signal.SIGINT
            if came.si_code <= 0:  # sent by a process; what a terminal sends goes to the child, too
                os.kill(child, came.si_signo)
    code = os.waitstatus_to_exitcode(status)
    code = code if code >= 0 else 128 - code
    if code not in set(ExitCode) or (code == ExitCode.INTERRUPTED and not interrupted):  # or by OpenBLAS
        leaving.say(f"too little memory{in_words()}. Raise it, or give less to do. (The program ended with {code}.)")
        code = ExitCode.CANNOT_RUN
    os._exit(code)
