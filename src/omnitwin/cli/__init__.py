"""The command `omnitwin`: words become a config, the library does the work, a view draws its report.

`main` is the one place where an error becomes a line on stderr and an exit code.
"""

import os
import sys
from collections.abc import Callable, Sequence
from glob import glob
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from omnitwin import __version__
from omnitwin.cli import (
    cache,
    calibrate,
    compare,
    demo,
    download,
    duplicates,
    embed,
    env,
    eval,
    group,
    index,
    map,
    report,
    runs,
    search,
    show,
    train,
    use,
)  # modules, under their own names
from omnitwin.cli.completing import is_asked
from omnitwin.cli.help import SETTINGS, Command, Group, summary
from omnitwin.cli.streams import guarded_streams
from omnitwin.errors import BadInput, ExitCode, OmnitwinError
from omnitwin.system import failures, leaving
from omnitwin.system.paths import HOME_VARIABLE, is_set

app = typer.Typer(
    name="omnitwin",
    help="Train a twin network to tell whether two images show the same thing, measure it, and ask it.",
    cls=Group,
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=SETTINGS,
)
# How often a waiting thread of torch looks again before it gives up its core; libgomp reads it when loaded. On two
# shared cores 40 iterations of fast took 51, 53 and 81 s with the default 300,000, and 22, 26 and 58 s with this; the
# weights are the same. 1,000 and OMP_WAIT_POLICY=PASSIVE make small operations slower on a free machine.
SPINS = "10000"
LONGEST_LINE = 2000  # characters of a message: names and texts from outside may be far longer
# Variables that give the terminal's size. With 0 columns Rich prints nothing, with a billion it fills the memory.
SIZES, MOST_DIGITS = ("COLUMNS", "LINES", "TERMINAL_WIDTH"), 4
LEAVES_PATTERNS = os.name == "nt"  # whether the shell leaves them to the program
COMMANDS: dict[str, Callable[..., None]] = {
    "download": download.download,
    "show": show.show,
    "train": train.train,
    "eval": eval.evaluate,
    "compare": compare.compare,
    "duplicates": duplicates.duplicates,
    "group": group.group,
    "map": map.map_images,
    "calibrate": calibrate.calibrate,
    "index": index.index,
    "search": search.search,
    "embed": embed.embed,
    "use": use.use,
    "runs": runs.runs,
    "report": report.report,
    "cache": cache.cache,
    "demo": demo.demo,
    "env": env.env,
}
GROUPS = {"runs": runs.app}  # commands that have commands of their own
for name, command in COMMANDS.items():
    if name in GROUPS:
        app.add_typer(GROUPS[name], name=name, short_help=summary(command.__doc__ or ""))
        continue
    app.command(name, cls=Command, short_help=summary(command.__doc__ or ""))(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"omnitwin {__version__}")
        raise typer.Exit(ExitCode.DONE)


@app.callback()
def _common(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(
            "--home",
            metavar="FOLDER",
            help=f"Keep data and runs under this folder (also: {HOME_VARIABLE}).",
            show_default="the user's cache and data folders",
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    if home is not None:
        os.environ[HOME_VARIABLE] = str(home)
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(ExitCode.BAD_INPUT)


def main(words: Sequence[str] | None = None, program: typer.Typer = app) -> NoReturn:
    """Run the command line and exit with the code that errors.ExitCode names.

    words: of the command line, after the program's name; None: those of this process
    program: the Typer application that takes the words
    """
    given = sys.argv[1:] if words is None else list(words)
    for name in SIZES:
        size = os.environ.get(name, "1")
        if not (size.isdecimal() and len(size) <= MOST_DIGITS and int(size)):
            del os.environ[name]
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
    with guarded_streams():
        try:
            code = _run(given, program)
            sys.stdout.flush()
        except OmnitwinError as error:  # the last of the output could not be written
            code = _complain(error.line(), error.exit_code)
        except KeyboardInterrupt:
            code = _complain("interrupted.", ExitCode.INTERRUPTED)
    sys.exit(code)


def _words(given: Sequence[str], patterns: bool = LEAVES_PATTERNS) -> list[str]:
    """Return the words that the program takes for those given.

    patterns: whether one such as *.png becomes the files that it matches, as shells do elsewhere

    Raises BadInput for an empty word: as a path it would be the working folder, which nobody means.
    """
    for word in given:
        name, equals, value = word.partition("=")
        if not word or (name.startswith("--") and equals and not value):
            where = f"{name} has no value" if word else "one of the words is empty"
            raise BadInput(where, "Is a variable of the script not set?")
    found = (word_or_files(word) if patterns else [word] for word in given)
    return train.spell_out_resume([name for names in found for name in names])


def word_or_files(word: str) -> list[str]:
    """Return the files that a word with * or ? matches, or the word itself if it matches none."""
    pattern = word.replace("[", "[[]")  # Windows allows [ in a name, unlike * and ?
    return (sorted(glob(pattern)) if "*" in word or "?" in word else []) or [word]


def _run(given: Sequence[str], program: typer.Typer) -> ExitCode:
    asked = False
    try:
        asked = is_asked(given)
        return _own(program(_words(given), prog_name="omnitwin", standalone_mode=False))
    except OmnitwinError as error:
        _show_traceback_if_wanted()
        return _complain(error.line(), error.exit_code)
    except TyperException as error:  # a wrong word on the command line
        text = error.format_message()
        if files := [word for word in given if word.startswith("-") and os.path.exists(word)]:
            text += f" The file of that name: ./{files[0]}"
        text = text if text.endswith((".", "?")) else f"{text}."
        context = getattr(error, "ctx", None)
        return _complain(f"{text} See: {context.command_path if context else 'omnitwin'} --help", ExitCode.BAD_INPUT)
    except SystemExit as ending:
        if asked and ending.code in (0, 1):  # tells fish whether to offer files
            return ExitCode(ending.code)
        if ending.code == 0 and failures.raised_in(ending) == "typer.completion":  # --show-completion has shown it
            return ExitCode.DONE
        return _complain(failures.LEFT.format(ending.code), ExitCode.CANNOT_RUN)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # some libraries' are no Exception
        _show_traceback_if_wanted()
        return _complain(*failures.explained(error))


def _own(code: object) -> ExitCode:
    """Return what a command ended with. Only an ExitCode is ours; None is that of a command that came to its end."""
    if code is None or isinstance(code, ExitCode):
        return code or ExitCode.DONE
    if code == ExitCode.INTERRUPTED:  # Typer's own answer to Ctrl-C, without a message
        return _complain("interrupted.", ExitCode.INTERRUPTED)
    return _complain(failures.LEFT.format(code), ExitCode.CANNOT_RUN)


def _show_traceback_if_wanted() -> None:
    if is_set("OMNITWIN_DEBUG"):
        import traceback

        from omnitwin.view.console import message_console, say

        for line in traceback.format_exc().splitlines():  # they may hold text from outside
            say(message_console(), line)


def _complain(text: str, code: ExitCode) -> ExitCode:
    """Tell of a failure in one line. A message that cannot be told does not change the code."""
    try:
        from omnitwin.view.console import message_console, say

        line = " ".join(text.split())
        line = line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]} ..."
        say(message_console(), f"omnitwin: {line}", "bold red")
    except Exception:  # no memory for Rich
        leaving.say(text)
    return code
