"""Progress is whole lines where nobody watches, and a monitor in a terminal."""

import io

import pytest
from rich.console import Console
from terminals import plan, step, terminal

from omnitwin.reports.progress import SILENT
from omnitwin.view.progress import LineReporter, LiveReporter, opening, reporter


def live(width=80):
    return Console(file=io.StringIO(), force_terminal=True, width=width)


def test_quiet_is_silence():
    assert reporter(quiet=True) is SILENT


@pytest.mark.usefixtures("capsys")
def test_without_a_terminal_progress_is_lines():
    assert type(reporter(quiet=False)) is LineReporter


def test_progress_goes_to_stderr(capsys):
    reporter(quiet=False).note("one line")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "one line\n")


def test_with_a_terminal_progress_is_live():
    assert type(reporter(quiet=False, console=live())) is LiveReporter


def test_notes_and_warnings_are_whole_lines_however_narrow():
    console = terminal(20)
    LineReporter(console).note("a note of many words, wider than the terminal")
    LineReporter(console).warn("something that should not be missed")
    assert console.file.text() == (
        "a note of many words, wider than the terminal\nWarning: something that should not be missed\n"
    )


def test_a_task_is_one_line_with_its_size():
    console = terminal()
    with LineReporter(console).task("Fetching images.zip", 9_464_212, "bytes") as advance:
        advance(1000)
    with LineReporter(console).task("Comparing", 1500, "pairs") as advance:
        advance(1500)
    assert console.file.text() == "Fetching images.zip: 9.5 MB\nComparing: 1,500 pairs\n"


def test_training_is_an_opening_a_line_now_and_then_and_the_last_iteration():
    console = terminal(30)
    with LineReporter(console).training(plan(iterations=50)) as show:
        for iteration in range(1, 51):
            show(step(iteration))
    lines = console.file.text().splitlines()
    assert lines[0] == opening(plan(iterations=50))
    assert "iteration 1/50" in lines[1]
    assert "iteration 50/50" in lines[2]
    assert len(lines) == 3
    assert console.file.text().endswith("\n")


def test_a_line_comes_each_time_the_interval_is_over():
    console = terminal()
    clock = iter(range(1000, 10_000, 5))
    with LineReporter(console, lambda: float(next(clock))).training(plan(iterations=100)) as show:
        for iteration in range(1, 11):  # 5 seconds each: a line every 15 seconds
            show(step(iteration))
    told = [line.split()[1] for line in console.file.text().splitlines()[1:]]
    assert told == ["1/100", "4/100", "7/100", "10/100"]


def test_time_left_is_that_of_the_iterations_of_this_session():
    console = terminal()
    with LineReporter(console).training(plan(iterations=100, first_iteration=91)) as show:
        show(step(95, elapsed_seconds=10))  # 5 done in 10 seconds, 5 to do
    assert console.file.text().splitlines()[-1].endswith("elapsed 0:10  left 0:10")


def test_opening_tells_what_ends_a_run_early():
    assert "classes of synthetic/training, or until 2 exams in a row found no better network. " in opening(
        plan(patience=2)
    )


def test_opening_tells_where_a_resumed_run_starts():
    assert "from iteration 91" in opening(plan(first_iteration=91))
    assert "from iteration" not in opening(plan())


def test_live_training_shows_iteration_loss_speed_and_time():
    console = live()
    with LiveReporter(console).training(plan(iterations=20)) as show:
        for iteration in range(1, 21):
            show(step(iteration, loss=0.7 - iteration / 100))
    text = console.file.getvalue()
    assert all(word in text for word in ("20 / 20", "10.00 it/s, 80 pairs/s", "0.5000", "100%", "▁"))


def test_live_training_shows_the_newest_held_out_error_and_the_best():
    console = live()
    with LiveReporter(console).training(plan(iterations=400)) as show:
        for iteration, error in ((100, 0.25), (200, 0.125), (300, 0.1875), (301, None)):
            show(step(iteration, held_out_eer=error))
    assert "18.8 % (best 12.5 % at iteration 200)" in console.file.getvalue()


def test_live_training_without_held_out_alphabets_tells_no_error_of_theirs():
    console = live()
    with LiveReporter(console).training(plan(held_out=())) as show:
        show(step(1))
    assert "held-out" not in console.file.getvalue()


def test_live_training_gives_the_cursor_back_after_a_failure():
    console = live()

    def fail_while_training():
        with LiveReporter(console).training(plan()) as show:
            show(step(1))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_while_training()
    hidden, shown = (console.file.getvalue().rfind(f"\x1b[?25{mark}") for mark in "lh")
    assert shown > hidden > -1


def test_live_training_needs_no_step():
    with LiveReporter(live()).training(plan()):
        pass


@pytest.mark.parametrize("total", [0, 1, 3000])
@pytest.mark.parametrize("unit", ["bytes", "images"])
def test_live_tasks_end_with_any_total(total, unit):
    console = live()
    with LiveReporter(console).task("Fetching [red]x", total, unit) as advance:
        advance(total)
    assert "Fetching" in console.file.getvalue()


def test_markup_in_the_label_of_a_live_task_is_shown_as_it_is():
    console = live()
    with LiveReporter(console).task("Fetching [red]x", 10, "images") as advance:
        advance(10)
    assert "[red]x" in console.file.getvalue()


def test_live_notes_and_warnings_are_shown_while_training():
    console = live()
    reporter = LiveReporter(console)
    with reporter.training(plan()) as show:
        show(step(1))
        reporter.warn("collapsed")
        show(step(2))
    assert "Warning: collapsed" in console.file.getvalue()


def test_live_progress_without_unicode_is_ascii():
    console = terminal(colour=True, encoding="ascii")
    reporter = LiveReporter(console)
    with reporter.task("Packing", 10, "images") as advance:
        advance(5)
    with reporter.training(plan()) as show:
        show(step(1))
        show(step(2, loss=0.1))
    assert "2 / 100" in console.file.text()  # Paper is strict: other characters would have raised
