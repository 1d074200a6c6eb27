"""What a training run is about to do, and `omnitwin train --dry-run`: the same with time and memory measured."""

import itertools
import math
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from omnitwin.config import TrainConfig
from omnitwin.data.split import part_names
from omnitwin.errors import BadCheckpoint, BadInput
from omnitwin.recipes import Recipe
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.reports.training import PlanReport
from omnitwin.system.device import describe_device, peak_memory, select_device, synchronize
from omnitwin.system.locks import comes_and_goes
from omnitwin.system.paths import CONFIG_FILE, METRICS_FILE, STATE_FILE, runs_folder
from omnitwin.training.batch_trainer import BatchTrainer, learning_rate, new_trainer
from omnitwin.training.heldout import training_images
from omnitwin.training.resuming import read_config
from omnitwin.training.trainer import Trainer

MEASURED_STEPS, WARM_UP_STEPS = 3, 2


def plan(config: TrainConfig, reporter: Reporter = SILENT, done: int = 0, output: Path | None = None) -> PlanReport:
    """What train would do, with time and memory from a few steps measured here; no run is written.

    done and output: of the run that would be resumed. Data that is missing is fetched, as train would.
    """
    if output is None:
        check_unused(output_folder(config))
    select_device(config.device)  # refused before data is fetched for it
    packed, held_out = training_images(config, reporter)
    trainer = new_trainer(config, packed)
    for iteration in range(1, WARM_UP_STEPS + 1):
        trainer.step(iteration)
    synchronize(trainer.device)
    start = time.perf_counter()
    for iteration in range(1, MEASURED_STEPS + 1):
        trainer.step(iteration)
    synchronize(trainer.device)
    seconds = (time.perf_counter() - start) / MEASURED_STEPS
    weights = sum(tensor.nbytes for tensor in trainer.network.state_dict().values())
    return replace(
        describe_run(config, trainer, part_names(held_out) if held_out else (), done, output or output_folder(config)),
        seconds_per_iteration=seconds,
        seconds_in_all=min(seconds * max(0, config.recipe.iterations - done), config.max_seconds or math.inf),
        weights_bytes=weights,
        training_bytes=sum(
            tensor.nbytes for part in (trainer.wanted_state().values(), trainer.network.parameters()) for tensor in part
        ),
        data_bytes=trainer.packed.nbytes,
        peak_bytes=peak_memory(trainer.device),
    )


def output_folder(config: TrainConfig) -> Path:
    """The folder that a new run goes to: as told, or named after the recipe and the time."""
    if config.output is not None:
        return config.output
    if config.name is not None:
        return runs_folder() / config.name
    stem = f"{config.recipe.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    return next(folder for folder in (runs_folder() / name for name in names) if not folder.exists())


def check_unused(output: Path) -> None:
    """BadInput where a new run would mix with files that are there already.

    What a run leaves that ended before its first checkpoint is nothing to lose.
    """
    if (output / STATE_FILE).exists():
        raise BadInput(f"{output} already holds a run", f"Go on with it (--resume {output}) or choose another --name.")
    begun = (CONFIG_FILE, METRICS_FILE) if _holds_config(output) else ()
    if output.exists() and (not output.is_dir() or any(_is_of_worth(path, begun) for path in output.iterdir())):
        raise BadInput(f"{output} is there already and not empty", "Choose another --name or --output.")


def _is_of_worth(path: Path, begun: tuple[str, ...]) -> bool:
    return path.name not in begun and not comes_and_goes(path)


def _holds_config(run: Path) -> bool:
    with suppress(BadCheckpoint):
        return bool(read_config(run))
    return False


def describe_run(
    config: TrainConfig, trainer: Trainer, held_out: tuple[str, ...], done: int, output: Path
) -> PlanReport:
    """The plan of a run that has done some iterations already."""
    recipe = config.recipe
    classes = trainer.classes if isinstance(trainer, BatchTrainer) else None
    return PlanReport(
        recipe=recipe.name,
        encoder=recipe.encoder,
        parameters=trainer.parameter_count,
        iterations=recipe.iterations,
        first_iteration=done + 1,
        batch_size=classes * recipe.batches.drawings if classes and recipe.batches else recipe.batch_size,
        unit="images" if classes else "pairs",
        batch_classes=classes,
        pairs_per_iteration=trainer.pairs_per_step,
        learning_rate=recipe.learning_rate,
        seed=recipe.seed,
        device=describe_device(trainer.device),
        precision=trainer.precision,
        images=len(trainer.packed),
        classes=len(trainer.packed.class_names),
        dataset=trainer.packed.name,
        held_out=held_out,
        output=output,
    )


def new_schedule(before: Recipe, now: Recipe, done: int) -> str | None:
    """What another number of iterations does to the learning rate of a run that is resumed, or None for nothing."""
    if now.batches is None or now.iterations == before.iterations:
        return None
    was, goes_on = learning_rate(before, done), learning_rate(now, done + 1)
    return (
        f"With {now.iterations:,} iterations instead of {before.iterations:,} the learning rate goes on at "
        f"{goes_on:.2g}, where it was {was:.2g}, and falls to 0 at the end."
    )
