"""Tasks in several processes: results in order, and a task that kills its process costs no other."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
import workers_tasks as tasks

from omnitwin.system.workers import Died, work_through


@pytest.mark.parametrize("processes", [0, 1, 3])
def test_results_come_in_the_order_of_the_tasks(processes):
    assert list(work_through(tasks.square, ((number,) for number in range(50)), processes)) == [
        number**2 for number in range(50)
    ]


def test_no_tasks_have_no_results():
    assert list(work_through(tasks.square, [], 2)) == []


def test_the_work_is_done_in_other_processes():
    found = set(work_through(tasks.process_id, [()] * 20, 2))
    assert os.getpid() not in found
    assert len(found) <= 2


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("processes", [1, 2])
def test_a_task_that_kills_its_process_is_named_and_the_others_are_done(processes):
    found = list(work_through(tasks.fragile, ((number,) for number in range(12)), processes))
    assert found == [
        Died(reason="killed the process that read it (SIGSEGV)")
        if number == 3
        else Died(reason="ended the process that read it (exit code 7)")
        if number == 8
        else number
        for number in range(12)
    ]


def test_what_the_work_raises_is_raised_here():
    with pytest.raises(RuntimeError, match="ValueError: number 2"):
        list(work_through(tasks.refusing, ((number,) for number in range(5)), 2))


def test_what_the_work_prints_disturbs_nothing(capfd):
    assert list(work_through(tasks.talking, [(1,), (2,)], 1)) == [1, 2]
    assert capfd.readouterr() == ("", "")


def test_few_tasks_are_taken_ahead_of_the_results():
    taken = []

    def endless():
        for number in range(10_000):
            taken.append(number)
            yield (number,)

    results = work_through(tasks.square, endless(), 2)
    assert [next(results) for _ in range(3)] == [0, 1, 4]
    results.close()
    assert len(taken) < 50


def test_processes_end_with_the_results():
    results = work_through(tasks.process_id, [()] * 100, 2)
    process = next(results)
    results.close()
    assert not tasks.is_alive(process)


def test_without_another_python_the_work_is_done_here(monkeypatch):
    monkeypatch.setattr(sys, "executable", "")
    assert set(work_through(tasks.process_id, [()] * 3, 2)) == {os.getpid()}


def test_if_no_process_comes_to_life_the_work_is_done_here(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
    assert set(work_through(tasks.process_id, [()] * 3, 2)) == {os.getpid()}


SCRIPT = """
    import sys
    sys.path.insert(0, {folder!r})
    import workers_tasks
    from omnitwin.system.workers import work_through
    for process in work_through(workers_tasks.slow_process_id, [(0.0 if n == 0 else 3.0,) for n in range(50)], 2):
        print(process, flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_script_that_is_stopped_ends_at_once_and_leaves_no_process(tmp_path, sent):
    """It has no `if __name__ == "__main__"`, and a module of the working folder is not taken for Python's own.

    Killed, it cannot end its processes: they end with the task that they have.
    """
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT.format(folder=os.path.dirname(tasks.__file__))))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "json.py").write_text("raise SystemExit('the wrong json')")
    running = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, cwd=tmp_path / "elsewhere"
    )
    assert running.stdout is not None
    worker = int(running.stdout.readline())
    started = time.monotonic()
    running.send_signal(sent)
    running.wait(20)
    assert time.monotonic() - started < 2
    running.stdout.close()
    for _ in range(100):
        if not tasks.is_alive(worker):
            break
        time.sleep(0.1)
    assert not tasks.is_alive(worker)
