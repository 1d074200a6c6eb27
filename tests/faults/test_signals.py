"""Real processes, told to stop, hung up on, or left by the reader of what they say. Told twice: test_table.py."""

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from omnitwin.model.description import read_description
from omnitwin.system.paths import STATE_FILE

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="POSIX signals")]

TRAIN = ("train", "--recipe", "small", "--data", "synthetic", "--batch-size", "8", "--precision", "fp32")
LONG = ("--iterations", "100000")
WAIT = 120  # seconds that no healthy process needs


def start(*words, home, **how):
    environment = {**os.environ, "OMNITWIN_HOME": str(home), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-m", "omnitwin", *map(str, words)], env=environment, **how)


def wait_for(condition):
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)


def has_begun(run):
    metrics = Path(run) / "metrics.jsonl"
    return metrics.exists() and metrics.stat().st_size > 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_one_signal_finishes_the_step_and_saves(home, tmp_path, number, code):
    run = tmp_path / "run"
    process = start(*TRAIN, *LONG, "--output", run, home=home, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: has_begun(run))
    process.send_signal(number)
    _, said = process.communicate(timeout=WAIT)
    assert process.returncode == code
    assert "Traceback" not in said
    assert read_description(run / STATE_FILE).iteration >= 1


def test_a_terminal_that_is_closed_ends_a_training_as_saved(home, tmp_path):
    run = tmp_path / "run"
    leader, terminal = pty.openpty()
    process = start(
        *TRAIN,
        *LONG,
        "--output",
        run,
        home=home,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    wait_for(lambda: has_begun(run) or not os.read(leader, 1))
    os.close(leader)  # what is written from now on fails
    process.send_signal(signal.SIGHUP)
    assert process.wait(WAIT) == 129
    assert read_description(run / STATE_FILE).iteration >= 1


@pytest.mark.parametrize(
    "words",
    [
        ("eval", "--data", "synthetic", "--exam", "all-pairs", "--json"),
        (*TRAIN, "--iterations", "3"),
        ("env",),
        ("train", "--help"),
    ],
)
def test_a_reader_that_leaves_is_no_failure(home, words):
    process = start(*words, home=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read(1)
    process.stdout.close()
    with process.stderr:
        said = process.stderr.read().decode()
    assert process.wait(WAIT) == 0, said
    assert "Traceback" not in said
    assert "Error" not in said
