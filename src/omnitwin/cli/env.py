"""`omnitwin env`."""

from omnitwin.cli.options import Json


def env(json: Json = False) -> None:
    """Print what a bug report needs: versions, devices, folders and the default network."""
    from omnitwin.answers.environment import describe_environment
    from omnitwin.view.console import print_json, result_console
    from omnitwin.view.tables import show_environment

    report = describe_environment()
    if json:
        print_json(report)
    else:
        show_environment(report, result_console())
