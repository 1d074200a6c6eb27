"""The abilities of omnitwin for Python: load a network and ask it, open images, train, evaluate.

    import omnitwin

    twin = omnitwin.load()                                  # the bundled weights; or a run's name, or a path
    twin.compare("a.png", "b.png").verdict                  # files, PIL images or arrays
    images = omnitwin.open_images("omniglot")
    run = omnitwin.train(images, recipe="fast", iterations=300, callback=print)
    omnitwin.evaluate(run.twin, images.test, exams=["all-pairs"]).frame()

N images, D features, B pairs
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from omnitwin.answers.engines import open_baseline
from omnitwin.answers.verifier import Verifier, open_verifier
from omnitwin.config import BASELINES, EvalConfig, SourceConfig, TrainConfig
from omnitwin.data.catalogue import CATALOGUE, Images
from omnitwin.data.catalogue import open_images as open_part
from omnitwin.data.imageset import ImageSet
from omnitwin.errors import BadInput
from omnitwin.exams.evaluation import evaluate as take_exams
from omnitwin.exams.exam import Exam, Take
from omnitwin.images.intake import Intake, Picturable, read_any
from omnitwin.images.novelty import Array
from omnitwin.recipes import OWN, RECIPES, Recipe
from omnitwin.reports.answers import Comparison
from omnitwin.reports.exams import EvalReport
from omnitwin.reports.progress import SILENT, Reporter, ShowStep
from omnitwin.reports.training import PlanReport, StepReport, TrainReport
from omnitwin.system.paths import NEWEST
from omnitwin.training.runs import continued, read_steps
from omnitwin.training.training import train as run_recipe

AT_ONCE = 256  # images that are in memory at a time
Callback = Callable[[StepReport], object]


class Twin:
    """A network, or a baseline, that is ready to answer. `load` opens one.

    >>> twin = omnitwin.load()
    >>> twin.compare("a.png", "b.png").verdict
    'same'
    """

    def __init__(self, verifier: Verifier) -> None:
        self.verifier = verifier

    def __repr__(self) -> str:
        return f"<Twin {self.verifier.name}, {self.verifier.engine}, threshold {self.threshold}>"

    @property
    def threshold(self) -> float:
        """Probability from which a pair is called the same."""
        return self.verifier.threshold

    @property
    def recipe(self) -> Recipe:
        """The recipe that the network was trained by. BadInput for a baseline, which has none."""
        if self.verifier.description is None:
            raise BadInput(f"the baseline {self.verifier.name} was trained by no recipe", "")
        return self.verifier.description.whole_recipe()

    def compare(self, first: Picturable, second: Picturable) -> Comparison:
        """Tell whether two images show the same thing; exchanging them changes no bit of the answer.

        An image is a file's path, a PIL image, or an array: (H, W), (H, W, 3) or (H, W, 4) uint8, or (H, W) of numbers
        in any unit, dark for ink. Raises BadImage if one cannot be read, or is blank.

        >>> answer = twin.compare("a.png", PIL.Image.open("b.png"))
        >>> answer.verdict, answer.probability
        ('same', 0.9976)
        """
        intakes = [self._read(image) for image in (first, second)]
        embeddings_2D = self.verifier.embed(intakes)
        probability = float(self.verifier.probability(embeddings_2D[:1], embeddings_2D[1:])[0])
        first_novelty, second_novelty = self.verifier.novelties(intakes)
        return Comparison(
            same=probability >= self.threshold,
            probability=probability,
            threshold=self.threshold,
            notes=tuple(note for intake in intakes for note in intake.notes),
            first_novelty=first_novelty,
            second_novelty=second_novelty,
        )

    def embed(self, images: Iterable[Picturable]) -> Array:
        """Return embeddings, (N, D) float32. BadImage names an image that cannot be read or is blank.

        >>> twin.embed(sorted(Path("drawings").glob("*.png"))).shape
        (4, 256)
        """
        parts, waiting = [], []
        for image in images:
            waiting.append(self._read(image))
            if len(waiting) == AT_ONCE:
                parts.append(self.verifier.embed(waiting))
                waiting = []
        if waiting:
            parts.append(self.verifier.embed(waiting))
        if not parts:
            raise BadInput("no image was given to embed", "")
        return np.concatenate(parts)

    def probability(self, left_BD: Array, right_BD: Array) -> Array:
        """Return the probability, (B,), that each pair of embeddings shows the same thing. One side may have B = 1.

        >>> embeddings = twin.embed(["a.png", "b.png", "c.png"])
        >>> twin.probability(embeddings[:1], embeddings[1:]).shape
        (2,)
        """
        return self.verifier.probability(left_BD, right_BD)

    def _read(self, image: Picturable) -> Intake:
        size, network = self.verifier.image_size, self.verifier.description
        if size is None or network is None:
            raise BadInput(f"the baseline {self.verifier.name} takes exams, not image files", "Use a trained network.")
        if network.network.channels != 1:
            raise BadInput(f"{self.verifier.name} sees images of {network.network.channels} channels, not files", "")
        return read_any(image, size, self.verifier.frame)


def load(
    name: str | PathLike[str] | None = None,
    *,
    device: str = "cpu",
    threshold: float | None = None,
    encoder: nn.Module | None = None,
) -> Twin:
    """Open a trained network, or a baseline, to ask it.

    name: a run's name, a path, `newest`, `bundled`, or a baseline (`pixels`, `hausdorff`); None is the bundled network,
    or the one that `omnitwin use` chose. threshold: None for the network's own. encoder: your own module, for a network
    that was trained with it. Raises BadCheckpoint, DeviceMissing or BadInput.

    >>> omnitwin.load("my-run", device="cuda").threshold
    0.5731
    """
    if threshold is not None and not 0 < threshold < 1:
        raise BadInput(f"a threshold is a probability between 0 and 1, not {threshold}", "")
    if name in BASELINES:
        baseline = open_baseline(str(name), device)
        return Twin(baseline if threshold is None else replace(baseline, threshold=threshold))
    return Twin(open_verifier(None if name is None else str(name), device, threshold, encoder=encoder))


class ImageParts(Mapping[str, ImageSet]):
    """The parts of a data set by name (`training`, `test`), each opened when it is first asked for.

    >>> images = omnitwin.open_images("omniglot")
    >>> images.test.class_names[0]
    'Angelic/character01'
    """

    def __init__(self, name: str, source: SourceConfig, reporter: Reporter) -> None:
        if name not in CATALOGUE:
            raise BadInput(f"no data set is called {name!r}", f"Use {' or '.join(CATALOGUE)}.")
        self.name, self._source, self._reporter = name, source, reporter
        self._parts: dict[str, ImageSet] = {}

    def __getitem__(self, part: str) -> ImageSet:
        if part not in CATALOGUE[self.name].subsets:
            raise KeyError(part)
        if part not in self._parts:
            self._parts[part] = open_part(self.name, part, self._source, self._reporter)
        return self._parts[part]

    def __iter__(self) -> Iterator[str]:
        return iter(CATALOGUE[self.name].subsets)

    def __len__(self) -> int:
        return len(CATALOGUE[self.name].subsets)

    @property
    def training(self) -> ImageSet:
        """The images to train on."""
        return self["training"]

    @property
    def test(self) -> ImageSet:
        """Images of classes that are not in `training`."""
        return self["test"]


def open_images(
    name: str, *, source: str | None = None, offline: bool | None = None, reporter: Reporter = SILENT
) -> ImageParts:
    """Open a data set by name: `omniglot`, fetched once, or `synthetic`, drawn up here.

    source: a folder, a zip file or a base URL to take it from; None: OMNITWIN_MIRROR, else the official address.
    offline: forbid the network; None: as OMNITWIN_OFFLINE says. Raises BadInput, DatasetMissing, DownloadFailed.

    >>> len(omnitwin.open_images("omniglot").test)
    13180
    """
    return ImageParts(name, SourceConfig(source=source, offline=offline), reporter)


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
        """Where weights, state, metrics and config lie."""
        return self.report.output

    @cached_property
    def twin(self) -> Twin:
        """The trained network: the best by the held-out classes if the recipe holds some out, else the last."""
        return load(self.report.best or self.report.weights, encoder=self.encoder)

    @property
    def steps(self) -> tuple[StepReport, ...]:
        """Loss, speed and held-out error of every iteration, the first one first."""
        return read_steps(self.folder)


def train(
    images: Images = "omniglot",
    *,
    recipe: str | Recipe = "classic",
    resume: str | PathLike[str] | None = None,
    encoder: nn.Module | None = None,
    objective: Callable[[Tensor, Tensor], Tensor] | None = None,
    callback: Callback | None = None,
    reporter: Reporter = SILENT,
    name: str | None = None,
    output: str | PathLike[str] | None = None,
    device: str = "auto",
    precision: str = "auto",
    compile: bool = False,
    max_seconds: float | None = None,
    source: str | None = None,
    offline: bool | None = None,
    **overrides: Any,
) -> Run:
    """Train a network into a run's folder, or go on with a run.

    images: a data set's name, what open_images returns, an ImageSet, or a mapping with a `training` part.
    recipe: a name of RECIPES, or a Recipe; overrides: fields of it, such as iterations=300, seed=1, rotation=15.0.
    resume: a run's name or path, or `newest`; images, recipe and seed are then the run's, and iterations may grow.
    encoder: your own module, (B, C, S, S) to (B, features), with an attribute `features`; images are gathered at the
    recipe's image_size. objective: your own loss, of (embeddings (B, D), labels (B,)) to a scalar, for recipes that
    sample classes (`fast`). callback: called with the newest StepReport a few times a second; return True to stop.
    Raises BadInput, BadCheckpoint, DatasetMissing, DeviceMissing, TrainingDiverged, CannotWrite.

    >>> run = omnitwin.train("omniglot", recipe="fast", iterations=300, callback=print)
    >>> run = omnitwin.train(resume=run.folder, iterations=600)
    """
    config = TrainConfig(
        recipe=_recipe(recipe, encoder, objective, {} if resume else overrides),
        dataset=images,
        source=SourceConfig(source=source, offline=offline),
        device=device,
        precision=precision,
        compile=compile,
        max_seconds=max_seconds,
        name=name,
        output=None if output is None else Path(output),
        encoder=encoder,
        objective=objective,
    )
    folder = None
    if resume is not None:
        run = None if resume == NEWEST else str(resume)
        config, folder, _ = continued(config, run, {**overrides, "name": name, "output": output})
    watcher = _Watcher(reporter, callback)
    return Run(report=run_recipe(config, watcher, watcher.stop_button(), folder), encoder=encoder)


def evaluate(
    twin: Twin | str,
    images: Images | None = None,
    *,
    exams: Sequence[str | Exam | Take] = ("pairs",),
    reporter: Reporter = SILENT,
    source: str | None = None,
    offline: bool | None = None,
    **options: Any,
) -> "Evaluation":
    """Take exams of a network or a baseline.

    twin: what load returns, or a name for it. images: as of train, its `test` part counts; None: the data set that the
    network was trained on. exams: names (`pairs`, `all-pairs`, `same-alphabet`, `one-shot`, `official`, `beyond`,
    `all`), exams or functions of your own. options: fields of EvalConfig, such as device="cuda", seeds=5, way=5.
    Raises BadInput, BadCheckpoint, DatasetMissing, DeviceMissing.

    >>> rows = omnitwin.evaluate(twin, images.test, exams=["all-pairs"]).frame()
    >>> rows[0]["measure"], rows[0]["value"], (rows[0]["low"], rows[0]["high"])
    ('balanced_accuracy', 0.98, (0.978, 0.981))
    """
    config = EvalConfig(dataset=images, source=SourceConfig(source=source, offline=offline), **options)
    known = twin if isinstance(twin, Twin) else load(twin, device=config.device)
    return Evaluation(report=take_exams(config, reporter, verifier=known.verifier, exams=exams))


@dataclass(frozen=True, eq=False, kw_only=True)
class Evaluation:
    """What exams found. `report` has everything; `frame` has the figures as rows."""

    report: EvalReport

    def frame(self) -> list[dict[str, Any]]:
        """Return a row for each figure of each exam and of its parts: what pandas.DataFrame takes.

        exam; part: a batch, an alphabet, a variation, or None for the whole exam; measure; value, low, high: the figure
        and its 95 % interval, shares from 0 to 1, None without one; n: pairs, trials or images; method of the interval.
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


def _recipe(
    recipe: str | Recipe, encoder: nn.Module | None, objective: Callable[..., Any] | None, overrides: dict[str, Any]
) -> Recipe:
    if isinstance(recipe, str):
        if recipe not in RECIPES:
            raise BadInput(f"no recipe is called {recipe!r}", f"Use {', '.join(RECIPES)}.")
        recipe = RECIPES[recipe]
    changes = dict(overrides)
    if encoder is not None:
        changes["encoder"] = OWN
    if objective is not None:
        words = (getattr(objective, "__module__", ""), getattr(objective, "__qualname__", type(objective).__name__))
        changes |= {"objective": OWN, "function": ".".join(word for word in words if word)}
    return recipe.changed(**changes) if changes else recipe


class _Watcher:
    """A reporter that hands each step on to a callback, and stops the run if that returns True."""

    def __init__(self, reporter: Reporter, callback: Callback | None) -> None:
        self._reporter, self._callback = reporter, callback
        self._stopped = False
        self.note, self.warn, self.task = reporter.note, reporter.warn, reporter.task

    @contextmanager
    def training(self, plan: PlanReport) -> Iterator[ShowStep]:
        with self._reporter.training(plan) as show:

            def both(step: StepReport) -> None:
                show(step)
                if self._callback is not None and self._callback(step) is True:
                    self._stopped = True

            yield both

    @contextmanager
    def stop_button(self) -> Iterator[Callable[[], str | None]]:
        yield lambda: "callback" if self._stopped else None
