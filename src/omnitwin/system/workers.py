"""Work through tasks in several processes. A task that kills its process, as a crash in a decoder does, costs no other.

    for record in work_through(examine_record, [("a.jpg", None), ("b.jpg", None)]):
        ...

Tasks and results go between the processes as lines of JSON: nothing is pickled.

A thread for each process hands it a task and waits for the answer, so it is known which task killed a process. The pool
of concurrent.futures does not say that, and loses the other tasks; multiprocessing's processes run the user's script
again as they start, which goes wrong if it is not written for that. These run nothing but the work.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import IO, Any, TypeVar

Result = TypeVar("Result")

AHEAD = 8  # tasks for each process between the first without a result and the newest
DEATHS = (EOFError, OSError, ValueError)  # what is raised as one speaks to a dead process
READY, RESULT, ERROR = "ready", "result", "error"
START = "import json, sys; sys.path[:] = json.loads(sys.stdin.buffer.readline()); import {module}; {module}.serve()"
# Ctrl-C goes to the processes of the terminal's group: these are not in it, and end when their input ends.
APART: dict[str, Any] = (
    {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)} if os.name == "nt" else {"process_group": 0}
)


@dataclass(frozen=True, kw_only=True)
class Died:
    """A task that killed its process, and how."""

    reason: str


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def most_begun(processes: int | None) -> int:
    """Return how many tasks of work_through are begun, at most, before the result of the first of them is taken."""
    return max(1, (processors() if processes is None else processes) * AHEAD)


def work_through(
    work: Callable[..., Result], tasks: Iterable[tuple[Any, ...]], processes: int | None = None
) -> Generator[Result | Died]:
    """Yield work(*task) for each task in order, or Died. Few results wait at a time, however many tasks there are.

    work: a function at the top of a module, from what JSON has to what JSON has; lists arrive for tuples
    processes: None: as many as processors; 0: none, all is done in this process
    """
    count = processors() if processes is None else processes
    if count == 0 or not sys.executable or getattr(sys, "frozen", False):  # there is no Python to start
        for task in tasks:
            yield work(*task)
        return
    crew = _Crew(work)
    threads = ThreadPoolExecutor(count, "omnitwin-worker")
    waiting: deque[Future[Any]] = deque()
    try:
        for task in tasks:
            waiting.append(threads.submit(crew.do, task))
            if len(waiting) >= count * AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        crew.end()
        threads.shutdown()


@dataclass(frozen=True, eq=False)
class _Process:
    popen: subprocess.Popen[bytes]
    tasks: IO[bytes]
    answers: IO[bytes]

    def ask(self, task: Any) -> Any:
        """Return the answer to a task. Raises one of DEATHS if the process has ended."""
        _send(task, self.tasks)
        return _receive(self.answers)

    def end(self) -> int:
        """Kill the process if it still runs, and return its exit code."""
        self.popen.kill()
        code = self.popen.wait()
        for pipe in (self.tasks, self.answers):
            with suppress(OSError):
                pipe.close()
        return code


class _Crew:
    """The processes, one for each thread that asks."""

    def __init__(self, work: Callable[..., Any]) -> None:
        self.work = work
        self.own = threading.local()
        self.lock = threading.Lock()
        self.processes: list[_Process] = []
        self.ended = self.unable = False

    def do(self, task: tuple[Any, ...]) -> Any:
        """Return the result of a task, by this thread's process; by this process if none can be started.

        Raises RuntimeError with the words of what the work raised.
        """
        process: _Process | None = getattr(self.own, "process", None) or self._started()
        if process is None:
            return Died(reason="was not begun") if self.ended else self.work(*task)
        self.own.process = process
        try:
            kind, value = process.ask(task)
        except DEATHS:
            self.own.process = None
            return Died(reason=_how(process.end()))
        if kind == ERROR:
            raise RuntimeError(value)
        return value

    def end(self) -> None:
        """Kill the processes: none of them holds anything that has to be saved."""
        with self.lock:
            self.ended = True
            for process in self.processes:
                process.popen.kill()
        for process in self.processes:
            process.end()

    def _started(self) -> _Process | None:
        """Return a new process, or None if it does not come to life: then no other is tried."""
        with self.lock:
            if self.ended or self.unable:
                return None
            try:
                popen = subprocess.Popen(
                    [sys.executable, "-P", "-c", START.format(module=__name__)],  # -P: nothing from the working folder
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    **APART,
                )
            except OSError:
                self.unable = True
                return None
            assert popen.stdin is not None
            assert popen.stdout is not None
            process = _Process(popen, popen.stdin, popen.stdout)
            self.processes.append(process)
        with suppress(*DEATHS):
            _send(sys.path, process.tasks)
            if process.ask((self.work.__module__, self.work.__qualname__)) == READY:
                return process
        process.end()
        self.unable = True
        return None


def serve() -> None:
    """Answer tasks until the input ends: what another process runs. Whatever else is printed goes nowhere."""
    with suppress(BrokenPipeError, EOFError, KeyboardInterrupt):
        answers = os.fdopen(os.dup(1), "wb")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

        module, name = _receive(sys.stdin.buffer)
        work = getattr(import_module(module), name)
        _send(READY, answers)
        while True:
            task = _receive(sys.stdin.buffer)
            try:
                answer = (RESULT, work(*task))
            except Exception as error:
                answer = (ERROR, f"{type(error).__name__}: {error}")
            _send(answer, answers)


def _send(value: Any, stream: IO[bytes]) -> None:
    stream.write(json.dumps(value).encode() + b"\n")  # without surrogates: they are escaped
    stream.flush()


def _receive(stream: IO[bytes]) -> Any:
    """Return the next value. Raises EOFError if the stream has ended, ValueError if its end is cut off."""
    line = stream.readline()
    if not line:
        raise EOFError
    return json.loads(line)


def _how(code: int) -> str:
    """Return how a process ended, in words."""
    if code < 0:
        with suppress(ValueError):
            return f"killed the process that read it ({signal.Signals(-code).name})"
    return f"ended the process that read it (exit code {code})"
