"""Work through tasks in several processes. A task that kills its process, as a crash in a decoder does, costs no other.

    for facts in work_through(examine, [("a.jpg", None), ("b.jpg", None)]):
        ...

Results come in the order of the tasks. Each process holds a few tasks at a time and answers them in turn, so the first
that it has not answered is the one that killed it. concurrent.futures' pool does not say which one that was, and loses
the rest. Processes are started by `spawn`: threads of this process do no harm, and it is the same on every system. A
script that is not importable (no `if __name__ == "__main__"`) cannot spawn; its tasks are done in its own process.
"""

import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

Result = TypeVar("Result")

HELD = 4  # tasks that a process has: it never waits for the next one
AHEAD = 64  # tasks for each process, between the first without a result and the newest
READY = "ready"


@dataclass(frozen=True, kw_only=True)
class Died:
    """A task that killed its process, and how."""

    reason: str


@dataclass(eq=False)
class _Worker:
    process: Any
    line: Any  # the connection to it
    ready: bool = False
    tasks: deque[int] = field(default_factory=deque)  # numbers of those that it holds


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def work_through(
    work: Callable[..., Result], tasks: Iterable[tuple[Any, ...]], processes: int | None = None
) -> Iterator[Result | Died]:
    """Yield work(*task) for each task in order, or Died.

    work: a function that another process can import; what it raises is raised here
    processes: None: as many as processors; 0: none, all is done in this process
    """
    pool = _Pool(work, iter(tasks), processors() if processes is None else processes)
    try:
        yield from pool.results()
    finally:
        pool.end()


class _Pool:
    def __init__(self, work: Callable[..., Any], tasks: Iterator[tuple[Any, ...]], processes: int) -> None:
        self.work, self.tasks, self.processes = work, tasks, processes
        self.waiting: dict[int, tuple[Any, ...]] = {}  # taken from tasks and without a result, by number
        self.lost: deque[int] = deque()  # numbers of tasks whose process died before their turn
        self.done: dict[int, Any] = {}  # results that came before their turn
        self.taken = self.next = 0  # numbers of the next task to take, and of the next result to yield
        self.workers: list[_Worker] = []
        self.exhausted = False

    def results(self) -> Iterator[Any]:
        while True:
            self._hand_out()
            while self.next in self.done:
                self.next += 1
                yield self.done.pop(self.next - 1)
                self._hand_out()
            if not self.waiting:
                return
            if not self.workers:  # none can be started
                with suppress(ValueError):
                    self.lost.remove(self.next)
                self.done[self.next] = self.work(*self.waiting.pop(self.next))
                continue
            self._listen()

    def end(self) -> None:
        """Kill the processes: none of them holds anything that has to be saved."""
        for worker in self.workers:
            worker.process.kill()
        for worker in self.workers:
            worker.process.join()
            worker.line.close()
        self.workers.clear()

    def _hand_out(self) -> None:
        """Give each process its tasks, and start processes while there are more tasks than those hold."""
        while (number := self._take()) is not None:
            free = [worker for worker in self.workers if len(worker.tasks) < HELD]
            idle = any(not worker.tasks for worker in free)
            if not idle and len(self.workers) < self.processes:
                self.workers.append(_started(self.work))
                free.append(self.workers[-1])
            if not free:
                self.lost.appendleft(number)
                return
            worker = min(free, key=lambda each: len(each.tasks))
            worker.tasks.append(number)
            with suppress(OSError):  # it has died, which _listen will notice
                worker.line.send(self.waiting[number])

    def _take(self) -> int | None:
        """Return the number of a task to do, or None if there is none to be done now."""
        if self.lost:
            return self.lost.popleft()
        if self.exhausted or self.taken >= self.next + AHEAD * max(1, self.processes):
            return None
        task = next(self.tasks, None)
        if task is None:
            self.exhausted = True
            return None
        self.waiting[self.taken] = task
        self.taken += 1
        return self.taken - 1

    def _listen(self) -> None:
        """Wait for the next results, and take them."""
        lines = {worker.line: worker for worker in self.workers}
        for line in wait(list(lines)):
            worker = lines[line]  # type: ignore[index]
            try:
                kind, value = worker.line.recv()
            except (EOFError, OSError):
                self._bury(worker)
                continue
            if kind == READY:
                worker.ready = True
                continue
            number = worker.tasks.popleft()
            self.waiting.pop(number)
            if isinstance(value, BaseException) and kind == "error":
                raise value
            self.done[number] = value

    def _bury(self, worker: _Worker) -> None:
        """Note the task that killed a process, and keep its others. A process that never began has killed itself."""
        worker.process.join()
        worker.line.close()
        self.workers.remove(worker)
        if not worker.ready:
            self.processes = len(self.workers)
        elif worker.tasks:
            number = worker.tasks.popleft()
            self.waiting.pop(number)
            self.done[number] = Died(reason=_how(worker.process.exitcode))
        self.lost.extendleft(reversed(worker.tasks))


def _started(work: Callable[..., Any]) -> _Worker:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, work), daemon=True)
    with _interrupts_later():
        process.start()
    theirs.close()
    return _Worker(process, ours)


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Hold Ctrl-C back while a process is started. It inherits that, so Ctrl-C never reaches it: it ends by its line."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(line: Connection, work: Callable[..., Any]) -> None:
    """Answer tasks until the line is closed, by the other side or because its process has died."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, OSError):
        line.send((READY, None))
        while True:
            task = line.recv()
            try:
                answer = ("result", work(*task))
            except Exception as error:
                answer = ("error", error)
            line.send(answer)


def _how(code: int | None) -> str:
    """Return how a process ended, in words."""
    if code is not None and code < 0:
        with suppress(ValueError):
            return f"killed the process that read it ({signal.Signals(-code).name})"
    return f"ended the process that read it (exit code {code})"
