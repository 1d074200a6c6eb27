"""`omnitwin use`."""

from typing import Annotated

import typer

from omnitwin.cli.options import Json, Quiet, complete_checkpoint


def use(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="A run's name or folder, a weights file, newest or bundled. Without it: tell the choice.",
            show_default=False,
            autocompletion=complete_checkpoint,
        ),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Choose the network that compare and eval use without --checkpoint.

    The default is the bundled network, and training never changes it. After you resume the chosen run, choose it again:
    its weights have changed. newest means the newest run at this moment.
    """
    from omnitwin.answers import choosing
    from omnitwin.view.console import print_json, result_console
    from omnitwin.view.tables import show_choice

    report = choosing.chosen() if name is None else choosing.choose(name)
    if json:
        print_json(report)
    elif not quiet:
        show_choice(report, result_console(), made=name is not None)
