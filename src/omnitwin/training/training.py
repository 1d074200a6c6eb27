"""`omnitwin train`: run a recipe into a folder. A run can be stopped after any step and resumed.

A resumed run ends with the same bits as an uninterrupted one on a CPU of the same kind, with the same versions of the
libraries and the same number of threads.
"""

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import torch

from omnitwin.config import Target, TrainConfig, parse_target
from omnitwin.data.catalogue import place_of
from omnitwin.data.imageset import ImageSet
from omnitwin.data.split import part_names
from omnitwin.errors import BadInput, TrainingDiverged
from omnitwin.model.checkpoint import load_checkpoint, load_state, save_checkpoint, save_state
from omnitwin.model.description import HELD_OUT_EER, LEAST_EER, Description
from omnitwin.recipes import FAST, Network
from omnitwin.reports.progress import SILENT, Reporter, ShowStep
from omnitwin.reports.training import StepReport, TrainReport
from omnitwin.system.device import select_device
from omnitwin.system.files import digest
from omnitwin.system.locks import hold
from omnitwin.system.paths import BEST_FILE, STATE_FILE, WEIGHTS_FILE
from omnitwin.training.frozen import FrozenExam, is_frozen
from omnitwin.training.heldout import HeldOutExam, HeldOutResult, aim, check_patience, is_out_of_patience
from omnitwin.training.needs import note_needs
from omnitwin.training.novelty import LEAST_ITERATIONS, ground_of
from omnitwin.training.origin import record_of_place
from omnitwin.training.planning import describe_run, new_schedule
from omnitwin.training.resuming import best_before, check_labels, iteration_of, resumed_state
from omnitwin.training.runs import (
    RunLog,
    check_unused,
    computed_before,
    computed_by,
    output_folder,
    training_images,
    write_config,
)
from omnitwin.training.starting import begun, initial_tensors
from omnitwin.training.trainer import Trainer

FLUSH_SECONDS = 0.25  # between two readings of the losses: each makes a GPU wait
COLLAPSE_AFTER = 500  # iterations; on Omniglot the narrow start of the example leaves ln 2 within the first 50
COLLAPSE_SPREAD = 1e-3  # standard deviation of a batch's logits below which the output is constant
LONG_RUN = 1800.0  # seconds; if a run takes longer, a note says so
FORETELL_AFTER = 3  # iterations after the first, by which the time of a run is estimated

StopButton = AbstractContextManager[Callable[[], str | None]]


def train(
    config: TrainConfig,
    reporter: Reporter = SILENT,
    stop_button: StopButton | None = None,
    resume: Path | None = None,
    new_trainer: Callable[[TrainConfig, ImageSet], Trainer] = Trainer,
    new_exam: Callable[[ImageSet, Network, torch.device], HeldOutExam] = HeldOutExam,
) -> TrainReport:
    """Train a new run, or resume one.

    stop_button: entered while steps are taken; the callable that it gives is called after each, and returns why to
    stop, or None
    resume: the folder of the run to resume
    new_trainer: makes what takes the steps, such as a subclass of Trainer
    new_exam: makes what takes the held-out exam

    Raises BadInput, BadCheckpoint, CannotRun, FolderInUse, TrainingDiverged, CannotWrite.
    """
    output = resume or output_folder(config)
    device = select_device(config.device)  # refuse it before anything is made or fetched
    with hold(output):
        if resume is None:
            check_unused(output)
            config = begun(config, reporter)
        state = None if resume is None else resumed_state(config, output)
        note_needs(config, device, reporter.note)
        images, held_out = training_images(config, reporter)
        check_patience(config.recipe, held_out)
        trainer = new_trainer(config, images)
        if state is None:
            trainer.start_from(initial_tensors(config))
        new_exam = FrozenExam if is_frozen(config.recipe) and new_exam is HeldOutExam else new_exam
        for note in trainer.sampler.notes:
            reporter.note(note)
        exam = new_exam(held_out, config.recipe.network, trainer.device) if held_out else None
        aim(exam, parse_target(config.target))
        run = _Run(
            config, trainer, part_names(held_out) if held_out else (), exam, reporter, output, (images, held_out)
        )
        return run.go(stop_button or nullcontext(lambda: None), state)


class _Run:
    """A run from its first step to its report: steps, metrics, checkpoints, and when to stop."""

    def __init__(
        self,
        config: TrainConfig,
        trainer: Trainer,
        held_out: tuple[str, ...],
        exam: HeldOutExam | None,
        reporter: Reporter,
        output: Path,
        sides: tuple[ImageSet, ImageSet | None],
    ) -> None:
        self.config, self.recipe = config, config.recipe
        self.trainer, self.held_out, self.exam = trainer, held_out, exam
        self.reporter, self.output = reporter, output
        self.sides = sides  # to train on and held out, as they came
        self.results: dict[int, HeldOutResult] = {}  # of this process, by iteration
        self.best: Description | None = None
        self.done = 0
        self.loss = math.nan
        self.warnings: list[str] = []
        self.pending: list[tuple[int, torch.Tensor, torch.Tensor]] = []
        self.recent: list[tuple[float, float]] = []  # loss and spread of the last 100 iterations
        self.seconds = 0.0  # spent on steps by this process, without exams and saving

    def go(self, stop_button: StopButton, state: Description | None) -> TrainReport:
        """Take the steps. state: what the state to go on from says of itself; None: a run that begins"""
        if state is not None:
            self._tell_of_other_bits()
            self._restore(state)
        self.trainer.prepare(self.reporter)
        write_config(self.config, self.trainer, self.held_out, self.output)
        first = self.done + 1
        stopped_by: str | None = None
        self.start = self.flushed = self.saved = time.monotonic()
        plan_report = describe_run(self.config, self.trainer, self.held_out, self.done, self.output)
        with (
            RunLog(self.output, self.done) as self.log,
            self.reporter.training(plan_report) as show,
            stop_button as stop,
        ):
            for iteration in range(first, self.recipe.iterations + 1):
                self.pending.append((iteration, *self.trainer.step(iteration)))
                self.done = iteration
                if self._exam_is_due():
                    self._examine()
                now = time.monotonic()
                stopped_by = stop() or ("time" if now - self.start >= (self.config.max_seconds or math.inf) else None)
                stopped_by = stopped_by or ("patience" if self._exam_is_due() and self._is_out_of_patience() else None)
                if now - self.flushed >= FLUSH_SECONDS or stopped_by or iteration == self.recipe.iterations:
                    self._flush(show)
                if iteration == first:
                    warm = now  # the first step also sets up what all others use
                if iteration == first + FORETELL_AFTER:
                    self._foretell((now - warm) / FORETELL_AFTER)
                if stopped_by:
                    break
                if now - self.saved >= self.config.checkpoint_seconds:
                    self._save(show)
            seconds = time.monotonic() - self.start
            self._save(show)
            self._know_the_familiar()
            kept = self.best or self._description(self.results.get(self.done))
            self._tell_of_missed_target(kept)
        return TrainReport(
            output=self.output,
            weights=self.output / WEIGHTS_FILE,
            weights_sha256=digest(self.output / WEIGHTS_FILE, "sha256"),
            best=self.output / BEST_FILE if self.best else None,
            best_iteration=self.best.iteration if self.best else None,
            held_out_eer=self.best.metrics[HELD_OUT_EER] if self.best else None,
            iteration=self.done,
            iterations=self.recipe.iterations,
            threshold=kept.threshold,
            operating=kept.operating,
            loss=self.loss,
            seconds=seconds,
            pairs_per_second=(self.done - first + 1) * self.trainer.sampler.pairs / max(self.seconds, 1e-9),
            own_images=place_of(self.config.dataset) is not None,
            stopped_by=stopped_by if self.done < self.recipe.iterations else None,
            warnings=tuple(self.warnings),
        )

    def _flush(self, show: ShowStep) -> None:
        """Fetch the losses from the device, log them and check them."""
        if not self.pending:
            return
        values = torch.stack([torch.stack(pair) for _, *pair in self.pending]).tolist()
        now = time.monotonic()
        rate = len(values) * self.trainer.sampler.pairs / max(now - self.flushed, 1e-9)
        self.seconds += now - self.flushed
        self.flushed = now
        steps: list[StepReport] = []
        for (iteration, *_), (loss, spread) in zip(self.pending, values, strict=True):
            self.loss = loss
            self.recent = [*self.recent[-99:], (loss, spread)]
            if not math.isfinite(loss):
                self.log.write(steps)
                raise TrainingDiverged(f"the loss is {loss} at iteration {iteration}; {self._what_is_left()}")
            result = self.results.get(iteration)
            steps.append(
                StepReport(
                    iteration=iteration,
                    loss=loss,
                    pairs_per_second=rate,
                    elapsed_seconds=now - self.start,
                    held_out_eer=result.eer if result else None,
                )
            )
        self.log.write(steps)
        self.pending.clear()
        self._watch()
        for step in steps:
            if step.held_out_eer is not None or step is steps[-1]:
                show(step)

    def _exam_is_due(self) -> bool:
        return self.done % self.config.examined_every == 0 or self.done == self.recipe.iterations

    def _is_out_of_patience(self) -> bool:
        best = self.best.iteration if self.best else 0
        return is_out_of_patience(self.recipe, self.config.examined_every, self.done, best)

    def _examine(self) -> HeldOutResult | None:
        """Return the result of this iteration's held-out exam, which is taken once.

        Only an exam that is due can choose `best`, so that an early stop has no influence on the choice.
        """
        if self.exam is None or self.done in self.results:
            return self.results.get(self.done)
        begun = time.monotonic()
        result = self.exam.take(self.trainer.trained)
        self.flushed += time.monotonic() - begun  # exams don't count as time spent on steps
        self.loss = float(self.pending[-1][1]) if self.pending else self.loss
        if result is not None and math.isfinite(self.loss) and self._is_finite():
            self.results[self.done] = result
            if self._exam_is_due() and self._is_better(result):
                least = {LEAST_EER: min(result.eer, self._least_eer())} if self.recipe.slack else {}
                described = self._description(result)
                self.best = replace(described, metrics=described.metrics | least)
                save_checkpoint(self.output / BEST_FILE, self.trainer.trained, self.best)
        return result

    def _least_eer(self) -> float:
        """Return the lowest EER so far on the held-out classes."""
        return self.best.metrics.get(LEAST_EER, self.best.metrics[HELD_OUT_EER]) if self.best else math.inf

    def _is_better(self, result: HeldOutResult) -> bool:
        """Return whether a network becomes the best: its EER is the lowest so far, or not much higher."""
        if not self.recipe.slack or self.exam is None:
            return result.eer < self._least_eer()
        return result.eer <= self._least_eer() * (1 + self.recipe.slack / math.sqrt(self.exam.classes))

    def _watch(self) -> None:
        if self.warnings or self.done < COLLAPSE_AFTER or len(self.recent) < 100:
            return
        mean_loss = sum(loss for loss, _ in self.recent) / len(self.recent)
        chance = self.trainer.objective.chance
        by_chance = chance is None or abs(mean_loss - chance) < 0.002
        if by_chance and max(spread for _, spread in self.recent) < COLLAPSE_SPREAD:
            self.warnings.append(
                f"collapsed: after {self.done} iterations the network still gives every pair the same answer "
                f"(loss {mean_loss:.4f}). Stop, and try another --seed, another --learning-rate or fp32."
            )
            self.reporter.warn(self.warnings[-1])

    def _tell_of_missed_target(self, kept: Description) -> None:
        """Warn if no threshold of the kept checkpoint (the best, else the last) reaches the target."""
        target = str(parse_target(self.config.target))
        if target != str(Target()) and (kept.operating is None or kept.operating.target != target):
            self.warnings.append(
                f"no threshold reaches {target} on the held-out classes: the threshold {kept.threshold:.4g} was chosen "
                "for balanced accuracy. Train longer, or choose another --target."
            )
            self.reporter.warn(self.warnings[-1])

    def _foretell(self, seconds: float) -> None:
        """On a CPU, say how long a long run will take, and how to shorten it."""
        left = self.recipe.iterations - self.done
        if left * seconds > LONG_RUN and self.config.max_seconds is None and self.trainer.device.type == "cpu":
            smaller = "" if self.recipe.name == FAST.name else f", or --recipe {FAST.name}"
            self.reporter.note(
                f"At {seconds:.1f} s an iteration the remaining {left:,} take about {left * seconds / 3600:.1f} h. "
                f"Shorter: fewer --iterations, --max-time 30m{smaller}. Ctrl-C stops and saves at any time."
            )

    def _description(self, result: HeldOutResult | None) -> Description:
        return Description.of_recipe(
            self.recipe,
            iteration=self.done,
            precision=self.trainer.precision,
            dataset=self.trainer.images.name,
            fingerprint=self.trainer.images.fingerprint,
            held_out=self.held_out,
            data=record_of_place(self.config, self.trainer.images.class_names),
            threshold=result.threshold if result else Description.threshold,
            calibration=result.calibration if result else None,
            operating=result.operating if result else None,
            metrics={"loss": self.loss} | ({HELD_OUT_EER: result.eer} if result else {}),
        )

    def _save(self, show: ShowStep) -> None:
        self._flush(show)
        if not self._is_finite():
            raise TrainingDiverged(f"a weight is not finite after iteration {self.done}; {self._what_is_left()}")
        description = self._description(self._examine())
        save_state(self.output / STATE_FILE, self.trainer.state(), description)
        save_checkpoint(self.output / WEIGHTS_FILE, self.trainer.trained, description)
        self.saved = self.flushed = time.monotonic()

    def _know_the_familiar(self) -> None:
        """Fit how the last and the best network know unfamiliar images, and write both again; else they never refuse.

        A run that is resumed writes them anew, so that it ends as if it had never been stopped.
        """
        training, held_out = self.sides
        if held_out is None or self.done < LEAST_ITERATIONS:
            return
        ground = ground_of(training, held_out, self.recipe.network.view, self.recipe.seed)
        if ground is None:
            return
        for file in (WEIGHTS_FILE, BEST_FILE):
            if file == BEST_FILE and self.best is None:
                continue
            network, description = load_checkpoint(self.output / file, self.config.encoder)
            network.to(self.trainer.device)
            described = replace(description, novelty=ground.novelty, familiarity=ground.familiarity(network))
            save_checkpoint(self.output / file, network, described)
            if file == BEST_FILE:
                self.best = described

    def _is_finite(self) -> bool:
        return all(bool(tensor.isfinite().all()) for tensor in self.trainer.trained.state_dict().values())

    def _what_is_left(self) -> str:
        left = [
            f"{file} of iteration {iteration:,}"
            for file in (STATE_FILE, WEIGHTS_FILE, BEST_FILE)
            if (iteration := iteration_of(self.output / file)) is not None
        ]
        return f"{self.output} keeps {', '.join(left)}" if left else "nothing had been saved yet"

    def _tell_of_other_bits(self) -> None:
        """Say that bits will differ, if a session of this run was computed in another way."""
        here = computed_by(self.trainer)
        for before in computed_before(self.output):
            if others := [f"{name} {value}" for name, value in before.items() if value != here.get(name)]:
                self.reporter.note(
                    f"A part of this run was computed with {', '.join(others)}, unlike now: its weights will differ in "
                    "their last bits from those of an uninterrupted run."
                )
                return

    def _restore(self, state: Description) -> None:
        if state.fingerprint != self.trainer.images.fingerprint:
            raise BadInput(
                f"{self.output} was trained on other images than {self.trainer.images.name} holds now",
                f"Start a new run; from this network: omnitwin train --from {self.output}",
            )
        check_labels(self.config, self.output, self.trainer.sampler.labels)
        tensors, _ = load_state(self.output / STATE_FILE)
        self.trainer.restore(tensors)
        if note := new_schedule(state.whole_recipe(), self.recipe, state.iteration):
            self.reporter.note(note)
        self.done, self.loss = state.iteration, state.metrics.get("loss", math.nan)
        if self.exam is not None:
            self.best = best_before(self.config, self.output, state, self.reporter.note)
        if self._is_out_of_patience():
            best = self.best.iteration if self.best else 0
            raise BadInput(
                f"{self.output} has stopped: its last exams found no better network than iteration {best:,}",
                "To train further, resume it with another --patience; 0 never stops.",
            )
