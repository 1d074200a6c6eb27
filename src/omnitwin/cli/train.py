"""`omnitwin train`."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from omnitwin.cli.options import (
    DatasetOrNone,
    Device,
    Json,
    Precision,
    Quiet,
    complete_run,
    one_of,
    parse_duration,
    source,
)
from omnitwin.cli.stop import SIGNAL_EXIT, StopButton
from omnitwin.config import RECIPES, Recipe, TrainConfig
from omnitwin.errors import BadInput
from omnitwin.paths import BUNDLED, NEWEST

DEFAULT = TrainConfig()


def recipe_default(field: str) -> str:
    """A field's default in each recipe, for the help."""
    values = {name: getattr(recipe, field) for name, recipe in RECIPES.items()}
    return ", ".join(f"{name}: {value}" for name, value in values.items())


def train(
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            metavar="NAME",
            help="classic or small.",
            show_default=DEFAULT.recipe.name,
            autocompletion=one_of(*RECIPES),
        ),
    ] = None,
    iterations: Annotated[
        int | None, typer.Option("--iterations", help="Batches.", show_default=recipe_default("iterations"))
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", help="Pairs in a batch.", show_default=recipe_default("batch_size"))
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option("--learning-rate", help="Of Adam.", show_default=recipe_default("learning_rate")),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", help="Of weights and pairs.", show_default=recipe_default("seed")),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option("--encoder", help="classic, small or resnet18.", show_default=recipe_default("encoder")),
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option("--image-size", help="Pixels a side.", show_default=recipe_default("image_size")),
    ] = None,
    holdout: Annotated[
        int | None,
        typer.Option(
            "--holdout",
            help="Alphabets to keep out of training, for threshold, calibration and the best checkpoint.",
            show_default=recipe_default("holdout"),
        ),
    ] = None,
    dataset: DatasetOrNone = None,
    device: Device = DEFAULT.device,
    precision: Precision = DEFAULT.precision,
    compile: Annotated[bool, typer.Option("--compile", help="Compile the network first (torch.compile).")] = False,
    max_time: Annotated[
        str | None, typer.Option("--max-time", metavar="TIME", help="Stop and save after 90s, 30m or 1.5h.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Of the run's folder.", show_default="recipe and time")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FOLDER", help="The run's folder itself, anywhere.")
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            "--resume",
            metavar="[RUN]",
            help="Go on with a run (path or name; alone: the newest).",
            autocompletion=complete_run,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Measure a few steps, say what would run.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a twin network; by default exactly the example's, on Omniglot's training set.

    Ctrl-C finishes the step, saves and says how to go on.
    """
    given = {
        "iterations": iterations,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "seed": seed,
        "encoder": encoder,
        "image_size": image_size,
        "holdout": holdout,
    }
    config = replace(
        DEFAULT,
        recipe=_recipe(recipe or DEFAULT.recipe.name, given),
        dataset=dataset or DEFAULT.dataset,
        source=source(),
        device=device,
        precision=precision,
        compile=compile,
        max_seconds=parse_duration(max_time),
        output=output,
        name=_run_name(name),
    )
    from omnitwin.view.console import print_json, result_console
    from omnitwin.view.progress import reporter
    from omnitwin.view.tables import show_plan, show_training
    from omnitwin.workflows import planning, training

    folder, done = None, 0
    if resume is not None:
        folder, description = training.recorded(None if resume == NEWEST else resume)
        same = {"recipe": description.recipe.name, "dataset": description.dataset_family, "name": None, "output": None}
        _refuse_changes(same, {"recipe": recipe, "dataset": dataset, "name": name, "output": output})
        done = description.iteration
        config = replace(
            config,
            recipe=_resumed(description.recipe, given),
            dataset=description.dataset_family,
            precision=description.precision if precision == DEFAULT.precision else precision,
        )
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


def spell_out_resume(words: list[str]) -> list[str]:
    """The words of a command line with a bare `--resume` given its value, newest, which Typer cannot leave out."""
    return [
        f"{word}={NEWEST}" if word == "--resume" and (not rest or rest[0].startswith("-")) else word
        for word, rest in ((word, words[index + 1 : index + 2]) for index, word in enumerate(words))
    ]


def _recipe(name: str, given: dict[str, Any]) -> Recipe:
    if name not in RECIPES:
        raise BadInput(f"no recipe is called {name!r}", f"Use {' or '.join(RECIPES)}.")
    return replace(RECIPES[name], **{field: value for field, value in given.items() if value is not None})


def _run_name(name: str | None) -> str | None:
    if name is not None and (not name.strip(".") or name in (NEWEST, BUNDLED) or any(mark in name for mark in "/\\:")):
        raise BadInput(f"{name!r} cannot name a run", "For a folder elsewhere use --output.")
    return name


def _resumed(recorded: Recipe, given: dict[str, Any]) -> Recipe:
    """The recorded recipe, with more iterations where asked for; nothing else of it can change half way."""
    _refuse_changes(asdict(recorded), {field: value for field, value in given.items() if field != "iterations"})
    return recorded if given["iterations"] is None else replace(recorded, iterations=given["iterations"])


def _refuse_changes(recorded: dict[str, Any], given: dict[str, Any]) -> None:
    changed = [field for field, value in given.items() if value not in (None, recorded[field])]
    if changed:
        options = ", ".join("--" + field.replace("_", "-") for field in changed)
        raise BadInput(f"{options} cannot change in a run that is resumed", "Leave it out, or start a new run.")
