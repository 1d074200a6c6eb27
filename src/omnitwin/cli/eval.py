"""`omnitwin eval`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from omnitwin.cli.options import (
    Checkpoint,
    DataOrNone,
    Device,
    Json,
    LabelFrom,
    OldDataset,
    Precision,
    Quiet,
    Split,
    any_of,
    data_given,
    exams_option,
    known,
    one_of,
    source_given,
)
from omnitwin.cli.stop import saying_what_was_done
from omnitwin.config import BASELINES, FIGURE_PAIRS, OLDER_SCOPES, SCOPES, SUBSETS, WAYS, EvalConfig
from omnitwin.errors import BadInput
from omnitwin.recipes import TORCHVISION

DEFAULT = EvalConfig()
OPTIONS_OF = {  # by exam: the parameters that it alone takes
    "pairs": ("batches", "batch_size", "show"),
    "one-shot": ("way", "shot", "episodes", "scope"),
}


def evaluate(
    context: typer.Context,
    exam: Annotated[list[str] | None, exams_option(DEFAULT.exams[0])] = None,
    batches: Annotated[int, typer.Option("--batches", min=1, help="pairs: number of batches.")] = DEFAULT.batches,
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=1, help="pairs: pairs in a batch.")
    ] = DEFAULT.batch_size,
    way: Annotated[
        int | None,
        typer.Option(
            "--way",
            min=2,
            help="one-shot: classes to choose from.",
            show_default=f"{WAYS}, or as many as there are",
        ),
    ] = DEFAULT.way,
    shot: Annotated[
        int, typer.Option("--shot", min=1, help="one-shot: examples of each class; their mean score counts.")
    ] = DEFAULT.shot,
    episodes: Annotated[
        int, typer.Option("--episodes", min=1, help="one-shot: number of questions.")
    ] = DEFAULT.episodes,
    scope: Annotated[
        str,
        typer.Option(
            "--scope",
            metavar="NAME",
            help="one-shot: take the classes from one group (alphabet), or from any.",
            autocompletion=one_of(*SCOPES),
            callback=known("scope", *SCOPES, older=OLDER_SCOPES),
        ),
    ] = DEFAULT.scope,
    seed: Annotated[int, typer.Option("--seed", help="The same seed draws the same, on any machine.")] = DEFAULT.seed,
    seeds: Annotated[
        int,
        typer.Option(
            "--seeds", min=1, help="Take the sampled exams with this many seeds: --seed, the next, and so on."
        ),
    ] = DEFAULT.seeds,
    checkpoint: Checkpoint = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="NAME",
            help=f"{any_of(*BASELINES)}: compare images without a network.",
            autocompletion=one_of(*BASELINES),
            callback=known("baseline", *BASELINES),
        ),
    ] = None,
    encoder: Annotated[
        str,
        typer.Option(
            "--encoder",
            metavar="NAME",
            help="frozen: a model of torchvision.",
            autocompletion=one_of(*TORCHVISION),
        ),
    ] = DEFAULT.encoder,
    weights: Annotated[
        str,
        typer.Option("--weights", metavar="NAME", help="frozen: default (ImageNet's), or a file of weights."),
    ] = DEFAULT.weights,
    data: DataOrNone = None,
    label_from: LabelFrom = None,
    split: Split = None,
    subset: Annotated[
        str,
        typer.Option(
            "--set",
            metavar="NAME",
            help=f"{any_of(*SUBSETS)}.",
            autocompletion=one_of(*SUBSETS),
            callback=known("set", *SUBSETS),
        ),
    ] = DEFAULT.subset,
    show: Annotated[int, typer.Option("--show", min=0, help="pairs: show this many with their scores.")] = DEFAULT.show,
    figures: Annotated[
        Path | None,
        typer.Option("--figures", metavar="FOLDER", help="Write figures (ROC, DET, scores and more) as PNG files."),
    ] = None,
    device: Device = DEFAULT.device,
    precision: Precision = DEFAULT.precision,
    json: Json = False,
    quiet: Quiet = False,
    dataset: OldDataset = None,
) -> None:
    """Measure a trained network on classes it never saw: by default with the example's exam, random pairs.

    A tie counts as wrong, no pair holds the same image twice, and the test set chooses nothing.
    """
    _check_options(context, exam or DEFAULT.exams)
    place = data_given(data, dataset)
    config = EvalConfig(
        exams=tuple(exam or DEFAULT.exams),
        batches=batches,
        batch_size=batch_size,
        way=way,
        shot=shot,
        episodes=episodes,
        scope=scope,
        seed=seed,
        seeds=seeds,
        checkpoint=checkpoint,
        baseline=baseline,
        encoder=encoder,
        weights=weights,
        dataset=place,
        source=source_given(place, label_from, split),
        subset=subset,
        device=device,
        precision=precision,
        show=show or (FIGURE_PAIRS if figures else 0),
    )
    if baseline is None:
        from omnitwin.answers.choosing import check_checkpoint

        check_checkpoint(checkpoint)
    from omnitwin.exams import evaluation
    from omnitwin.system.device import keep_freed_memory
    from omnitwin.system.locks import make_folder
    from omnitwin.view.console import print_json, result_console
    from omnitwin.view.exams import show_evaluation
    from omnitwin.view.plots import check_figures, write_figures
    from omnitwin.view.progress import reporter

    if figures is not None:
        make_folder(figures)  # a folder that cannot be made is refused before the exams, not after
        check_figures(figures)
    keep_freed_memory()
    report_to = reporter(quiet)
    with saying_what_was_done("Nothing was printed or written."):
        report = evaluation.evaluate(config, report_to)
    if json:
        print_json(report)
    elif not quiet:
        show_evaluation(report, result_console(), show)
    if figures is not None:
        written = [path.name for path in write_figures(report, figures)]
        report_to.note(f"Figures in {figures}: {', '.join(written) or 'none; these exams have no curves or pairs'}")


def _check_options(context: typer.Context, exams: Sequence[str]) -> None:
    """Raise BadInput for an option that none of the exams takes."""
    for owner, names in OPTIONS_OF.items():
        for name in names:
            source = context.get_parameter_source(name)
            if source is not None and source.name == "COMMANDLINE" and not {owner, "all"} & set(exams):
                raise BadInput(f"--{name.replace('_', '-')} belongs to the exam {owner}", f"Add --exam {owner}.")
