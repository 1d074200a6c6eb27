"""A few hostile inputs of each kind, always the same; `python tests/fuzz/long.py` is the long run."""

import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if sys.platform == "win32":
    pytest.skip("alarms, pipes and peaks of memory are asked of POSIX", allow_module_level=True)

from harness import Case, command_of, run_case, run_made, run_program
from kinds import KINDS, do_little_work
from word_cases import words_case

SEED = 0
COUNTS = {  # of every run of the tests, and of `make slow`
    "images": (40, 100),
    "places": (20, 30),
    "zips": (10, 20),
    "folders": (10, 20),
    "checkpoints": (16, 40),
    "packed": (8, 15),
    "records": (8, 20),
    "hostile": (4, 12),
    "servers": (12, 24),
    "work": (8, 20),
}
WORDS = 30


@pytest.fixture(autouse=True)
def little_work(monkeypatch):
    do_little_work(monkeypatch)


def some_and_more():
    """The first inputs of each kind, and more of them, which are slow."""
    for kind, (few, many) in COUNTS.items():
        yield pytest.param(kind, range(few), id=kind)
        yield pytest.param(kind, range(many), id=f"{kind}-more", marks=pytest.mark.slow)


@pytest.mark.parametrize(("kind", "numbers"), list(some_and_more()))
def test_hostile_input_ends_in_time_with_a_documented_code_and_one_clear_line(kind, numbers):
    results = [run_case(kind, KINDS[kind], SEED, number) for number in numbers]
    wrong = [f"{command_of(kind, SEED, one.number)}\n{one.problems} {one.told}" for one in results if one.problems]
    assert not wrong, "\n".join(wrong)
    assert {one.accepted for one in results} == ({False} if kind == "places" else {True, False})


@pytest.mark.slow
def test_nothing_outside_a_hostile_folder_is_touched():
    results = [run_case("hostile", KINDS["hostile"], SEED, number) for number in range(200)]
    wrong = [f"{command_of('hostile', SEED, one.number)}\n{one.problems} {one.told}" for one in results if one.problems]
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_bombs_are_refused_or_read_within_two_gigabytes():
    results = [run_case("bombs", KINDS["bombs"], SEED, number) for number in range(60)]
    wrong = [f"{command_of('bombs', SEED, one.number)}\n{one.problems} {one.told}" for one in results if one.problems]
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_costly_images_are_answered_or_refused_within_five_seconds():
    results = [run_case("costly", KINDS["costly"], SEED, number) for number in range(100)]
    wrong = [f"{command_of('costly', SEED, one.number)}\n{one.problems} {one.told}" for one in results if one.problems]
    assert not wrong, "\n".join(wrong)
    assert {one.accepted for one in results} == {True, False}


@pytest.mark.parametrize("count", [WORDS, pytest.param(4 * WORDS, marks=pytest.mark.slow)])
def test_any_command_line_is_answered_or_refused_in_one_line(tmp_path_factory, count):
    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(random=st.randoms(use_true_random=False))
    def check(random):
        result = run_made("words", words_case, random, tmp_path_factory.mktemp("words"))
        assert not result.problems, f"{result.problems} {result.told}"

    check()


def seen(case):
    """What the harness says of a case."""
    from pathlib import Path
    from random import Random
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        return run_made("made", lambda random, made: case, Random(0), Path(folder)).problems


def test_the_harness_notices_another_exit_code():
    assert seen(Case(words=("use", "nobody"), codes=(0, 2))) == ("exit code 3, not one of (0, 2)",)


def test_the_harness_notices_a_traceback(monkeypatch):
    assert "a traceback or a warning of Python's" in seen(
        Case(words=("use", "nobody"), variables={"OMNITWIN_DEBUG": "1"})
    )


def test_the_harness_notices_what_hangs(monkeypatch):
    import time

    from omnitwin.answers import environment

    monkeypatch.setattr(environment, "describe_environment", lambda: time.sleep(60))
    assert seen(Case(words=("env",), seconds=0.2)) == ("took longer than 0.2 s",)


def test_the_harness_hears_what_a_library_writes_to_stderr_by_itself(monkeypatch):
    import os

    from omnitwin.answers import choosing

    monkeypatch.setattr(choosing, "choose", lambda name: os.write(2, b"\x1b[31mlibrary\n") and choosing.chosen())
    assert seen(Case(words=("use", "bundled"))) == ("control characters ['\\x1b']",)


def test_the_harness_notices_memory():
    assert [problem for problem in seen(Case(words=("--version",), memory=1)) if problem.startswith("held ")]


def test_the_same_seed_and_number_give_the_same_words():
    from pathlib import Path

    from harness import random_of

    cases = [words_case(random_of("words", 1, number), Path("made")).words for number in (0, 1, 0)]
    assert cases[0] == cases[2] != cases[1]


def test_a_program_that_ends_well_is_told_as_such():
    assert run_program(("--version",)).code == 0
