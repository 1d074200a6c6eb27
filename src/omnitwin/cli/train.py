"""`omnitwin train`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from omnitwin.cli.options import (
    DataOrNone,
    Device,
    Json,
    LabelFrom,
    OldDataset,
    Precision,
    Quiet,
    Split,
    ThresholdTarget,
    any_of,
    complete_checkpoint,
    complete_run,
    data_given,
    known,
    one_of,
    parse_duration,
    parse_size,
    source_given,
)
from omnitwin.cli.recipes import complete_override, default_of, published, recipe_changes, spelled
from omnitwin.cli.stop import SIGNAL_EXIT, StopButton
from omnitwin.config import DATASETS, SourceConfig, TrainConfig, check_run_name
from omnitwin.errors import BadInput
from omnitwin.recipes import (
    DEFAULT_WEIGHTS,
    ENCODERS,
    NO_WEIGHTS,
    RECIPES,
    TORCHVISION,
    Recipe,
    sides_of,
    spelled_size,
)
from omnitwin.system.paths import NEWEST, is_over_folds

DEFAULT = TrainConfig()


def _encoder(name: str | None) -> str | None:
    """Return the name of an encoder; BadInput if none has it."""
    if name is not None:
        sides_of(name)
    return name


def train(
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            metavar="NAME",
            help=f"{any_of(*RECIPES)}.",
            show_default=f"{DEFAULT.recipe.name}; for your own images, by how they look",
            autocompletion=one_of(*RECIPES),
            callback=known("recipe", *RECIPES),
        ),
    ] = None,
    iterations: Annotated[
        int | None, typer.Option("--iterations", help="Batches to train on.", show_default=default_of("iterations"))
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            "--batch-size",
            help="Pairs in a batch; images in a batch for recipes that train on all their pairs.",
            show_default=default_of("batch_size"),
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            "--learning-rate",
            help="Adam's learning rate (the peak, if it is scheduled).",
            show_default=default_of("learning_rate"),
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            help="Seed of the initial weights, the pairs and the held-out classes.",
            show_default=default_of("seed"),
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder",
            metavar="NAME",
            help=f"{', '.join(ENCODERS)}, a model of torchvision, such as resnet50, or one of timm: timm:NAME.",
            show_default=default_of("encoder"),
            autocompletion=one_of(*ENCODERS, *TORCHVISION),
            callback=_encoder,
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            metavar="NAME",
            help="Weights that a model of torchvision starts from: default (ImageNet's), a file (safetensors, or "
            "torchvision's own), or none (random).",
            show_default=NO_WEIGHTS,
            autocompletion=one_of(DEFAULT_WEIGHTS, NO_WEIGHTS),
        ),
    ] = None,
    freeze: Annotated[
        bool, typer.Option("--freeze", help="Train only the embedding, on features that are computed once: seconds.")
    ] = False,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="NAME",
            help="Start from a trained network of the same kind: a run's name or folder, a weights file, or bundled.",
            autocompletion=complete_checkpoint,
        ),
    ] = None,
    image_size: Annotated[
        str | None,
        typer.Option(
            "--image-size",
            metavar="SIZE",
            help="Pixels that the network sees: of a square's side, such as 96, or height x width, such as 64x128.",
            show_default=", ".join(f"{name}: {spelled_size(recipe.network)}" for name, recipe in RECIPES.items()),
        ),
    ] = None,
    holdout: Annotated[
        int | None,
        typer.Option(
            "--holdout",
            help="Groups of classes (alphabets), or without groups classes, to keep out of training. They choose "
            "threshold, calibration and best checkpoint.",
            show_default=default_of("holdout"),
        ),
    ] = None,
    target: ThresholdTarget = None,
    patience: Annotated[
        int | None,
        typer.Option(
            "--patience",
            help="Stop after this many exams on the held-out classes without a better one; 0 never stops.",
            show_default=default_of("patience"),
        ),
    ] = None,
    override: Annotated[
        list[str] | None,
        typer.Option(
            "--override",
            metavar="NAME=VALUE",
            help="Change any field of the recipe, such as rotation=15; may be given several times.",
            autocompletion=complete_override,
        ),
    ] = None,
    data: DataOrNone = None,
    label_from: LabelFrom = None,
    split: Split = None,
    folds: Annotated[
        int | None,
        typer.Option(
            "--folds",
            metavar="K",
            help="For few classes of your own: train K networks, so that each class is tested by one that never saw "
            "it; take threshold, calibration and figures from all tests; then train on all classes.",
        ),
    ] = None,
    device: Device = DEFAULT.device,
    precision: Precision = DEFAULT.precision,
    compile: Annotated[bool, typer.Option("--compile", help="Compile the network first (torch.compile).")] = False,
    max_time: Annotated[
        str | None,
        typer.Option(
            "--max-time",
            metavar="TIME",
            help="Stop and save after this time, such as 30m or 1.5h; seconds without a unit.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="Name of the run's folder.", show_default="recipe and time"),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FOLDER", help="The run's folder, anywhere on this machine.")
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            "--resume",
            metavar="[RUN]",
            help="Continue a run, by name or folder; without a value, the newest.",
            autocompletion=complete_run,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Measure a few steps and tell what would run.")] = False,
    json: Json = False,
    quiet: Quiet = False,
    dataset: OldDataset = None,
) -> None:
    """Train a twin network: by default exactly the example's, on Omniglot's training set.

    For images of your own (--data PATH) it takes the recipe ink or photo, by how they look. Ctrl-C finishes the step,
    saves, and tells how to continue.
    """
    overrides = override or []
    given = {
        "iterations": iterations,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "seed": seed,
        "encoder": encoder,
        "holdout": holdout,
        "weights": weights,
        "freeze": freeze or None,
        "start": start,
        "patience": patience,
        **parse_size(image_size),
    }
    place = data_given(data, dataset)
    source = source_given(place or (DEFAULT.dataset if resume is None else None), label_from, split)
    config = replace(
        DEFAULT,
        recipe=_recipe(recipe, place, source, given, overrides, quiet) if resume is None else DEFAULT.recipe,
        dataset=place or DEFAULT.dataset,
        source=source,
        device=device,
        precision=precision,
        compile=compile,
        max_seconds=parse_duration(max_time),
        output=output,
        name=_run_name(name),
        target=target or DEFAULT.target,
    )
    folder, done = None, 0
    if folds is not None and dry_run:
        raise BadInput("--dry-run tells of a single training", "Leave --folds out.")
    if resume is not None:
        from omnitwin.training.finding import run_to_resume

        run = None if resume == NEWEST else resume
        found = run_to_resume(run)  # refuse a wrong name before torch is imported
        asked = {"recipe": recipe, "dataset": place, "target": target, "name": name, "output": output}
        changes = {**recipe_changes(given, overrides), **asked}
        if folds is not None or is_over_folds(found):
            _resume_folds(config, found, folds, {**changes, "dataset": None}, json, quiet)
            return
        from omnitwin.training import runs

        config, folder, done = runs.continued(config, run, changes, spelled(overrides))
    if folds is not None:
        _run_folds(config, folds, None, json, quiet)
        return
    _run(config, folder, done, dry_run, json, quiet)


def _recipe(
    name: str | None,
    data: str | None,
    source: SourceConfig,
    given: dict[str, Any],
    overrides: list[str],
    quiet: bool,
) -> Recipe:
    """Return the recipe of that name with its changes; for images of the user's own, fitted to how they look."""
    if data is None or data in DATASETS:
        return published(name or DEFAULT.recipe.name, given, overrides)
    changes = recipe_changes(given, overrides)
    from omnitwin.training.fitting import fitted_recipe
    from omnitwin.view.progress import reporter

    return fitted_recipe(Path(data), source, name, changes, reporter(quiet))


def _run(config: TrainConfig, folder: Path | None, done: int, dry_run: bool, json: bool, quiet: bool) -> None:
    """Train, or tell what would run. folder, done: of the run to resume and the iterations that it has done."""
    from omnitwin.system.device import keep_freed_memory
    from omnitwin.training import planning, training
    from omnitwin.view.console import print_json, result_console
    from omnitwin.view.progress import reporter
    from omnitwin.view.tables import show_plan, show_training

    keep_freed_memory()
    if dry_run:
        plan = planning.plan(config, reporter(quiet), done, folder)
        if json:
            print_json(plan)
        elif not quiet:
            show_plan(plan, result_console())
        return
    report_to = reporter(quiet)
    report = training.train(config, report_to, StopButton(report_to.note), folder)
    if json:
        print_json(report)
    elif not quiet:
        show_training(report, result_console())
    if report.stopped_by in SIGNAL_EXIT:
        raise typer.Exit(SIGNAL_EXIT[report.stopped_by])


def _resume_folds(
    config: TrainConfig, run: Path, folds: int | None, changes: dict[str, Any], json: bool, quiet: bool
) -> None:
    """Go on with a training over folds. changes: what else was asked for, which cannot change"""
    from omnitwin.exams.folds import continued_folds

    config, count = continued_folds(config, run, folds, changes)
    _run_folds(config, count, run, json, quiet)


def _run_folds(config: TrainConfig, count: int, folder: Path | None, json: bool, quiet: bool) -> None:
    """Train over folds. folder: of the run to resume"""
    from omnitwin.exams.folds import train_folds
    from omnitwin.system.device import keep_freed_memory
    from omnitwin.view.console import print_json, result_console
    from omnitwin.view.folds import show_folds
    from omnitwin.view.progress import reporter

    keep_freed_memory()
    report_to = reporter(quiet)
    report = train_folds(config, count, report_to, lambda: StopButton(report_to.note), folder)
    if json:
        print_json(report)
    elif not quiet:
        show_folds(report, result_console())
    if report.stopped_by in SIGNAL_EXIT:
        raise typer.Exit(SIGNAL_EXIT[report.stopped_by])


def spell_out_resume(words: list[str]) -> list[str]:
    """Return the words with the value `newest` for a bare `--resume`: Typer knows no option with an optional value."""
    return [
        f"{word}={NEWEST}" if word == "--resume" and (not rest or rest[0].startswith("-")) else word
        for word, rest in ((word, words[index + 1 : index + 2]) for index, word in enumerate(words))
    ]


def _run_name(name: str | None) -> str | None:
    """Return the name if a folder can have it on every system; BadInput if not."""
    if name is not None:
        check_run_name(name)
    return name
