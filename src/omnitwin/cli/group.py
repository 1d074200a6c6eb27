"""`omnitwin group`."""

from typing import Annotated

import typer

from omnitwin.cli.galleries import Csv, MinProbability, Place, linkage_option, tell_what_was_left_out
from omnitwin.cli.options import Checkpoint, Device, Json, Quiet
from omnitwin.config import GroupConfig


def group(
    place: Place,
    min_probability: MinProbability = None,
    linkage: Annotated[str, linkage_option(GroupConfig.linkage)] = GroupConfig.linkage,
    labels_from_folders: Annotated[
        bool,
        typer.Option("--labels-from-folders", help="Tell how well the groups agree with the folders of the images."),
    ] = False,
    checkpoint: Checkpoint = None,
    csv: Csv = None,
    device: Device = GroupConfig.device,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Group the images that show the same thing, where the things are not known before.

    Groups are joined as long as they are similar enough: from the checkpoint's threshold on, or another probability.
    """
    config = GroupConfig(
        place=place,
        checkpoint=checkpoint,
        min_probability=min_probability,
        linkage=linkage,
        labels=labels_from_folders,
        device=device,
    )
    from omnitwin.gallery import grouping
    from omnitwin.view.console import print_json, result_console
    from omnitwin.view.csv_files import STDOUT
    from omnitwin.view.gallery_groups import GROUP_COLUMNS, check_csv, group_rows, show_groups, write_csv
    from omnitwin.view.progress import reporter

    check_csv(csv, json)
    report = grouping.group(config, reporter(quiet))
    tell_what_was_left_out(report.unread, report.doubtful, quiet)
    if json:
        print_json(report)
    elif not quiet and csv != STDOUT:
        show_groups(report, result_console())
    if csv is not None:
        write_csv(GROUP_COLUMNS, group_rows(report), csv)
