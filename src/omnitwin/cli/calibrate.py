"""`omnitwin calibrate`."""

from pathlib import Path
from typing import Annotated

import typer

from omnitwin.cli.options import Checkpoint, Device, Json, LabelFrom, Quiet, ThresholdTarget, check_data, complete_place
from omnitwin.config import DATASETS, CalibrateConfig, Target
from omnitwin.errors import BadInput, CannotRun


def calibrate(
    data: Annotated[
        str,
        typer.Option(
            "--data",
            metavar="DATA",
            help="A folder with a folder of images for each class, or a CSV or TSV of paths and labels.",
            autocompletion=complete_place,
        ),
    ],
    checkpoint: Checkpoint = None,
    label_from: LabelFrom = None,
    target: ThresholdTarget = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="Name of the new verifier.", show_default="network and data"),
    ] = None,
    device: Device = CalibrateConfig.device,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Choose threshold and calibration of a trained network on your own images: ten classes of two images, or more.

    The network stays as it is. A new verifier with the same weights is written among the runs, for compare and use. Its
    errors are told before and after, estimated on classes that did not choose its threshold.
    """
    check_data(data)
    if data in DATASETS:
        raise BadInput(f"{data} has its own threshold from training", "Give a folder or a table of your own images.")
    config = CalibrateConfig(
        data=Path(data),
        checkpoint=checkpoint,
        pattern=label_from,
        target=target or Target(),
        name=name,
        device=device,
    )
    from omnitwin.answers import calibrating
    from omnitwin.view.calibrating import show_calibration, warn_of_calibration
    from omnitwin.view.console import message_console, print_json, result_console
    from omnitwin.view.progress import reporter

    report = calibrating.calibrate_network(config, reporter(quiet))
    if not quiet:
        warn_of_calibration(report, message_console())
    if json:
        print_json(report)
    elif not quiet:
        show_calibration(report, result_console())
    if report.problem is not None:
        raise CannotRun(report.problem, "No verifier was written.")
