"""The whole program in a fork, on a disk, with rights or under signals that are not what they should be. POSIX."""

import importlib
import os
import pkgutil
import re
import signal
import socket
import subprocess
import sys
import time
import traceback
import zoneinfo  # noqa: F401 (Typer's own libraries ask for it late)
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from killing import forked

import omnitwin
from omnitwin.cli import main

for module in pkgutil.walk_packages(omnitwin.__path__, "omnitwin."):  # who has no rights may not be able to read them
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)

NOBODY = 65534
WAIT = 60  # seconds that no scenario needs
MASKS = (
    (r"process \d+ on .*? since [-\d]+ [:\d]+", "process 4711 on HOST since 2026-01-31 12:00:00"),
    (r"\.omnitwin-\w+", ".omnitwin-XXXX"),
    (r"(small|fast|classic)-\d{8}-\d{6}", r"\1-20260131-120000"),
    (r"pictures/[0-9a-f]{16}", "pictures/KEY"),
    (r"pixels-[0-9a-f]{16}", "pixels-NUMBER"),
    (r"loss .*", "..."),  # and speed, and time
)


class Ended:
    """How a program ended: its exit code as shells tell it (128 + the signal that ended it), and what it said."""

    def __init__(self, status: int, out: str, err: str) -> None:
        code = os.waitstatus_to_exitcode(status)
        self.code = code if code >= 0 else 128 - code
        self.out, self.err = out, err

    def line(self, folder: Path, word: str = "") -> str:
        """The last line on stderr that has a word, without what differs from one machine or day to another."""
        lines = [line for line in self.err.splitlines() if word in line]
        text = lines[-1] if lines else ""
        for found, mask in ((re.escape(str(folder)), "FOLDER"), (re.escape(socket.gethostname()), "HOST"), *MASKS):
            text = re.sub(found, mask, text)
        return text


def nothing() -> None:
    """A fault that is there before the program starts."""


def program(
    words: list[str],
    folder: Path,
    home: Path,
    before: Callable[[], object] = nothing,
    during: Callable[[int], object] | None = None,
    as_nobody: bool = False,
) -> Ended:
    """Run the command line in a fork; `before` there first, `during` here with its number while it runs."""
    out, err = folder / "stdout.txt", folder / "stderr.txt"
    child = forked()
    if not child:
        status = 99
        try:
            for number, path in ((1, out), (2, err)):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), number)
            os.environ["OMNITWIN_HOME"] = str(home)
            os.environ["COLUMNS"] = "100"
            sys.argv = ["omnitwin", *words]
            signal.signal(signal.SIGINT, signal.default_int_handler)
            before()
            sys.stdout, sys.stderr = os.fdopen(1, "w", encoding="utf-8"), os.fdopen(2, "w", encoding="utf-8")
            if as_nobody:
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
            main()
        except SystemExit as ended:
            status = int(ended.code or 0)
        except BaseException:
            traceback.print_exc()
        finally:
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError):
                    stream.flush()
            os._exit(status)
    if during is not None:
        during(child)
    return Ended(_end_of(child), out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))


def _end_of(child: int) -> int:
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError("the program did not come to an end")


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.005)


def can_mount() -> bool:
    """Whether small disks of one's own can be had: by root, where nothing forbids it."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A disk of size bytes (a tmpfs) for the time of the context."""
    folder.mkdir(exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", folder)
    try:
        yield folder
    finally:
        _run("umount", "-l", folder)


def make_read_only(disk: Path) -> None:
    _run("mount", "-o", "remount,ro", disk)


def fill(disk: Path, spare: int = 0) -> None:
    """Write to a disk until only about spare bytes are free on it."""
    there = os.statvfs(disk)
    with open(disk / "filler", "wb") as file, suppress(OSError):
        file.write(bytes(max(0, there.f_bavail * there.f_frsize - spare)))


def _run(*words: object) -> None:
    subprocess.run([str(word) for word in words], check=True)
