"""`omnitwin use`."""

from typing import Annotated

import typer

from omnitwin.cli.options import Json, Quiet, complete_checkpoint


def use(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="A run's name or folder, a weights file, or bundled. Alone: tell which it is.",
            show_default=False,
            autocompletion=complete_checkpoint,
        ),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Choose the network that compare and eval take where no --checkpoint is given.

    At first it is the bundled one, and a training never changes it: where the one chosen is trained on, choose it anew.
    newest stands for the run that is the newest now.
    """
    from omnitwin.answers import choosing
    from omnitwin.view.console import print_json, result_console
    from omnitwin.view.tables import show_choice

    report = choosing.chosen() if name is None else choosing.choose(name)
    if json:
        print_json(report)
    elif not quiet:
        show_choice(report, result_console())
