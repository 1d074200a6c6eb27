"""A run's folder: choose it for a new run, write the run's records, find, read and resume a run.

config.json says what is run. metrics.jsonl has one whole line for each iteration. model.checkpoint writes the weights
and the state for resuming.
"""

import itertools
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, fields, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import torch

from omnitwin import __version__
from omnitwin.config import EXAM_EVERY, LONGEST_NAME, SourceConfig, Target, TrainConfig, parse_target
from omnitwin.data.catalogue import Images, open_images, open_own, part_of, place_of
from omnitwin.data.imageset import ImageSet
from omnitwin.data.listing import HELD_OUT, TRAINING
from omnitwin.data.split import hold_out
from omnitwin.errors import BadCheckpoint, BadInput, CannotWrite
from omnitwin.model.description import Description, read_description
from omnitwin.recipes import Recipe
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.reports.training import StepReport
from omnitwin.system.device import describe_device, select_device
from omnitwin.system.files import open_unlinked, replacing, write_text
from omnitwin.system.locks import comes_and_goes
from omnitwin.system.paths import (
    CONFIG_FILE,
    METRICS_FILE,
    STATE_FILE,
    WEIGHTS_FILE,
    runs_folder,
    unlinked,
    unlinked_in_data,
)
from omnitwin.system.plain import open_plain, read_text
from omnitwin.system.randomness import Stream, random_generator
from omnitwin.training.finding import run_to_resume
from omnitwin.training.needs import check_needs
from omnitwin.training.origin import as_recorded, record_of_place, trained_images
from omnitwin.training.trainer import Trainer

FORMAT, FORMAT_VERSION = "omnitwin-run-config", 2  # of config.json
READABLE_VERSIONS = (1, 2)  # 1 had the fields of the recipe's parts side by side
MAY_CHANGE = ("iterations", "patience")  # in a run that is resumed: how long it trains
COMPUTED_BY = ("device", "torch", "precision", "compile")
MOST_SESSIONS = 100  # in a config: each was computed in another way
LARGEST = 1e300  # in the metrics: larger numbers can be neither added up nor drawn
LONGEST_LINE = 4096  # bytes of the metrics; a whole line has about 150
LARGEST_METRICS = 1 << 26  # bytes that a report reads: some 400,000 iterations
MOST_DAMAGED = 1000  # lines of the metrics: after more the rest is not read
STEP_FIELDS = {each.name for each in fields(StepReport)}


def training_images(config: TrainConfig, reporter: Reporter = SILENT) -> tuple[ImageSet, ImageSet | None]:
    """Return the set that a run trains on, and the part that it holds out (a function of the recipe's seed) or None.

    A folder or table has its own held-out part (data.parts), on which the recipe's holdout has no effect.
    """
    if (place := place_of(config.dataset)) is not None:
        return _own_images(place, config, reporter)
    images = open_images(config.dataset, "training", config.source, reporter)
    if isinstance(config.dataset, Mapping) and "held-out" in config.dataset:
        return images, open_images(config.dataset, "held-out", config.source, reporter)
    generator = random_generator(torch.device("cpu"), config.recipe.seed, Stream.HOLDOUT)
    return hold_out(images, config.recipe.holdout, generator)


def _own_images(place: Path, config: TrainConfig, reporter: Reporter) -> tuple[ImageSet, ImageSet | None]:
    recipe = config.recipe
    own = open_own(place, config.source, reporter, recipe.network.view, recipe.seed)
    images = part_of(own, TRAINING)
    if HELD_OUT not in own:
        reporter.note("Too few classes to hold some out: threshold and calibration are not fitted.")
        return images, None
    return images, own[HELD_OUT]


def output_folder(config: TrainConfig) -> Path:
    """Return the folder of a new run: the one in the config, or one named after the recipe and the time."""
    if config.output is not None:
        return unlinked_in_data(config.output)
    if config.name is not None:
        return unlinked(runs_folder() / config.name)
    stem = f"{config.recipe.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    return next(folder for folder in (runs_folder() / name for name in names) if not os.path.lexists(folder))


def check_unused(output: Path) -> None:
    """Raise BadInput if a new run would mix with files that are there already.

    A run that stopped before its first checkpoint left nothing worth keeping; its folder may be used again.
    """
    if os.path.lexists(output / STATE_FILE):
        raise BadInput(f"{output} already holds a run", f"Resume it (--resume {output}) or choose another --name.")
    begun: tuple[str, ...] = ()
    with suppress(BadCheckpoint):
        read_config(output)
        begun = (CONFIG_FILE, METRICS_FILE)
    if output.exists() and (
        not output.is_dir() or any(path.name not in begun and not comes_and_goes(path) for path in output.iterdir())
    ):
        raise BadInput(f"{output} is there already and not empty", "Choose another --name or --output.")


def recorded(run: str | None) -> tuple[Path, Description]:
    """Return the folder and description of a run to resume, by path or name; None: the newest. Raises BadCheckpoint.

    If the run stopped before its first checkpoint, its config describes it, with 0 iterations done.
    """
    folder = run_to_resume(run)
    if os.path.lexists(folder / STATE_FILE) or os.path.lexists(folder / WEIGHTS_FILE):
        return folder, read_description(folder / STATE_FILE)
    return folder, read_config(folder)


def continued(
    config: TrainConfig, run: str | None, changes: Mapping[str, Any] | None = None, spell: Callable[[str], str] = str
) -> tuple[TrainConfig, Path, int]:
    """Return how to resume a run: the config with the run's own recipe and data, its folder, and the iterations done.

    changes: wanted fields of the recipe, and `recipe`, `dataset`, `target`, `name`, `output`; only `iterations`
    and `patience` may change. With `image_size` and `batch_size` among them, the run may take as much memory as it
    asks for
    spell: how an error writes a field's name

    Raises BadInput if another field would change, BadCheckpoint if the run cannot be read, DeviceMissing, and CannotRun
    if its record alone asks for far more memory than usual (check_needs).

    >>> config, folder, done = continued(TrainConfig(device="cpu"), "my-run", {"iterations": 5000})
    >>> train(config, resume=folder)
    """
    folder, description = recorded(run)
    recipe = description.whole_recipe()
    target = target_before(folder)
    known = {**recipe.flat(), "recipe": recipe.name, "dataset": description.dataset_family, "target": target}
    del known["name"]  # of the recipe; asked for is the run's
    asked = {name: value for name, value in (changes or {}).items() if value is not None}
    if description.data is not None:
        asked.pop("dataset", None)  # the images may lie elsewhere by now: their fingerprint decides
    granted = {"image_size", "batch_size"} <= asked.keys()  # in words, what decides how much memory a run takes
    refused = [name for name, value in asked.items() if name not in MAY_CHANGE and value != known.get(name)]
    if refused:
        words = ", ".join(map(spell, refused))
        raise BadInput(f"{words} cannot change in a run that is resumed", "Leave it out, or start a new run.")
    images, source = _images_of(description, config)
    wanted = recipe.changed(**{name: asked[name] for name in MAY_CHANGE if name in asked})
    exam_every = _exam_every_before(folder, config.exam_every)
    if wanted.iterations != recipe.iterations and exam_every == TrainConfig(recipe=recipe).examined_every:
        exam_every = config.exam_every  # nobody chose it: a longer run has its own
    going_on = replace(
        config,
        recipe=wanted,
        dataset=images,
        source=source,
        precision=description.precision if config.precision == TrainConfig.precision else config.precision,
        target=target,
        exam_every=exam_every,
    )
    if not granted:
        check_needs(going_on, select_device(config.device))
    return going_on, folder, description.iteration


def _images_of(description: Description, config: TrainConfig) -> tuple[Images, SourceConfig]:
    """Return the images of a run to resume: those in the config if they are the user's own, else the run's."""
    if place_of(config.dataset) is not None and description.data is not None:
        return config.dataset, as_recorded(description.data, config.source)
    if isinstance(config.dataset, str):
        return trained_images(description, config.source)
    return config.dataset, config.source


def write_config(config: TrainConfig, trainer: Trainer, held_out: tuple[str, ...], output: Path) -> None:
    """Write config.json: the recipe, the data, and everything else that affects the result."""
    here, before = computed_by(trainer), computed_before(output)
    effective = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "omnitwin": __version__,
        "recipe": config.recipe.to_json(),
        "dataset": trainer.images.name,
        "fingerprint": trainer.images.fingerprint,
        "held_out": held_out,
        "data": record_of_place(config, trainer.images.class_names),
        "target": str(config.target),
        "exam_every": config.examined_every,
        **here,
        "computed_by": before if here in before else [*before, here],  # in all sessions
    }
    write_text(output / CONFIG_FILE, json.dumps(effective, indent=2, sort_keys=True) + "\n")


def target_before(run: Path) -> str:
    """Return the target that a run's config names, `balanced` if it has none that is known."""
    with suppress(OSError, KeyError, TypeError, ValueError, RecursionError, BadInput):
        return str(parse_target(json.loads(read_text(run / CONFIG_FILE))["target"]))
    return str(Target())


def exam_every_of(record: Mapping[str, Any], asked: int | None = None) -> int:
    """Return the number of iterations between two exams of a run to resume: patience and `best` depend on it.

    record: of the run; without that number, as older ones are, it is the asked one, else EXAM_EVERY. Raises BadInput if
    another number is asked for, ValueError if the recorded one is no such number.
    """
    known = record.get("exam_every", asked or EXAM_EVERY)
    if type(known) is not int or known < 1:
        raise ValueError(f"exam_every is {known!r}")
    if asked not in (known, None):
        raise BadInput(
            f"exam_every cannot change in a run that is resumed: it is {known}", "Leave it out, or start a new run."
        )
    return known


def _exam_every_before(run: Path, asked: int | None) -> int | None:
    """Return exam_every of a run to resume by its config, or the asked one if that does not tell."""
    with suppress(OSError, TypeError, ValueError, AttributeError, RecursionError):
        return exam_every_of(json.loads(read_text(run / CONFIG_FILE)), asked)
    return asked


def computed_by(trainer: Trainer) -> dict[str, Any]:
    """What decides the last bits of a run's weights, besides its recipe and data."""
    return {
        "device": describe_device(trainer.device),  # with the number of threads
        "torch": torch.__version__,
        "precision": trainer.precision,
        "compile": trainer.machinery.compile,
    }


def computed_before(run: Path) -> list[dict[str, Any]]:
    """Return every different computed_by of a run's sessions, the first one first; empty if its config has none."""
    with suppress(OSError, KeyError, TypeError, ValueError, RecursionError):
        record = json.loads(read_text(run / CONFIG_FILE))
        sessions = record.get("computed_by", [record])
        return [_computed_by(session) for session in sessions][:MOST_SESSIONS]
    return []


def _computed_by(session: dict[str, Any]) -> dict[str, Any]:
    """Return what a session's record says, as far as computed_by could have said it. Raises KeyError, TypeError."""
    said = {name: session[name] for name in COMPUTED_BY}
    if not all(isinstance(value, bool | str) and len(str(value)) <= LONGEST_NAME for value in said.values()):
        raise TypeError("no record of a session")
    return said


def read_config(run: Path) -> Description:
    """Return what a run's config says, as a description with 0 iterations done. Raises BadCheckpoint."""
    path = run / CONFIG_FILE
    try:
        record = json.loads(read_text(path))
        if record["format"] != FORMAT or record["format_version"] not in READABLE_VERSIONS:
            raise BadCheckpoint(
                f"{path} is {record['format']!r} version {record['format_version']!r}, which this omnitwin cannot read"
            )
        return Description.of_recipe(
            Recipe.from_json(record["recipe"]),
            iteration=0,
            precision=record["precision"],
            dataset=record["dataset"],
            fingerprint=record["fingerprint"],
            held_out=tuple(record["held_out"]),
            data=record.get("data"),
            metrics={},
        )
    except FileNotFoundError as error:
        raise BadCheckpoint(f"{run} holds no run to resume") from error
    except OSError as error:
        raise BadCheckpoint(f"{path} cannot be read as a run's config: {error.strerror or error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, BadInput) as error:
        raise BadCheckpoint(f"{path} cannot be read as a run's config: {error!r}") from error


def read_steps(run: Path, note: Callable[[str], None] = lambda line: None) -> tuple[StepReport, ...]:
    """Return the iterations in a run's metrics, in order, without damaged lines.

    note: called with a line if there are too many to read, so that none are returned. Raises BadCheckpoint if the
    metrics are no plain file.
    """
    path = run / METRICS_FILE
    steps: list[StepReport] = []
    damaged = read = 0
    for line in lines_of(path):
        read += len(line)
        if read > LARGEST_METRICS:
            note(f"{path} has more than {LARGEST_METRICS >> 20} MiB: the course of the training is left out.")
            return ()
        step = _step(line)
        if step is not None:
            steps.append(step)
            continue
        damaged += 1
        if damaged > MOST_DAMAGED:
            break
    return tuple(steps)


def lines_of(path: Path) -> Iterator[str]:
    """Yield the lines of a run's metrics, none if there are no metrics. A line that is too long ends them.

    Raises BadCheckpoint if the metrics are no plain file or cannot be read.
    """
    try:
        with open(path, "rb", opener=open_plain) as file:
            while (line := file.readline(LONGEST_LINE + 1)) and len(line) <= LONGEST_LINE:
                yield line.decode("utf-8", errors="replace").rstrip("\r\n")
    except FileNotFoundError:
        return
    except OSError as error:
        raise BadCheckpoint(f"{path} cannot be read: {error.strerror or error}", "Move it away.") from error


def _step(line: str) -> StepReport | None:
    """Return the iteration in a line of the metrics, or None if it is damaged."""
    with suppress(ValueError, TypeError, AttributeError, RecursionError):
        record = {name: value for name, value in json.loads(line).items() if name in STEP_FIELDS}
        if all(isinstance(value, int | float) and abs(value) < LARGEST for value in record.values()):
            return StepReport(**record)
    return None


class RunLog:
    """Append steps to a run's metrics. Lines after iteration `done` and half-written lines are dropped first."""

    def __init__(self, output: Path, done: int) -> None:
        self.path = output / METRICS_FILE
        with replacing(self.path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{line}\n" for line in _kept(self.path, done))
        self.file: IO[str] | None = None

    def __enter__(self) -> Self:
        try:
            self.file = open_unlinked(self.path, "a", encoding="utf-8", newline="\n")
        except OSError as error:
            raise CannotWrite(f"cannot write {self.path}: {error.strerror or error}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self.file is not None
        with suppress(OSError):  # the disk is full: write has raised the error already
            self.file.close()

    def write(self, steps: list[StepReport]) -> None:
        assert self.file is not None
        try:
            self.file.write("".join(_line(step) for step in steps))
            self.file.flush()
        except OSError as error:
            raise CannotWrite(f"cannot write {self.path}: {error.strerror or error}") from error


def _kept(path: Path, done: int) -> Iterator[str]:
    """Yield the lines of a run's metrics up to iteration `done`, in order."""
    last = dropped = 0
    for line in lines_of(path):
        iteration = _iteration(line)
        if last < iteration <= done:
            last = iteration
            yield line
            continue
        dropped += 1
        if dropped > MOST_DAMAGED:
            return


def _line(step: StepReport) -> str:
    there = {name: value for name, value in asdict(step).items() if value is not None}
    return json.dumps(there, sort_keys=True) + "\n"


def _iteration(line: str) -> int:
    try:
        return int(json.loads(line)["iteration"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):  # such as 1e400 or [[[[
        return 0
