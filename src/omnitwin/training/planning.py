"""Describe what a training run will do; for `omnitwin train --dry-run`, measure its time and memory, too."""

import math
import time
from dataclasses import replace
from pathlib import Path

from omnitwin.config import TrainConfig, parse_target
from omnitwin.data.split import part_names
from omnitwin.recipes import Recipe, spelled_size
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.reports.training import PlanReport
from omnitwin.system.device import describe_device, peak_memory, select_device, synchronize
from omnitwin.system.tensorfile import layout_bytes
from omnitwin.training.heldout import HeldOutExam, aim, can_stop_early, check_patience
from omnitwin.training.needs import note_needs
from omnitwin.training.optimiser import learning_rate
from omnitwin.training.resuming import resumed_state
from omnitwin.training.runs import check_unused, output_folder, training_images
from omnitwin.training.starting import begun, initial_tensors
from omnitwin.training.trainer import Trainer, state_layout

MEASURED_STEPS, WARM_UP_STEPS = 3, 2


def plan(config: TrainConfig, reporter: Reporter = SILENT, done: int = 0, output: Path | None = None) -> PlanReport:
    """Describe a training run, with time and memory measured on a few steps here. Writes no run; fetches missing data.

    done: iterations that the run to resume has done; 0: a new run
    output: the folder of the run to resume; None: a new run

    Raises BadInput, BadCheckpoint, DatasetMissing, DeviceMissing, CannotRun.
    """
    if output is None:
        check_unused(output_folder(config))
        config = begun(config, reporter)
    else:
        resumed_state(config, output)
    note_needs(config, select_device(config.device), reporter.note)  # refuse the device before data is fetched
    images, held_out = training_images(config, reporter)
    check_patience(config.recipe, held_out)
    trainer = Trainer(config, images)
    exam = HeldOutExam(held_out, config.recipe.network, trainer.device) if held_out else None
    aim(exam, parse_target(config.target))
    if output is None:
        trainer.start_from(initial_tensors(config))
    trainer.prepare(reporter)
    for note in trainer.sampler.notes:
        reporter.note(note)
    for iteration in range(1, WARM_UP_STEPS + 1):
        trainer.step(iteration)
    synchronize(trainer.device)
    start = time.perf_counter()
    for iteration in range(1, MEASURED_STEPS + 1):
        trainer.step(iteration)
    synchronize(trainer.device)
    seconds = (time.perf_counter() - start) / MEASURED_STEPS
    weights = sum(tensor.nbytes for tensor in trainer.network.state_dict().values())
    gradients = sum(tensor.nbytes for tensor in trainer.network.parameters())
    return replace(
        describe_run(config, trainer, part_names(held_out) if held_out else (), done, output or output_folder(config)),
        seconds_per_iteration=seconds,
        seconds_in_all=min(seconds * max(0, config.recipe.iterations - done), config.max_seconds or math.inf),
        weights_bytes=weights,
        training_bytes=layout_bytes(state_layout(config.recipe, config.encoder, trainer.sampler.labels)) + gradients,
        data_bytes=trainer.images.nbytes,
        peak_bytes=peak_memory(trainer.device),
    )


def describe_run(
    config: TrainConfig, trainer: Trainer, held_out: tuple[str, ...], done: int, output: Path
) -> PlanReport:
    """Return the plan of a run. done: its iterations so far. Seconds and bytes are None."""
    recipe, sampler = config.recipe, trainer.sampler
    return PlanReport(
        recipe=recipe.name,
        encoder=recipe.network.encoder,
        image_size=spelled_size(recipe.network),
        channels=recipe.network.channels,
        parameters=trainer.parameter_count,
        iterations=recipe.iterations,
        first_iteration=done + 1,
        batch_size=sampler.size,
        unit=sampler.unit,
        batch_classes=sampler.classes,
        colourings=sampler.colourings,
        pairs_per_iteration=sampler.pairs,
        learning_rate=recipe.optimiser.learning_rate,
        patience=recipe.patience if can_stop_early(recipe, config.examined_every) else 0,
        seed=recipe.seed,
        device=describe_device(trainer.device),
        precision=trainer.precision,
        images=len(trainer.images),
        classes=len(trainer.images.class_names),
        dataset=trainer.images.name,
        held_out=held_out,
        output=output,
    )


def new_schedule(before: Recipe, now: Recipe, done: int) -> str | None:
    """Return a line if another number of iterations changes the learning rate of a resumed run, else None."""
    was, goes_on = learning_rate(before, done), learning_rate(now, done + 1)
    if now.iterations == before.iterations or was == goes_on:
        return None
    return (
        f"With {now.iterations:,} iterations instead of {before.iterations:,}, the learning rate changes from "
        f"{was:.2g} to {goes_on:.2g}, and falls to 0 at the end."
    )
