"""The Python functions that train and examine. answers.twin and data.opening have others.

    import omnitwin

    twin = omnitwin.load()                                  # the bundled weights; or a run's name, or a path
    twin.compare("a.png", "b.png").verdict                  # files, PIL images or arrays
    images = omnitwin.open_images("omniglot")
    run = omnitwin.train(images, recipe="fast", iterations=300, callback=print)
    omnitwin.evaluate(run.twin, images.test, exams=["all-pairs"]).frame()

B images, D features
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from omnitwin.answers.twin import Twin, load
from omnitwin.config import FOLDS, REPORT, EvalConfig, SourceConfig, TrainConfig
from omnitwin.data.catalogue import Images, check_images, place_of
from omnitwin.errors import BadInput
from omnitwin.exams.evaluation import evaluate as take_exams
from omnitwin.exams.exam import Exam, Take
from omnitwin.exams.folds import continued_folds
from omnitwin.exams.folds import train_folds as run_folds
from omnitwin.exams.reporting import report_run
from omnitwin.recipes import OWN, Recipe, recipe_called
from omnitwin.reports.exams import EvalReport
from omnitwin.reports.folds import FoldsReport
from omnitwin.reports.progress import SILENT, Reporter, ShowStep
from omnitwin.reports.training import PlanReport, StepReport, TrainReport
from omnitwin.system.paths import NEWEST
from omnitwin.training.finding import run_to_resume
from omnitwin.training.fitting import check_own, fitted_recipe
from omnitwin.training.planning import plan as plan_run
from omnitwin.training.runs import continued, read_steps
from omnitwin.training.training import train as run_recipe

MAY_CHANGE = ("device", "compile", "max_seconds", "checkpoint_seconds")  # of resumed folds
Callback = Callable[[StepReport], object]


@dataclass(frozen=True, eq=False, kw_only=True)
class Run:
    """A training run that has ended: its report and its folder.

    >>> run = omnitwin.train("synthetic", recipe="fast", iterations=100)
    >>> run.report.held_out_eer, run.twin.compare("a.png", "b.png").verdict
    (0.081, 'different')
    """

    report: TrainReport
    encoder: nn.Module | None = None

    @property
    def folder(self) -> Path:
        """The folder of weights, state, metrics and config."""
        return self.report.output

    @cached_property
    def twin(self) -> Twin:
        """The trained network: the best by the held-out classes if the recipe holds some out, else the last."""
        return load(self.report.best or self.report.weights, encoder=self.encoder)

    @property
    def steps(self) -> tuple[StepReport, ...]:
        """Loss, speed and held-out error of every iteration, in order."""
        return read_steps(self.folder)


def train(
    images: Images = TrainConfig.dataset,
    *,
    recipe: str | Recipe | None = None,
    resume: str | PathLike[str] | None = None,
    encoder: nn.Module | str | None = None,
    objective: Callable[[Tensor, Tensor], Tensor] | str | None = None,
    callback: Callback | None = None,
    reporter: Reporter = SILENT,
    name: str | None = None,
    output: str | PathLike[str] | None = None,
    source: str | PathLike[str] | None = None,
    offline: bool | None = None,
    **options: Any,
) -> Run:
    """Train a network into a run's folder, or go on with a run.

    images: a data set's name, the path of a folder or table of your own images, what open_images returns, an ImageSet,
        or a mapping with a `training` part
    recipe: a name of RECIPES, or a Recipe; None: `classic`, or for a folder or table `ink` or `photo` by how its images
        look, or the resumed run's
    resume: a run's name or path, or `newest`; only iterations may change, and images of your own are given again
    encoder: an encoder's name, such as `resnet50`; or your own module, from (B, C, H, W) in the recipe's image_size to
        (B, features); it has that attribute, and a copy of it is trained
    objective: an objective's name, such as `proxy-anchor`; or your own loss, of embeddings (B, D) and labels (B,) to a
        scalar, for recipes that sample classes (`fast`)
    callback: called with the newest StepReport a few times a second; if it returns True or raises, the run is saved
        and ends, and the error is raised again
    name, output: the run's name in the runs folder, or its folder itself; None: named after the recipe and the time
    source, offline: as of open_images
    options: `pattern` and `split` of a folder or table (SourceConfig), fields of TrainConfig (device, precision,
        compile, max_seconds, checkpoint_seconds, exam_every, target), and fields of the recipe such as iterations=300,
        seed=1, rotation=15.0. Three of these say where the weights begin: weights (of others: `default`, a file or
        `none`), freeze (train the embedding only) and start (a trained network: a run, a file or `bundled`)

    Raises BadInput, BadCheckpoint, DatasetMissing, DeviceMissing, TrainingDiverged, CannotWrite.

    >>> run = omnitwin.train("omniglot", recipe="fast", iterations=300, callback=print)
    >>> run = omnitwin.train(resume=run.folder, iterations=600)
    """
    options |= {"name": name, "output": None if output is None else Path(output)}
    source_config = _source(source, offline, options)
    config, folder, _ = _asked(images, recipe, resume, encoder, objective, source_config, options, reporter)
    watcher = _Watcher(reporter, callback)
    report = run_recipe(config, watcher, watcher.stop_button(), folder)
    if watcher.error is not None:  # the run is saved
        raise watcher.error
    return Run(report=report, encoder=config.encoder)


def train_folds(
    images: str | PathLike[str] | None = None,
    folds: int | None = None,
    *,
    recipe: str | Recipe | None = None,
    resume: str | PathLike[str] | None = None,
    callback: Callback | None = None,
    reporter: Reporter = SILENT,
    name: str | None = None,
    output: str | PathLike[str] | None = None,
    **options: Any,
) -> FoldsReport:
    """Train over folds of the classes of your own images, then on all: for few classes.

    Every class is judged by a network that never saw it. All of them together give threshold, calibration and figures.
    The networks of the folds are not kept.

    images: the path of a folder or table; None: the resumed run's
    folds: how many; None: 5, or the resumed run's
    resume: a run's name or path. Its recipe with all fields, target and folds stay as they are
    recipe, callback, reporter, name, output, options: as of train, for every network

    Raises what train raises, and BadInput for too few classes.

    >>> report = omnitwin.train_folds("signatures", 5)
    >>> report.exam.measure("eer").interval
    (0.061, 0.124)
    >>> twin = omnitwin.load(report.weights)
    """
    options |= {"name": name, "output": None if output is None else Path(output)}
    watcher = _Watcher(reporter, callback)
    source = _source(None, None, options)
    folder = None
    if resume is not None:
        folder = run_to_resume(str(resume))
        how = {word: options.pop(word) for word in MAY_CHANGE if word in options}
        config = TrainConfig(source=source, **how)
        config = config if images is None else replace(config, dataset=Path(images))
        config, folds = continued_folds(config, folder, folds, {"recipe": recipe, **options})
    else:
        if images is None:
            raise BadInput("no images to train on", "Give the path of a folder or table.")
        config, _, _ = _asked(Path(images), recipe, None, None, None, source, options, reporter)
    report = run_folds(config, FOLDS if folds is None else folds, watcher, watcher.stop_button, folder)
    if watcher.error is not None:  # the run is saved
        raise watcher.error
    return report


def plan(
    images: Images = TrainConfig.dataset,
    *,
    recipe: str | Recipe | None = None,
    resume: str | PathLike[str] | None = None,
    encoder: nn.Module | str | None = None,
    objective: Callable[[Tensor, Tensor], Tensor] | str | None = None,
    reporter: Reporter = SILENT,
    source: str | PathLike[str] | None = None,
    offline: bool | None = None,
    **options: Any,
) -> PlanReport:
    """Tell what train would do with the same arguments, with time and memory from a few steps measured here.

    It writes no run. Missing data is fetched. Raises as train does.

    >>> omnitwin.plan("omniglot", recipe="fast").seconds_in_all
    69.3
    """
    source_config = _source(source, offline, options)
    config, folder, done = _asked(images, recipe, resume, encoder, objective, source_config, options, reporter)
    return plan_run(config, reporter, done, folder)


def evaluate(
    twin: Twin | str,
    images: Images | None = None,
    *,
    exams: Sequence[str | Exam | Take] = ("pairs",),
    reporter: Reporter = SILENT,
    source: str | PathLike[str] | None = None,
    offline: bool | None = None,
    **options: Any,
) -> "Evaluation":
    """Examine a network or a baseline.

    twin: what load returns, or a name that load takes
    images: a data set's name, the path of a folder or table, an ImageSet, or a mapping with a `test` part; None: the
        set that the network trained on
    exams: `pairs`, `all-pairs`, `same-group`, `one-shot`, `official`, `retrieval`, `beyond`, `usual` (all, but not
        `beyond` on your own images) or `all`; or exams of your own
    options: fields of EvalConfig, such as device="cuda", seeds=5, way=5; neither checkpoint nor baseline; and `pattern`
        and `split` of a folder or table (SourceConfig)
    source, offline: as in open_images

    Raises BadInput, BadCheckpoint, DatasetMissing, DeviceMissing.

    >>> rows = omnitwin.evaluate(twin, images.test, exams=["all-pairs"]).frame()
    >>> rows[0]["measure"], rows[0]["value"], (rows[0]["low"], rows[0]["high"])
    ('balanced_accuracy', 0.98, (0.978, 0.981))
    """
    config = EvalConfig(dataset=images, source=_source(source, offline, options), **options)
    known = twin if isinstance(twin, Twin) else load(twin, device=config.device)
    return Evaluation(report=take_exams(config, reporter, verifier=known.verifier, exams=exams))


def write_report(
    run: str | PathLike[str] = NEWEST,
    output: str | PathLike[str] | None = None,
    *,
    exams: Sequence[str] = REPORT.exams,
    reporter: Reporter = SILENT,
    source: str | PathLike[str] | None = None,
    offline: bool | None = None,
    **options: Any,
) -> Path:
    """Write one HTML page about a run: what was trained, its curves, exams, figures and hardest pairs.

    run: its name or path, or `newest`
    output: the page; None: report.html in the run's folder
    exams: names, as of evaluate
    options: fields of EvalConfig, such as seed=1 or show=0
    source, offline: as of open_images

    Raises BadInput, BadCheckpoint, DatasetMissing, DeviceMissing, CannotWrite. Returns the page's path.

    >>> omnitwin.write_report("my-run", "my-run.html")
    PosixPath('my-run.html')
    """
    from omnitwin.view.page import check_page, write_page

    page = None if output is None else Path(output)
    check_page(page)
    known = _source(source, offline, options)
    config = replace(REPORT, checkpoint=str(run), exams=tuple(exams), source=known, **options)
    found = report_run(config, page, reporter)
    write_page(found)
    return found.page


@dataclass(frozen=True, eq=False, kw_only=True)
class Evaluation:
    """The results of exams. `report` has everything, `frame` has the figures as rows.

    >>> evaluation = omnitwin.evaluate("bundled", exams=["pairs"])
    >>> evaluation.report.exams[0].measure("accuracy").value
    0.975
    """

    report: EvalReport

    def frame(self) -> list[dict[str, Any]]:
        """Return a row for each figure of each exam and of its parts, as pandas.DataFrame takes them.

        exam: its name
        part: a batch, an alphabet, a variation; None: the whole exam
        measure: name of the figure
        value, low, high: the figure and its 95 % interval, shares from 0 to 1; None: no interval is known
        n: pairs, trials or images that were counted
        method: how the interval was computed

        >>> pandas.DataFrame(evaluation.frame()).query("exam == 'all-pairs' and part.isna()")
        """
        return [
            {
                "exam": exam.exam,
                "part": part,
                "measure": measure.name,
                "value": measure.value,
                "low": measure.interval[0] if measure.interval else None,
                "high": measure.interval[1] if measure.interval else None,
                "n": measure.n,
                "method": measure.method,
            }
            for exam in self.report.exams
            for part, measures in [(None, exam.measures), *((group.name, group.measures) for group in exam.groups)]
            for measure in measures
        ]


def _asked(
    images: Images,
    recipe: str | Recipe | None,
    resume: str | PathLike[str] | None,
    encoder: nn.Module | str | None,
    objective: Callable[..., Any] | str | None,
    source: SourceConfig,
    options: dict[str, Any],
    reporter: Reporter,
) -> tuple[TrainConfig, Path | None, int]:
    """The config of a run, and of one to resume its folder and the iterations that it has done."""
    settings = {each.name for each in fields(TrainConfig)} - {"recipe", "dataset", "source", "encoder", "objective"}
    told = {name: value for name, value in options.items() if name in settings}
    changes = {name: value for name, value in options.items() if name not in settings}
    if encoder is not None:
        changes["encoder"] = encoder if isinstance(encoder, str) else OWN
    if isinstance(objective, str):
        changes["objective"] = objective
    elif objective is not None:
        changes |= {"objective": OWN, "function": _name_of(objective)}
    check_images(images, "training")
    own = None if isinstance(encoder, str) else encoder
    loss = None if isinstance(objective, str) else objective
    config = TrainConfig(dataset=images, source=source, encoder=own, objective=loss, **told)
    if resume is None:
        place = place_of(images)
        if place is not None and not isinstance(recipe, Recipe):
            return replace(config, recipe=fitted_recipe(place, source, recipe, changes, reporter)), None, 0
        if place is not None:
            check_own(changes)
        known = recipe or TrainConfig.recipe
        known = recipe_called(known) if isinstance(known, str) else known
        return replace(config, recipe=known.changed(**changes)), None, 0
    asked = recipe.name if isinstance(recipe, Recipe) else recipe
    target = str(config.target) if "target" in options else None
    changes |= {"recipe": asked, "name": config.name, "output": config.output, "target": target}
    if not isinstance(resume, str | PathLike):
        raise BadInput(f"{resume!r} names no run", "Give a run's name or a path.")
    return continued(config, None if resume == NEWEST else str(resume), changes)


def _source(source: Any, offline: bool | None, options: dict[str, Any] | None = None) -> SourceConfig:
    """Where data comes from; SourceConfig turns a path into its word, and refuses anything else.

    options: those that say how a folder or table is read are taken out
    """
    told = {name: options.pop(name) for name in ("pattern", "split") if name in options} if options else {}
    return SourceConfig(source=source, offline=offline, **told)


def _name_of(function: Callable[..., Any]) -> str:
    """`module.name`, which the recipe records of an objective."""
    words = (getattr(function, "__module__", ""), getattr(function, "__qualname__", type(function).__name__))
    return ".".join(word for word in words if word)


class _Watcher:
    """A reporter that passes each step to a callback, and stops the run if the callback returns True."""

    def __init__(self, reporter: Reporter, callback: Callback | None) -> None:
        self._reporter, self._callback = reporter, callback
        self._stopped = False
        self.error: Exception | None = None  # of the callback
        self.note, self.warn, self.task = reporter.note, reporter.warn, reporter.task

    @contextmanager
    def training(self, plan: PlanReport) -> Iterator[ShowStep]:
        with self._reporter.training(plan) as show:

            def both(step: StepReport) -> None:
                show(step)
                try:
                    if self._callback is not None and self.error is None:
                        self._stopped = self._callback(step) is True or self._stopped
                except Exception as error:
                    self.error = error

            yield both

    @contextmanager
    def stop_button(self) -> Iterator[Callable[[], str | None]]:
        yield lambda: "callback" if self._stopped or self.error else None
