"""Runs commands of omnitwin in a process of its own, on a system that is made like Windows, or in another locale.

python elsewhere.py PLAN.json: writes PLAN.answers, each command's exit code, output and messages as a line of JSON.
"""

import builtins
import contextlib
import errno
import io
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

NOT_ON_WINDOWS = {
    os: [
        "O_NOFOLLOW", "O_CLOEXEC", "O_DIRECTORY", "O_NONBLOCK", "O_SYNC", "fork", "forkpty", "geteuid", "getuid",
        "getgid", "getegid", "getgroups", "getpgid", "setsid", "setpgid", "setuid", "mkfifo", "mknod", "uname",
        "statvfs", "fstatvfs", "sched_getaffinity", "sched_setaffinity", "sched_yield", "nice", "chown", "fchown",
        "lchown", "fchmod", "fchdir", "lockf", "chroot", "pread", "pwrite", "sendfile", "openpty", "ttyname", "killpg",
        "wait", "wait3", "wait4", "waitid", "getloadavg", "sysconf", "posix_fallocate", "posix_fadvise", "sync",
        "fdatasync", "ctermid", "getpriority", "setpriority",
    ],
    signal: [
        "SIGHUP", "SIGKILL", "SIGALRM", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGPIPE", "SIGCHLD", "SIGTSTP", "SIGCONT",
        "SIGSTOP", "SIGWINCH", "pause", "alarm", "setitimer", "getitimer", "sigwait", "pthread_kill",
        "pthread_sigmask", "siginterrupt",
    ],
}  # fmt: skip
NO_MODULES = ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "posix", "crypt", "readline")
FORBIDDEN = set('<>:"|?*')  # in the names of files


def become_windows() -> None:
    """Take away what Windows has not, and refuse what it refuses; libraries, which know where they are, come before."""
    import filelock
    import matplotlib.figure
    import PIL.Image
    import platformdirs
    import rich.live
    import rich.progress
    import safetensors.torch
    import torch
    import typer.testing

    assert all(
        (
            filelock.lock_descriptor,
            matplotlib.figure,
            platformdirs,
            rich.live,
            rich.progress,
            safetensors.torch,
            torch,
            typer.testing,
        )
    )
    PIL.Image.init()
    for module, names in NOT_ON_WINDOWS.items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    for name in NO_MODULES:
        sys.modules[name] = None
    shutil._use_fd_functions = shutil._USE_CP_SENDFILE = False
    for name in ("replace", "rename", "unlink", "remove", "mkdir", "open"):
        setattr(os, name, _refusing(getattr(os, name), name))
    builtins.open = io.open = _refusing(io.open, "open")
    os.symlink = os.link = _without_privilege
    signal.signal = partial(_signal_of_windows, signal.signal)


def _signal_of_windows(real, number, handler):
    if number not in (signal.SIGINT, signal.SIGTERM, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV):
        raise ValueError("invalid signal value")
    return real(number, handler)


def _without_privilege(*paths, **how):
    raise OSError(errno.EPERM, "A required privilege is not held by the client")


def _refusing(real, name):
    def wrapped(path, *rest, **how):
        if isinstance(path, str | os.PathLike) and not str(path).startswith(("/proc", "/dev", "/sys")):
            paths = [path, *(rest[:1] if name in ("replace", "rename") else ())]
            for one in paths:
                if FORBIDDEN & set(str(one)) or any(
                    part.endswith((" ", ".")) for part in Path(one).parts if part != ".."
                ):
                    raise OSError(
                        errno.EINVAL, "The filename, directory name, or volume label syntax is incorrect", one
                    )
            if name not in ("mkdir", "open") and any(map(_in_use, paths)):
                raise PermissionError(errno.EACCES, "The process cannot access the file", str(path))
        return real(path, *rest, **how)

    return wrapped


def _in_use(path) -> bool:
    """Whether this process has a file open, or mapped into its memory."""
    real = os.path.realpath(path)
    opened = (os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd"))
    return real in opened or f" {real}\n" in Path("/proc/self/maps").read_text(errors="replace")


def little_work(change: Callable[[object, str, object], None]) -> None:
    """The program with small sets and short exams; change is setattr, or like it."""
    from omnitwin.data import synthetic
    from omnitwin.exams import all_pairs as exam_curves
    from omnitwin.metrics import resampling
    from omnitwin.training import heldout

    change(synthetic, "ALPHABETS", {"training": 7, "test": 2})
    change(synthetic, "CHARACTERS", 4)
    change(heldout, "MOST_IMAGES", 60)
    for name in ("class_replicates", "group_replicates"):
        change(exam_curves, name, partial(getattr(resampling, name), count=20))


def take_for_omniglot(folder: Path) -> None:
    """Zips that are written to a folder are taken for Omniglot's."""
    from omniglot_like import write_fake_omniglot

    from omnitwin.data import official, omniglot

    fake = write_fake_omniglot(folder)
    omniglot.SETS, official.ARCHIVE = fake.sets, fake.runs


def run(words: list[str]) -> dict[str, object]:
    from omnitwin.cli import main

    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=sys.stdout.encoding, errors="strict") for _ in "oe")
    sys.argv = ["omnitwin", *words]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode(stream.encoding))
    return {"words": words, "code": code, "out": texts[0], "err": texts[1]}


if __name__ == "__main__":
    plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    answers = Path(sys.argv[1]).with_suffix(".answers")
    if plan["windows"]:
        become_windows()  # before omnitwin looks where it is
    little_work(setattr)
    if plan["fake"]:
        take_for_omniglot(Path(plan["fake"]))
    with answers.open("w", encoding="ascii") as file:
        for words in plan["commands"]:
            if words[0] == "held":  # another holds that folder meanwhile
                from omnitwin.system.locks import hold

                with hold(Path(words[1])):
                    answer = run(words[2:])
            else:
                answer = run([os.fsdecode(word.encode()) for word in words])
            file.write(json.dumps(answer) + "\n")
