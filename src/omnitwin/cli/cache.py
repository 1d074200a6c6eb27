"""`omnitwin cache`."""

from typing import Annotated

import typer

from omnitwin.cli.options import Json, Quiet, complete_data, one_of, parse_age
from omnitwin.errors import BadInput, OmnitwinError


def complete_cached(incomplete: str) -> list[str]:
    """Offer folders, tables, and keys of what is kept."""
    from contextlib import suppress

    from omnitwin.system.paths import picture_folders

    keys: list[str] = []
    with suppress(OmnitwinError):
        keys = [folder.name for folder in picture_folders()]
    return [*one_of(*keys)(incomplete), *complete_data(incomplete)]


def cache(
    places: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PLACE",
            help="Only the images of these folders or tables, or with these keys.",
            show_default="all",
            autocompletion=complete_cached,
        ),
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Remove them: they are read again when needed.")] = False,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than",
            metavar="AGE",
            help="Only what was not used for this long: 12h, 30d, 8w.",
            show_default="any",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --clear: say what would be removed.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """List your own images that are kept decoded in the cache, with size and age, and clear them.

    omnitwin decodes your images once and keeps their pixels, so that the next training starts at once. Nothing is lost
    by clearing but time. Your own files are never touched.
    """
    unused = parse_age(older_than)
    if dry_run and not clear:
        raise BadInput("--dry-run has no effect without --clear", "Leave it out, or give both.")
    from omnitwin.data.cached import clear_cache, list_cache
    from omnitwin.view.cache import show_cache, show_clearing
    from omnitwin.view.console import print_json, result_console

    if clear:
        cleared = clear_cache(places or (), unused, dry_run)
        if json:
            print_json(cleared)
        elif not quiet:
            show_clearing(cleared, result_console())
        return
    report = list_cache(places or (), unused)
    if json:
        print_json(report)
    elif not quiet:
        show_cache(report, result_console(), chosen=bool(unused))
