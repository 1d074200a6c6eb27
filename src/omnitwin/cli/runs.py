"""`omnitwin runs`."""

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from omnitwin.cli.help import SETTINGS, Command, Group, summary
from omnitwin.cli.options import Json, Quiet, complete_stored_run
from omnitwin.errors import BadInput


def runs(context: typer.Context, json: Json = False) -> None:
    """List the trained runs: recipe, data, iterations, held-out error rate, age and size.

    Commands rename and remove them.
    """
    if context.invoked_subcommand is not None:
        return
    from omnitwin.answers import runs as stored
    from omnitwin.view.console import print_json, result_console
    from omnitwin.view.tables import show_runs

    report = stored.list_runs()
    if json:
        print_json(report)
    else:
        show_runs(report, result_console())


def rename(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The run's name now.", autocompletion=complete_stored_run)],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")],
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Rename a run. If it is the choice of omnitwin use, it stays the choice."""
    from omnitwin.answers import runs as stored
    from omnitwin.view.console import print_json, result_console, say

    report = stored.rename_run(old, new)
    if json:
        print_json(report)
    elif not quiet:
        chosen = "; it still answers without --checkpoint" if report.chosen else ""
        say(result_console(), f"{report.old} is now {report.new}{chosen}: {report.folder}")


def remove(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME", help="The runs' names.", autocompletion=complete_stored_run)
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Remove runs for good, after asking.

    If one of them may not be removed, none is: a run that another process writes, the choice of omnitwin use, and a
    folder with files that omnitwin did not write.
    """
    from omnitwin.answers import runs as stored
    from omnitwin.reports.nouns import counted
    from omnitwin.view.console import print_json, result_console, say
    from omnitwin.view.words import bytes_in_words

    found = stored.find_runs(names)
    for run in found:
        stored.check_removable(run)
    if not yes and not _confirmed(found):
        return
    report = stored.remove_runs([run.name for run in found])
    if json:
        print_json(report)
    elif not quiet:
        freed = bytes_in_words(report.bytes)
        say(result_console(), f"Removed {counted(len(report.removed), 'run')}, {freed}: {', '.join(report.removed)}")


def _confirmed(found: Any) -> bool:
    """Ask on the terminal. Raises BadInput if there is none."""
    from omnitwin.view.console import message_console, say
    from omnitwin.view.tables import show_runs_to_remove

    if not sys.stdin or not sys.stdin.isatty():
        raise BadInput("nothing was removed: there is no terminal to ask on", "To remove without asking: --yes")
    console = message_console()
    show_runs_to_remove(found, console)
    console.print("Remove for good? [y/N] ", end="", markup=False)
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return True
    say(console, "Nothing was removed.")
    return False


COMMANDS: dict[str, Callable[..., None]] = {"rename": rename, "remove": remove}
app = typer.Typer(cls=Group, invoke_without_command=True, rich_markup_mode=None, context_settings=SETTINGS)
app.callback(help=runs.__doc__)(runs)
for name, command in COMMANDS.items():
    app.command(name, cls=Command, short_help=summary(command.__doc__ or ""))(command)
