"""The words on the command line, and how the program ends."""

import importlib
import os
import re
import subprocess
import sys

import pytest
import torch
import typer
from conftest import failing

import omnitwin
from omnitwin import errors
from omnitwin.cli import COMMANDS, app
from omnitwin.system import paths
from omnitwin.view import console

# by the design, not by the classes: what each refusal exits with
EXIT_CODES = {
    "OmnitwinError": 3,
    "BadInput": 2,
    "BadImage": 2,
    "CannotRun": 3,
    "DatasetMissing": 3,
    "DatasetCorrupt": 3,
    "DownloadFailed": 3,
    "DeviceMissing": 3,
    "BadCheckpoint": 3,
    "CannotWrite": 3,
    "FolderInUse": 3,
    "TrainingDiverged": 3,
}


def options_of(command):
    """Every spelling of every option, such as `--quiet` and `-q`."""
    parameters = typer.main.get_command(app).commands[command].params
    return [word for parameter in shown(parameters) for word in parameter.opts if word.startswith("-")]


def shown(parameters):
    """Those that help tells of; an old name of an option is understood, but hidden."""
    return [parameter for parameter in parameters if not getattr(parameter, "hidden", False)]


def python_m_omnitwin(*words, **variables):
    command = [sys.executable, "-m", "omnitwin", *words]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **variables}, check=False)


def test_version_is_the_packages(run):
    outcome = run("--version")
    assert (outcome.code, outcome.out, outcome.err) == (0, f"omnitwin {omnitwin.__version__}\n", "")


def test_python_m_omnitwin_is_the_same_program():
    done = python_m_omnitwin("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"omnitwin {omnitwin.__version__}\n", "")


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_every_command(run, flag):
    outcome = run(flag)
    assert outcome.code == 0
    assert outcome.err == ""
    assert all(f" {name} " in outcome.out for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_names_each_of_its_options(run, command):
    outcome = run(command, "--help")
    assert outcome.code == 0
    assert outcome.err == ""
    words = outcome.out.replace(",", "").split()
    assert [option for option in options_of(command) if option not in words] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_h_is_short_for_help(run, command):
    assert run(command, "-h") == run(command, "--help")


def test_help_keeps_the_square_brackets_of_an_optional_value(run):
    assert "[RUN]" in run("train", "--help").out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_values_by_a_word_and_flags_by_nothing(run, command):
    text = run(command, "--help").out
    assert "<" not in text
    assert "{" not in text
    assert "(None)" not in text
    commands = typer.main.get_command(app).commands
    for option in (
        each for each in shown(commands[command].params) if each.opts[0].startswith("-") and not each.is_flag
    ):
        assert re.search(rf"{option.opts[0]} [A-Z\[]", text), option.opts


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_the_terminal_and_leaves_half_of_it_to_the_words(run, monkeypatch, command, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = run(command, "--help").out.splitlines()
    assert max(map(len, lines)) <= columns
    options = lines[lines.index("Options:") + 1 :]
    texts = [match.start(1) for line in options if (match := re.match(r"  -\S.*?  +(\S)", line))]
    assert len(texts) > 1
    assert max(texts) <= columns / 2


@pytest.mark.parametrize("force", ["GITHUB_ACTIONS", "FORCE_COLOR"])
def test_no_color_wins_over_what_forces_colours(force):
    variables = {"NO_COLOR": "1", force: "1"}
    for words in (["--help"], ["compare", "--help"], ["eval", "--exam", "nothing"], ["env"], ["compare", "a", "b"]):
        ended = python_m_omnitwin(*words, **variables)
        assert "\x1b" not in ended.stdout + ended.stderr
        assert ended.stdout + ended.stderr


@pytest.mark.parametrize("name", ["compare", "demo", "download", "env", "eval", "report", "show", "train", "use"])
def test_the_modules_of_the_commands_are_reached_by_their_names(name):
    module = importlib.import_module(f"omnitwin.cli.{name}")
    assert getattr(omnitwin.cli, name) is module
    assert module.__doc__ == f"`omnitwin {name}`."


def test_no_command_shows_the_help_and_exits_2(run):
    outcome = run()
    assert outcome.code == 2
    assert outcome.out.startswith("Usage: omnitwin [OPTIONS] COMMAND")
    assert outcome.err == ""


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["trian"], "trian"),
        (["--verbose"], "--verbose"),
        (["eval", "--batchsize", "3"], "--batchsize"),
        (["eval", "--batches"], "--batches"),
        (["eval", "--batches", "many"], "--batches"),
        (["eval", "--batches", "0"], "--batches"),
        (["eval", "--batch-size", "0"], "--batch-size"),
        (["show", "--pairs", "-1"], "--pairs"),
        (["train", "extra"], "extra"),
        (["compare", "only.png"], "B.png"),
        (["train", "--recipe", "large"], "large"),
        (["train", "--iterations", "0"], "iterations"),
        (["train", "--learning-rate", "nan"], "learning_rate"),
        (["train", "--name", "../elsewhere"], "../elsewhere"),
        (["train", "--name", ".."], ".."),
        (["compare", "a.png", "b.png", "--threshold", "1.5"], "1.5"),
        (["compare", "a.png", "b.png", "--threshold", "nan"], "nan"),
        (["compare", "a.png", "b.png", "--figure", "picture.txt"], "picture.txt"),
    ],
)
def test_wrong_words_exit_2_with_one_line_that_names_them(run, words, named):
    outcome = run(*words)
    assert outcome.code == 2
    assert named in outcome.complaint()


def test_table_of_exit_codes_has_every_error():
    def tree(error):
        return {error.__name__}.union(*map(tree, error.__subclasses__()))

    assert tree(errors.OmnitwinError) == EXIT_CODES.keys()


@pytest.mark.parametrize("name", EXIT_CODES)
def test_each_error_becomes_one_line_and_its_exit_code(run, name):
    outcome = run(program=failing(getattr(errors, name)("no\nluck", "Try\nthat.")))
    assert outcome.code == EXIT_CODES[name]
    assert outcome.complaint() == "omnitwin: no luck. Try that."


def test_each_line_ends_with_the_hint_of_its_kind(run):
    outcome = run(program=failing(errors.DatasetMissing("nothing here")))
    assert outcome.complaint() == "omnitwin: nothing here. Run: omnitwin download"


def test_unexpected_failure_exits_70_with_one_line_that_says_how_to_see_more(run):
    outcome = run(program=failing(RuntimeError("first\nsecond")))
    assert outcome.code == 70
    line = outcome.complaint()
    assert "RuntimeError: first second" in line
    assert "OMNITWIN_DEBUG=1" in line


@pytest.mark.parametrize(("error", "code"), [(RuntimeError("boom"), 70), (errors.BadInput("boom"), 2)])
def test_debug_variable_shows_the_traceback_and_keeps_the_exit_code(run, monkeypatch, error, code):
    monkeypatch.setenv("OMNITWIN_DEBUG", "1")
    outcome = run(program=failing(error))
    assert outcome.code == code
    assert "Traceback (most recent call last)" in outcome.err


def test_debug_variable_of_zero_is_off(run, monkeypatch):
    monkeypatch.setenv("OMNITWIN_DEBUG", "0")
    assert "Traceback" not in run(program=failing(RuntimeError("boom"))).err


def test_debug_variable_shows_the_traceback():
    done = python_m_omnitwin("train", "--max-time", "soon", OMNITWIN_DEBUG="1")
    assert "Traceback (most recent call last)" in done.stderr
    assert "BadInput: 'soon' is no duration" in done.stderr


def test_debug_variable_does_not_change_the_exit_code():
    assert python_m_omnitwin("train", "--max-time", "soon", OMNITWIN_DEBUG="1").returncode == 2


def test_control_c_exits_130_without_a_traceback(run):
    outcome = run(program=failing(KeyboardInterrupt()))
    assert outcome.code == 130
    assert "Traceback" not in outcome.err


def test_control_c_says_that_it_interrupted(run):
    assert run(program=failing(KeyboardInterrupt())).complaint() == "omnitwin: interrupted."


def test_control_characters_in_wrong_words_do_not_reach_the_terminal(run):
    outcome = run("tr\x1b[31main\x07")
    assert outcome.code == 2
    assert "\\x1b[31m" in outcome.complaint()
    assert "\x1b" not in outcome.err


def test_markup_in_wrong_words_is_printed_as_it_is(run):
    assert "[red]x" in run("train", "--max-time", "[red]x").complaint()


def test_home_option_beats_the_variable(run, tmp_path):
    outcome = run("--home", tmp_path / "elsewhere", "env", "--json")
    assert outcome.code == 0
    assert str(tmp_path / "elsewhere") in outcome.out
    assert str(tmp_path / "home") not in outcome.out


def test_fish_is_told_whether_there_are_words_to_offer_or_files():
    asked = {"_OMNITWIN_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "is-args"}
    assert python_m_omnitwin(**asked, _TYPER_COMPLETE_ARGS="omnitwin tr").returncode == 0
    assert python_m_omnitwin(**asked, _TYPER_COMPLETE_ARGS="omnitwin compare a").returncode == 1


def test_powershell_is_given_words_with_their_meaning():
    asked = {"_OMNITWIN_COMPLETE": "complete_powershell"}
    command = {"_TYPER_COMPLETE_ARGS": "omnitwin tr", "_TYPER_COMPLETE_WORD_TO_COMPLETE": "tr"}
    assert python_m_omnitwin(**asked, **command).stdout.startswith("train:::Train a twin network")
    option = {"_TYPER_COMPLETE_ARGS": "omnitwin train --device ", "_TYPER_COMPLETE_WORD_TO_COMPLETE": ""}
    words = [line.split(":::")[0] for line in python_m_omnitwin(**asked, **option).stdout.splitlines()]
    assert words == ["auto", "cpu", "cuda", "cuda:0", "mps"]


WRONG_QUESTIONS = [
    {"_OMNITWIN_COMPLETE": "complete_x"},
    {"_OMNITWIN_COMPLETE": "nonsense"},
    {"_OMNITWIN_COMPLETE": "bash_complete"},
    {"_OMNITWIN_COMPLETE": "complete_bash"},
    {"_OMNITWIN_COMPLETE": "complete_bash", "COMP_CWORD": "1"},
    *({"_OMNITWIN_COMPLETE": "complete_bash", "COMP_WORDS": "omnitwin tr", "COMP_CWORD": number}
      for number in ("", "zz", "-1", "1.5", "9" * 5000, "\u0b68x")),
    {"_OMNITWIN_COMPLETE": "complete_fish"},
    {"_OMNITWIN_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "zz"},
]  # fmt: skip


@pytest.mark.parametrize("asked", WRONG_QUESTIONS, ids=lambda asked: "-".join(asked.values())[:40])
def test_a_question_that_no_completion_script_asks_is_refused(run, monkeypatch, asked):
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    outcome = run()
    assert outcome.code == 2
    assert "Unset _OMNITWIN_COMPLETE." in outcome.complaint()


@pytest.mark.parametrize(
    "line", ["", " ", '"', "omnitwin 'a", "omnitwin compare \\", "omnitwin --version", "omnitwin -h "]
)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_a_line_that_is_not_finished_is_completed_by_nothing_or_something(run, monkeypatch, shell, line):
    asked = {"COMP_WORDS": line, "COMP_CWORD": "99", "_TYPER_COMPLETE_ARGS": line}
    for name, value in {**asked, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("_OMNITWIN_COMPLETE", f"complete_{shell}")
    outcome = run()
    assert (outcome.code, outcome.err) == (0, "")


@pytest.mark.parametrize("code", [0, 1, 5, True, None, "words"])
def test_a_library_that_exits_has_given_no_answer(run, code):
    outcome = run(program=failing(SystemExit(code)))
    assert outcome.code == 3
    assert "ended the program" in outcome.complaint()


@pytest.mark.parametrize("code", [0, 1, 5])
def test_an_exit_code_that_is_not_ours_is_no_answer(run, code):
    assert run(program=failing(typer.Exit(code))).code == 3


def test_an_exception_that_is_no_error_to_python_is_a_bug_too(run):
    """Those of Rust's libraries. Nothing would catch it, and Python would exit with 1."""
    assert run(program=failing(BaseException("panicked"))).code == 70


def test_a_message_that_there_is_no_memory_for_does_not_change_the_code(run, monkeypatch):
    def fail(*words):
        raise MemoryError

    monkeypatch.setattr(console, "say", fail)
    outcome = run(program=failing(errors.BadInput("boom \x1b[31m\xe4")))
    assert (outcome.code, outcome.err) == (2, "omnitwin: boom \\x1b[31m\\xe4.\n")


@pytest.mark.parametrize("columns", ["0", "-5", "999999999999", "9" * 5000, "abc", ""])
@pytest.mark.parametrize("name", ["COLUMNS", "TERMINAL_WIDTH"])
def test_a_width_that_no_terminal_has_hides_nothing(run, monkeypatch, name, columns):
    monkeypatch.setenv(name, columns)
    assert "nobody" in run("use", "nobody").complaint()
    assert " compare " in run("--help").out


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(36, "File name too long", "nnn"), "cannot use nnn: File name too long."),
        (PermissionError(13, "Permission denied", "nnn"), "cannot use nnn: Permission denied."),
        (OSError(12, "Cannot allocate memory"), "cannot go on: Cannot allocate memory."),
    ],
)
def test_what_the_system_refuses_exits_3_and_is_named(run, error, told):
    outcome = run(program=failing(error))
    assert (outcome.code, outcome.complaint()) == (3, f"omnitwin: {told}")


def test_a_library_that_speaks_of_the_system_in_its_own_words_is_a_bug(run):
    assert run(program=failing(OSError("broken data stream"))).code == 70


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 1.00 GiB)"),
    ],
)
def test_too_little_memory_exits_3_wherever_it_is_noticed(run, error):
    outcome = run(program=failing(error))
    assert outcome.code == 3
    assert "too little memory" in outcome.complaint()
    assert "--device cpu" in outcome.complaint()


@pytest.mark.parametrize("found", [RuntimeError("could not determine the home directory"), "~/.cache/omnitwin"])
def test_a_user_without_a_home_is_told_to_name_a_folder(run, monkeypatch, found):
    class Folders:
        def __init__(self, name, appauthor):
            pass

        def __getattr__(self, name):
            if isinstance(found, str):
                return found
            raise found

    monkeypatch.delenv("OMNITWIN_HOME")
    monkeypatch.setattr(paths, "PlatformDirs", Folders)
    for words in (("env",), ("runs",), ("download",)):
        outcome = run(*words)
        assert outcome.code == 3
        assert outcome.complaint() == (
            "omnitwin: this user has no home folder. Say where to keep things: --home FOLDER, or OMNITWIN_HOME."
        )


@pytest.mark.parametrize(
    "words",
    [
        ("compare", "a.png", ""),
        ("compare", "", "a.png"),
        ("--home", "", "env"),
        ("--home=", "env"),
        ("compare", "a.png", "b.png", "--checkpoint", ""),
        ("download", "--from="),
        ("train", "--name", ""),
    ],
)
def test_an_empty_word_is_no_name_of_the_working_folder(run, words):
    """`compare "$A" "$UNSET"` would rank the folder, and exit 0 as if both were the same."""
    outcome = run(*words)
    assert outcome.code == 2
    assert "Is a variable of the script not set?" in outcome.complaint()


def test_a_file_that_is_called_like_an_option_is_told_how_to_be_named(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-dash.png").touch()
    outcome = run("compare", "-dash.png", "a.png")
    assert outcome.code == 2
    assert "./-dash.png" in outcome.complaint()


def test_a_name_from_outside_that_is_very_long_is_cut_short(run):
    outcome = run("show", "--data", "x" * 100_000)
    assert outcome.code == 2
    assert len(outcome.err) < 2100
    assert len(outcome.err.splitlines()) == 1
