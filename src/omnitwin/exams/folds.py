"""Train over folds of classes: every class is judged by a network that never saw it. Then train on all classes.

    report = train_folds(TrainConfig(dataset=Path("products"), recipe=RECIPES["photo"]), 5)

Each fold trains a network in a folder of its own, and its held-out classes choose the best checkpoint, as in any run.
This checkpoint scores all pairs of the fold's test classes. The scores of all folds together give threshold,
calibration and every figure. At last, a network is trained on all classes, for the median of the folds' best
iterations, and gets this threshold and calibration. The figures are thus those of networks that were trained in the
same way on fewer classes.

A run that was stopped goes on where it was: a fold that is done is not trained again.

M images of a fold's test, N pairs, C classes
"""

import json
import os
import shutil
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from omnitwin.config import Target, TrainConfig, parse_target
from omnitwin.data.catalogue import place_of
from omnitwin.data.imageset import ImageSet
from omnitwin.data.listing import HELD_OUT, TEST, TRAINING
from omnitwin.data.own import open_folds
from omnitwin.data.parts import BY_CLASSES
from omnitwin.data.showing import check_shown
from omnitwin.errors import BadCheckpoint, BadInput
from omnitwin.exams.pooling import Judgement, Scored, compared, judged, most_of_each, score_fold
from omnitwin.metrics.roc import count_scores, equal_error_rate, roc_curve
from omnitwin.model.checkpoint import load_checkpoint, save_checkpoint
from omnitwin.model.description import FOLDS, HELD_OUT_EER, read_description
from omnitwin.recipes import Recipe
from omnitwin.reports.folds import FoldReport, FoldsReport
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.system.device import select_device
from omnitwin.system.files import digest, replacing, write_text
from omnitwin.system.locks import hold
from omnitwin.system.paths import (
    BEST_FILE,
    CONFIG_FILE,
    FOLDS_FILE,
    FOLDS_FOLDER,
    METRICS_FILE,
    STATE_FILE,
    WEIGHTS_FILE,
    unlinked,
)
from omnitwin.system.plain import is_plain, open_plain, read_text
from omnitwin.system.words import check_precision
from omnitwin.training.heldout import is_out_of_patience
from omnitwin.training.needs import check_needs
from omnitwin.training.origin import as_recorded, record_of_place
from omnitwin.training.runs import check_unused, exam_every_of, output_folder
from omnitwin.training.starting import begun
from omnitwin.training.training import StopButton, train

FORMAT, FORMAT_VERSION = "omnitwin-folds", 1  # of the record
KEPT: dict[str, Any] = {  # fields of the record of a run under way
    "of": str,  # digest of the images of all folds
    "count": int,  # folds
    "done": list,  # numbers of the folds whose network is trained; 0: of the network of all classes
    "recipe": dict,
    "place": str,
    "pattern": (str, type(None)),
    "target": str,
    "precision": str,
}
ENDS = (None, "time", "patience")  # of a training that is done; others stop the whole
ALL = "all"  # name of the run on all classes, beside those of the folds: 1, 2 ...
NewStopButton = Callable[[], StopButton]


def train_folds(
    config: TrainConfig,
    count: int,
    reporter: Reporter = SILENT,
    new_stop_button: NewStopButton | None = None,
    resume: Path | None = None,
) -> FoldsReport:
    """Train a network for each fold of a place, judge all by the classes that they never saw, and train one on all.

    config: of every network; its dataset is a folder or table. The recipe's number of held-out classes has no effect.
        The longest time is that of all networks together, each of which gets the same share
    count: number of folds
    new_stop_button: makes the stop button of each training
    resume: the folder of a run to go on with (continued_folds)

    Raises what train raises; BadInput for other images than those of a place, for too few classes, and for a run to
    resume that has other folds, images or another recipe.

    >>> train_folds(TrainConfig(recipe=RECIPES["photo"], dataset=Path("products")), 5)
    """
    started = time.monotonic()
    place = place_of(config.dataset)
    if place is None or config.source.divided != BY_CLASSES:
        raise BadInput("--folds is for classes of your own images", "Give --data PATH, without --split.")
    output = output_folder(config) if resume is None else resume
    if resume is None:
        check_unused(output)
        config = begun(config, reporter)
    recipe = config.recipe.changed(holdout=0)
    divisions, everything = open_folds(
        place, recipe.network.view, count, pattern=config.source.pattern, seed=recipe.seed, reporter=reporter
    )
    _check_target(parse_target(config.target), divisions)
    share = None if config.max_seconds is None else config.max_seconds / (count + 1)
    config = replace(config, recipe=recipe, max_seconds=share, output=output, name=None)
    folder = unlinked(output / FOLDS_FOLDER)
    with hold(folder):
        run = _FoldsRun(config, divisions, everything, reporter, new_stop_button or _no_button, resume is not None)
        report = replace(run.go(), seconds=time.monotonic() - started)
    if report.weights is not None:
        shutil.rmtree(folder, ignore_errors=True)  # the networks of the folds
    return report


def continued_folds(
    config: TrainConfig, run: Path, count: int | None = None, changes: Mapping[str, Any] | None = None
) -> tuple[TrainConfig, int]:
    """Return how to go on with a run over folds that was stopped: the config with its own recipe and data, and count.

    count: the wanted number of folds; None: the run's
    changes: what else is asked for, by name; None as a value: nothing

    Raises BadCheckpoint if its record cannot be read, BadInput if it is done or anything would change, DeviceMissing,
    and CannotRun if its record asks for far more memory than usual.
    """
    if refused := [name for name, value in (changes or {}).items() if value is not None]:
        raise BadInput(f"{', '.join(refused)} cannot change in a run that is resumed", "Leave it out.")
    if os.path.lexists(run / FOLDS_FILE) and os.path.lexists(run / WEIGHTS_FILE):
        raise BadInput(f"{run} has done its folds", "To train further, start a new run.")
    record = _read_record(run)
    if count not in (None, record["count"]):
        raise BadInput(f"{run} has {record['count']} folds, not {count}", "Leave --folds out.")
    place = Path(record["place"]) if place_of(config.dataset) is None else config.dataset
    config = replace(
        config,
        recipe=Recipe.from_json(record["recipe"]),
        dataset=place,
        source=as_recorded({"pattern": record["pattern"], "split": BY_CLASSES}, config.source),
        target=parse_target(record["target"]),
        precision=record["precision"],
        exam_every=exam_every_of(record, config.exam_every),
    )
    check_needs(config, select_device(config.device))
    return config, record["count"]


def _no_button() -> StopButton:
    return nullcontext(lambda: None)


def _check_target(target: Target, divisions: Sequence[Mapping[str, ImageSet]]) -> None:
    """Raise BadInput if all folds together have too few dissimilar pairs to show a target."""
    tests = [compared(parts[TEST]) for parts in divisions]
    counts = [test.count_C.clamp(max=most_of_each(test)) for test in tests]
    there = sum(int((count_C.sum() ** 2 - (count_C**2).sum()) // 2) for count_C in counts)
    check_shown(target, there, "all folds together", "Choose another --target, or fewer folds.")


class _Heard(AbstractContextManager[Callable[[], str | None]]):
    """A stop button that remembers whether it was pressed, even in the last step of a training, which then is done."""

    def __init__(self, button: StopButton) -> None:
        self.button = button
        self.heard: str | None = None

    def __enter__(self) -> Callable[[], str | None]:
        self.stop = self.button.__enter__()
        return self.stop

    def __exit__(self, *exception: Any) -> None:
        self.heard = self.stop()
        self.button.__exit__(*exception)


class _FoldsRun:
    """A training over folds, from the first network to the last."""

    def __init__(
        self,
        config: TrainConfig,
        divisions: Sequence[Mapping[str, ImageSet]],
        everything: ImageSet,
        reporter: Reporter,
        new_stop_button: NewStopButton,
        resumed: bool,
    ) -> None:
        assert config.output is not None
        self.config, self.divisions, self.everything = config, divisions, everything
        self.reporter, self.new_stop_button = reporter, new_stop_button
        self.output, self.folder = config.output, config.output / FOLDS_FOLDER
        self.done: list[int] = []
        self._recall(resumed)

    def go(self) -> FoldsReport:
        """Train what is not trained yet, and return the report; a part of it if the training is stopped."""
        for fold, parts in enumerate(self.divisions, 1):
            images = {TRAINING: parts[TRAINING], HELD_OUT: parts[HELD_OUT]}
            self.reporter.note(f"Fold {fold} of {len(self.divisions)}: {len(parts[TEST].class_names)} test classes")
            if stopped_by := self._train(str(fold), fold, images, self.config):
                return self._report(stopped_by=stopped_by)
        scored = [
            score_fold(_kept(self.folder / str(fold)), parts[TEST], self.config, self.reporter)
            for fold, parts in enumerate(self.divisions, 1)
        ]
        folds = tuple(self._fold_report(fold, each) for fold, each in enumerate(scored, 1))
        iterations = round(statistics.median(fold.iteration for fold in folds))
        self.reporter.note(f"All classes: {iterations:,} iterations, the median of the folds")
        last = replace(self.config, recipe=self.config.recipe.changed(iterations=iterations, patience=0))
        if stopped_by := self._train(ALL, 0, {TRAINING: self.everything}, last):
            return self._report(folds=folds, iterations=iterations, stopped_by=stopped_by)
        target = parse_target(self.config.target)
        judgement = judged(scored, self.everything.name, target, self.config.recipe.seed)
        if judgement.operating is not None and judgement.operating.target != str(target):
            self.reporter.warn(f"no threshold reaches {target}: the threshold was chosen for balanced accuracy.")
        return self._finished(folds, iterations, judgement)

    def _train(self, name: str, number: int, images: Mapping[str, ImageSet], config: TrainConfig) -> str | None:
        """Train a network, or go on with one that was stopped; return the signal that stopped it, or None."""
        if number in self.done:
            return None
        folder = unlinked(self.folder / name)
        config = replace(config, dataset=dict(images), output=folder, target=Target())
        has_state = os.path.lexists(folder / STATE_FILE)
        pressed: str | None = None
        if not has_state or not _is_trained(folder, config):
            button = _Heard(self.new_stop_button())
            report = train(config, self.reporter, button, folder if has_state else None)
            if report.stopped_by not in ENDS:
                return report.stopped_by
            pressed = button.heard
        self.done.append(number)
        self._remember()
        return pressed

    def _fold_report(self, fold: int, scored: Scored) -> FoldReport:
        parts, kept = self.divisions[fold - 1], read_description(_kept(self.folder / str(fold)))
        counted = count_scores(scored.logit_N, scored.similar_N)[1:]
        both = all(counts.any() for counts in counted)
        return FoldReport(
            fold=fold,
            classes=len(parts[TRAINING].class_names),
            tested=len(parts[TEST].class_names),
            iteration=kept.iteration,
            held_out_eer=kept.metrics.get(HELD_OUT_EER),
            eer=equal_error_rate(*roc_curve(*counted)) if both else None,
        )

    def _finished(self, folds: tuple[FoldReport, ...], iterations: int, judgement: Judgement) -> FoldsReport:
        """Write the network of all classes with the threshold and the calibration of the folds, and its records."""
        network, description = load_checkpoint(self.folder / ALL / WEIGHTS_FILE, self.config.encoder)
        figures = {f"folds_{measure.name}": measure.value for measure in judgement.exam.measures}
        described = replace(
            description,
            threshold=judgement.threshold,
            calibration=judgement.calibration,
            operating=judgement.operating,
            data=self._data(),
            metrics={**description.metrics, FOLDS: float(len(folds)), **figures},
        )
        report = self._report(folds, iterations, judgement)
        for name in (CONFIG_FILE, METRICS_FILE):
            with (
                open(self.folder / ALL / name, "rb", opener=open_plain) as source,
                replacing(self.output / name) as temporary,
                temporary.open("wb") as target,
            ):
                shutil.copyfileobj(source, target)
        write_text(self.output / FOLDS_FILE, json.dumps(_record_of(report), indent=2) + "\n")
        save_checkpoint(self.output / WEIGHTS_FILE, network, described)
        sha256 = digest(self.output / WEIGHTS_FILE, "sha256")
        return replace(report, weights=self.output / WEIGHTS_FILE, weights_sha256=sha256)

    def _report(
        self,
        folds: tuple[FoldReport, ...] = (),
        iterations: int | None = None,
        judgement: Judgement | None = None,
        stopped_by: str | None = None,
    ) -> FoldsReport:
        return FoldsReport(
            output=self.output,
            weights=None,
            weights_sha256=None,
            count=len(self.divisions),
            done=sum(fold > 0 for fold in self.done),
            folds=folds,
            iterations=iterations,
            threshold=judgement.threshold if judgement else None,
            operating=judgement.operating if judgement else None,
            exam=judgement.exam if judgement else None,
            seconds=0.0,
            stopped_by=stopped_by,
        )

    def _key(self) -> str:
        """Return a digest of the images of all folds."""
        fingerprints = [parts[part].fingerprint for parts in self.divisions for part in (TRAINING, HELD_OUT, TEST)]
        return sha256(" ".join(fingerprints).encode()).hexdigest()

    def _data(self) -> dict[str, Any]:
        """Return what the last network's file says of its images (Description.data)."""
        record = record_of_place(self.config, self.everything.class_names)
        assert record is not None
        return record

    def _recall(self, resumed: bool) -> None:
        """Find which networks are done. Raises BadInput if the run is of other folds."""
        if not resumed:
            self._remember()
            return
        record = _read_record(self.output)
        if record["of"] != self._key() or Recipe.from_json(record["recipe"]) != self.config.recipe:
            raise BadInput(
                f"{self.output} has other folds, images or another recipe", "Resume it as it began, or start a new run."
            )
        self.done = record["done"]

    def _remember(self) -> None:
        data = self._data()
        record = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "of": self._key(),
            "count": len(self.divisions),
            "done": self.done,
            "recipe": self.config.recipe.to_json(),
            "place": data["place"],
            "pattern": data["pattern"],
            "target": str(parse_target(self.config.target)),
            "precision": self.config.precision,
            "exam_every": self.config.examined_every,
        }
        write_text(self.folder / FOLDS_FILE, json.dumps(record, indent=2) + "\n")


def _read_record(run: Path) -> dict[str, Any]:
    """Return the record of a training over folds that is under way. Raises BadCheckpoint if there is none."""
    path = run / FOLDS_FOLDER / FOLDS_FILE
    try:
        record = json.loads(read_text(path))
        if (record["format"], record["format_version"]) != (FORMAT, FORMAT_VERSION):
            raise BadCheckpoint(f"{path} is of another omnitwin")
        for name, kind in KEPT.items():
            if not isinstance(record[name], kind):
                raise TypeError(f"{name} is {record[name]!r}")
        if not all(type(number) is int for number in (record["count"], *record["done"])):  # to Python, True is 1
            raise TypeError("a fold that is no whole number")
        exam_every_of(record)
        Recipe.from_json(record["recipe"])
        parse_target(record["target"])
        check_precision(record["precision"])
        return dict(record)
    except FileNotFoundError as error:
        raise BadCheckpoint(f"{run} holds no training over folds that could go on") from error
    except (OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError, BadInput) as error:
        raise BadCheckpoint(f"{path} cannot be read as a record of folds: {error!r}") from error


def _record_of(report: FoldsReport) -> dict[str, Any]:
    """Return what a run's folder keeps of a report."""
    exam = report.exam
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "folds": [asdict(fold) for fold in report.folds],
        "iterations": report.iterations,
        "threshold": report.threshold,
        "description": exam.description if exam else "",
        "figures": [
            {name: getattr(measure, name) for name in ("name", "value", "interval", "n", "method")}
            for measure in (exam.measures if exam else ())
        ],
    }


def _is_trained(run: Path, config: TrainConfig) -> bool:
    """Return whether a run that has a state needs no more iterations: it has them all, or is out of patience."""
    done = read_description(run / STATE_FILE).iteration
    best = read_description(run / BEST_FILE).iteration if is_plain(run / BEST_FILE) else 0
    return done >= config.recipe.iterations or is_out_of_patience(config.recipe, config.examined_every, done, best)


def _kept(run: Path) -> Path:
    """Return the weights that a run is kept for: the best, else the last."""
    return run / BEST_FILE if is_plain(run / BEST_FILE) else run / WEIGHTS_FILE
