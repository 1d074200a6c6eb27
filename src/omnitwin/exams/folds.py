"""Train over folds of classes: every class is judged by a network that never saw it. Then train on all classes.

    report = train_folds(config, divisions, everything)

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
from contextlib import nullcontext
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from omnitwin.config import Target, TrainConfig, parse_target
from omnitwin.data.imageset import ImageSet
from omnitwin.data.listing import HELD_OUT, TEST, TRAINING
from omnitwin.errors import BadCheckpoint, BadInput
from omnitwin.exams.pooling import Judgement, Scored, judged, score_fold
from omnitwin.metrics.operating import pairs_needed
from omnitwin.metrics.roc import count_scores, equal_error_rate, roc_curve
from omnitwin.model.checkpoint import load_checkpoint, save_checkpoint
from omnitwin.model.description import HELD_OUT_EER, read_description
from omnitwin.reports.folds import FoldReport, FoldsReport
from omnitwin.reports.progress import SILENT, Reporter
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
from omnitwin.training.runs import check_unused, output_folder
from omnitwin.training.training import StopButton, train

FORMAT, FORMAT_VERSION = "omnitwin-folds", 1  # of the record
ALL = "all"  # name of the run on all classes, beside those of the folds: 1, 2 ...
NewStopButton = Callable[[], StopButton]


def train_folds(
    config: TrainConfig,
    divisions: Sequence[Mapping[str, ImageSet]],
    everything: ImageSet,
    reporter: Reporter = SILENT,
    new_stop_button: NewStopButton | None = None,
    resume: Path | None = None,
) -> FoldsReport:
    """Train a network for each fold, judge all by the classes that they never saw, and train one on all classes.

    config: of every network; its dataset and the recipe's number of held-out classes have no effect, and its longest
        time is that of all networks together, each of which gets the same share
    divisions: of each fold, the parts `training`, `held-out` and `test`
    new_stop_button: makes the stop button of each training
    resume: the folder of a run to go on with

    Raises what train raises; BadInput for a run to resume that has other folds, images or another recipe.
    """
    begun = time.monotonic()
    output = output_folder(config) if resume is None else resume
    if resume is None:
        check_unused(output)
    share = None if config.max_seconds is None else config.max_seconds / (len(divisions) + 1)
    config = replace(config, recipe=config.recipe.changed(holdout=0), max_seconds=share, output=output, name=None)
    _check_target(parse_target(config.target), divisions)
    folder = unlinked(output / FOLDS_FOLDER)
    with hold(folder):
        run = _FoldsRun(config, divisions, everything, reporter, new_stop_button or _no_button, resume is not None)
        report = replace(run.go(), seconds=time.monotonic() - begun)
    if report.weights is not None:
        shutil.rmtree(folder, ignore_errors=True)  # the networks of the folds
    return report


def _no_button() -> StopButton:
    return nullcontext(lambda: None)


def _check_target(target: Target, divisions: Sequence[Mapping[str, ImageSet]]) -> None:
    """Raise BadInput if all folds together have too few dissimilar pairs to show a target."""
    counts = [parts[TEST].count_C for parts in divisions]
    there = sum(int((count_C.sum() ** 2 - (count_C**2).sum()) // 2) for count_C in counts)
    needed = pairs_needed(target.kind, target.value)
    if there < needed:
        raise BadInput(
            f"{target} cannot be shown: the folds have {there:,} dissimilar pairs together, and it needs {needed:,}",
            "Choose another --target, or fewer folds.",
        )


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
        last = replace(self.config, recipe=self.config.recipe.changed(iterations=iterations))
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
        begun = os.path.lexists(folder / STATE_FILE)
        if not begun or read_description(folder / STATE_FILE).iteration < config.recipe.iterations:
            report = train(config, self.reporter, self.new_stop_button(), folder if begun else None)
            if report.stopped_by not in (None, "time"):
                return report.stopped_by
        self.done.append(number)
        self._remember()
        return None

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
            metrics={**description.metrics, "folds": float(len(folds)), **figures},
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
        """Return what a run that goes on must share with the one that was stopped."""
        fingerprints = [parts[part].fingerprint for parts in self.divisions for part in (TRAINING, HELD_OUT, TEST)]
        record = [self.config.recipe.to_json(), str(parse_target(self.config.target)), *fingerprints]
        return sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()

    def _recall(self, resumed: bool) -> None:
        """Find which networks are done. Raises BadInput if the run is of other folds, or is done."""
        if not resumed:
            self._remember()
            return
        if is_plain(self.output / WEIGHTS_FILE):
            raise BadInput(f"{self.output} has done its folds", "To train further, start a new run.")
        record = read_record(self.output)
        if record["of"] != self._key():
            raise BadInput(
                f"{self.output} has other folds, images or another recipe", "Resume it as it began, or start a new run."
            )
        self.done = record["done"]

    def _remember(self) -> None:
        record = {"format": FORMAT, "format_version": FORMAT_VERSION, "of": self._key(), "done": self.done}
        write_text(self.folder / FOLDS_FILE, json.dumps(record, indent=2) + "\n")


def read_record(run: Path) -> dict[str, Any]:
    """Return the record of a training over folds that is under way. Raises BadCheckpoint if there is none."""
    path = run / FOLDS_FOLDER / FOLDS_FILE
    try:
        record = json.loads(read_text(path))
        if (record["format"], record["format_version"]) != (FORMAT, FORMAT_VERSION):
            raise BadCheckpoint(f"{path} is of another omnitwin")
        if not isinstance(record["of"], str) or not all(type(fold) is int for fold in record["done"]):
            raise TypeError("no record of folds")
        return dict(record)
    except FileNotFoundError as error:
        raise BadCheckpoint(f"{run} holds no training over folds") from error
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
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


def _kept(run: Path) -> Path:
    """Return the weights that a run is kept for: the best, else the last."""
    return run / BEST_FILE if is_plain(run / BEST_FILE) else run / WEIGHTS_FILE
