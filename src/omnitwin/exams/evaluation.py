"""`omnitwin eval`: exams of a network or a baseline, by default on classes it never saw."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from omnitwin.answers.calibrated import has_chosen
from omnitwin.answers.engines import EMBED_AT_ONCE, on_device, open_baseline, torch_network
from omnitwin.answers.sample import trained_classes
from omnitwin.answers.verifier import TORCH, Verifier, open_verifier
from omnitwin.config import EvalConfig, SourceConfig
from omnitwin.data.catalogue import Images, open_images, open_own, part_of, place_of
from omnitwin.data.imageset import ImageSet, check_pairable, single_classes
from omnitwin.data.listing import HELD_OUT, TRAINING
from omnitwin.data.own import ALL, OwnImages
from omnitwin.data.pairs import draw_pairs
from omnitwin.data.parts import note_on_few
from omnitwin.data.split import in_parts, only, part_names
from omnitwin.errors import BadCheckpoint, BadInput
from omnitwin.exams.catalogue import chosen
from omnitwin.exams.exam import CPU, Exam, Sitting, Take
from omnitwin.exams.ink import check_ink
from omnitwin.exams.place import facts_of_place
from omnitwin.exams.scorer import seated
from omnitwin.metrics.calibration import fit_calibration
from omnitwin.metrics.roc import count_scores
from omnitwin.model.description import FOLDS, Description
from omnitwin.reports.data import PlaceFacts
from omnitwin.reports.exams import EvalReport, ExamReport, NetworkReport
from omnitwin.reports.nouns import counted, nouns_of
from omnitwin.reports.operating import CALIBRATION
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.system.device import describe_device, peak_memory, select_device, select_precision
from omnitwin.system.randomness import Stream, random_generator
from omnitwin.system.shortage import attempt
from omnitwin.training.origin import as_recorded, trained_images

SEED = 0  # of the division of images that the network was not trained on
BASELINE_PAIRS = 2000  # training pairs that turn a baseline's distances into probabilities
TAKE_IT = "To take it too: --exam all."
SMALLER = f"No more than {EMBED_AT_ONCE} images are embedded at once: free the device, or use --device cpu."


@dataclass(frozen=True, eq=False, kw_only=True)
class _Ground:
    """The images of the exams; seen, chose_threshold, left_out and place are those of EvalReport."""

    images: ImageSet
    seen: str
    chose_threshold: bool = False
    left_out: tuple[str, ...] = ()
    place: PlaceFacts | None = None


def evaluate(
    config: EvalConfig,
    reporter: Reporter = SILENT,
    *,
    verifier: Verifier | None = None,
    exams: Sequence[str | Exam | Take] | None = None,
) -> EvalReport:
    """Take the exams that config names. Each image is embedded once for all of them.

    verifier and exams take the place of those that config names. A KeyboardInterrupt says in words which exams were
    done. An exam may be a function of your own:

    >>> evaluate(EvalConfig(checkpoint="bundled", dataset=my_images), exams=["pairs", my_exam])  # doctest: +SKIP
    """
    start = time.perf_counter()
    asked = config.exams if exams is None else exams
    config = replace(config, exams=tuple(exam for exam in asked if isinstance(exam, str)))  # checks the names
    verifier = _opened(verifier, config, reporter)
    device = torch_network(verifier).device
    precision = select_precision(config.precision, device)  # like the device, refuse it before data is fetched
    dataset, config = _images_of(config, verifier)
    ground = _ground(config, dataset, verifier, reporter)
    if config.baseline == "hausdorff":
        check_ink(ground.images, "the Hausdorff distance is", "Use --baseline pixels or frozen.")
    taken = _applicable(chosen(asked), ground.images, config, ground.place is not None, reporter)
    material = {exam: exam.fetch(ground.images, config, reporter) for exam in taken}
    if not verifier.probabilistic and verifier.calibration is None:
        training = open_images(dataset, "training", config.source, reporter, verifier.view, SEED)
        verifier = fitted(verifier, training, config.seed, BASELINE_PAIRS, reporter)
        if training.fingerprint == ground.images.fingerprint:
            ground = replace(ground, seen="training", chose_threshold=True)
    network = _network_report(verifier)
    scorer = seated(verifier, ground.images, precision if network else "fp32", reporter)
    sitting = Sitting(scorer=scorer, images=ground.images, config=config)
    reports = _taken(taken, material, sitting, network)
    return EvalReport(
        network=network,
        baseline=None if network else verifier.name,
        dataset=ground.images.name,
        subset=config.subset,
        seen=ground.seen,
        chose_threshold=ground.chose_threshold,
        left_out=ground.left_out,
        images=len(ground.images),
        classes=len(ground.images.class_names),
        alphabets=len(ground.images.group_names),
        single_classes=single_classes(ground.images),
        place=ground.place,
        device=describe_device(device),
        precision=scorer.precision,
        exams=reports,
        embedded=scorer.embedded,
        embed_seconds=scorer.embed_seconds,
        seconds=time.perf_counter() - start,
        peak_bytes=peak_memory(device),
    )


def fitted(baseline: Verifier, training: ImageSet, seed: int, pairs: int, reporter: Reporter = SILENT) -> Verifier:
    """Return the baseline with a calibration from this many random pairs of the training images.

    Both kinds of pair weigh the same. Raises BadInput if no pairs can be drawn.
    """
    check_pairable(training)
    drawn = draw_pairs(training, pairs, random_generator(CPU, seed, Stream.CALIBRATION))
    scores = seated(baseline, training, reporter=reporter).score_pairs(drawn.left_B, drawn.right_B).double().numpy()
    return replace(baseline, calibration=fit_calibration(*count_scores(scores, drawn.similar_B.numpy())))


def _opened(verifier: Verifier | None, config: EvalConfig, reporter: Reporter) -> Verifier:
    """Return the verifier that takes the exams, run by torch: the given one, else the one that config names.

    Raises BadInput if both are there, DeviceMissing, or BadCheckpoint: the given one's file may have changed.
    """
    if verifier is not None and (config.checkpoint is not None or config.baseline is not None):
        raise BadInput(f"{verifier.name} takes the exams, and a checkpoint or baseline was named too", "Leave one out.")
    if verifier is None and config.baseline is not None:
        encoder, weights, offline = config.encoder, config.weights, config.source.offline
        return open_baseline(
            config.baseline, config.device, encoder=encoder, weights=weights, offline=offline, reporter=reporter
        )
    if verifier is None:
        return open_verifier(config.checkpoint, config.device, engine=TORCH)
    if verifier.engine == TORCH:
        return verifier if config.device == EvalConfig.device else on_device(verifier, select_device(config.device))
    again = open_verifier(str(verifier.path), config.device, engine=TORCH)
    if again.sha256 != verifier.sha256:
        raise BadCheckpoint(f"{verifier.name} has changed since it was opened", "Open it again.")
    return replace(verifier, network=again.network, engine=TORCH)


def _images_of(config: EvalConfig, verifier: Verifier) -> tuple[Images, EvalConfig]:
    """Return the images that the exams are taken on, and the config with how they are read."""
    description = verifier.description
    if config.dataset is None:
        if description is None:
            return "omniglot", config
        images, source = trained_images(description, config.source)
        return images, replace(config, source=source)
    place = place_of(config.dataset)
    record = description.data if description is not None else None
    if description is None or record is None or place is None or not description.was_trained_at(place):
        return config.dataset, config
    return config.dataset, replace(config, source=as_recorded(record, config.source))


def _opened_place(
    config: EvalConfig, place: Path, verifier: Verifier, reporter: Reporter
) -> tuple[OwnImages, dict[str, Any]]:
    """Return the images of a place, and the network's record of them, which is empty unless it was trained on them.

    They are divided as in training. Images that were moved or copied since are known by their fingerprint. Raises
    BadInput if config asks for another division.
    """
    description, view = verifier.description, verifier.view
    record = description.data if description is not None else None
    if description is None or record is None:
        return open_own(place, config.source, reporter, view, SEED), {}
    if description.was_trained_at(place):
        return open_own(place, config.source, reporter, view, record["seed"]), record
    own = open_own(place, config.source, reporter, view, SEED)
    try:
        again = open_own(place, as_recorded(record, SourceConfig()), SILENT, view, record["seed"])
    except BadInput:
        return own, {}
    if all(again[part].fingerprint != description.fingerprint for part in (TRAINING, ALL) if part in again):
        return own, {}
    as_recorded(record, config.source)  # refuses another way to divide them
    reporter.note(f"This network was trained on the images of {place}. They are divided as in training.")
    return again, record


def _taken(
    exams: Sequence[Exam], material: Mapping[Exam, Any], sitting: Sitting, network: NetworkReport | None
) -> tuple[ExamReport, ...]:
    """Take the exams, one after the other. A KeyboardInterrupt says in words which of them were done."""
    reports: list[ExamReport] = []
    try:
        for exam in exams:
            reports.append(_take(exam, replace(sitting, material=material[exam]), network))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_done_in_words(exams, len(reports))) from None
    return tuple(reports)


def _own_ground(config: EvalConfig, place: Path, verifier: Verifier, reporter: Reporter) -> _Ground:
    """Return the part of the user's own images that config asks for, and whether the verifier has seen it.

    The classes of a test are new to the network, whatever was added to the place since it was trained. There are two
    exceptions: a closed set, and a network that was trained on all classes after folds.
    """
    description = verifier.description
    own, record = _opened_place(config, place, verifier, reporter)
    images = part_of(own, config.subset)
    known = trained_classes(description, own.store) if description is not None and record else frozenset[str]()
    new_C = torch.tensor([known is None or name not in known for name in images.class_names])
    left_out: tuple[str, ...] = ()
    if not record:  # a baseline is fitted on the training part
        fits = description is None and config.subset in (TRAINING, ALL)
        seen = "training" if fits else "unknown" if description and description.lacks_names else "never"
    elif config.subset in (TRAINING, ALL):
        seen = "training"
    elif known is None:
        seen = "unknown"
    elif not new_C.any():
        seen = "training" if description is not None and FOLDS in description.metrics else "closed"
    else:
        seen = "held-out" if config.subset == HELD_OUT else "never"
        if seen == "never":
            new_C &= ~_held_out(images, description)
        if not new_C.any():
            raise BadInput(
                f"every test class of {place} was trained on, or chose the network's best checkpoint and threshold",
                "Add classes, or give other images: --data PATH",
            )
        left_out = tuple(name for name, new in zip(images.class_names, new_C.tolist(), strict=True) if not new)
        images = images.of_classes(new_C) if left_out else images
    check_pairable(images)
    few = note_on_few(len(images.class_names)) if seen == "never" and config.subset == "test" else None
    if few is not None:
        reporter.note(f"{few[0].upper()}{few[1:]}.")
    split, seed = record.get("split", config.source.divided), record.get("seed", SEED)
    facts = facts_of_place(own, split, seed, few)
    fitting = TRAINING if description is None else HELD_OUT  # the part that chooses a threshold
    chose = (description is None or bool(record)) and config.subset in (fitting, ALL)
    if description is not None and FOLDS in description.metrics:
        chose = chose or seen == "training"  # out of fold, all of them did
    chose = _chose_threshold(verifier, chose, images)
    return _Ground(images=images, seen=seen, chose_threshold=chose, left_out=left_out, place=facts)


def _held_out(images: ImageSet, description: Description | None) -> torch.Tensor:
    """Return which classes were held out when a network was trained, (C,) bool. A class added since may move others."""
    return in_parts(images, () if description is None else description.held_out)


def _chose_threshold(verifier: Verifier, in_training: bool, images: ImageSet) -> bool:
    """Return whether some of these images chose the verifier's threshold.

    in_training: whether they hold the part that chose it in training, unless it was calibrated since
    """
    description = verifier.description
    point = None if description is None else description.operating
    if point is None or point.chosen_on != CALIBRATION:
        return in_training
    return has_chosen(verifier, images)


def _ground(config: EvalConfig, dataset: Images, verifier: Verifier, reporter: Reporter) -> _Ground:
    """Return the images that config asks for, and whether the verifier has seen them."""
    if (place := place_of(dataset)) is not None:
        return _own_ground(config, place, verifier, reporter)
    if config.subset == "all":
        raise BadInput("--set all is for images of your own", "Use --set test.")
    images = open_images(dataset, "test" if config.subset == "test" else "training", config.source, reporter)
    description = verifier.description
    known = description is not None and description.fingerprint == images.fingerprint
    held_out = description.held_out if description is not None else ()
    if config.subset == "held-out":
        if not held_out:
            who = "a baseline" if description is None else "this network"
            kept = nouns_of(images.name if description is None else description.dataset).held_out
            raise BadInput(f"{who} has no held-out {kept}", "Use --set test, or train with --holdout 5.")
        if not known:
            raise BadInput(f"this network was trained on other images than {images.name} holds now", "Use --set test.")
        chose = _chose_threshold(verifier, True, images)
        ground = _Ground(images=only(images, held_out), seen="held-out", chose_threshold=chose)
    elif known and held_out:
        trained_on = tuple(name for name in part_names(images) if name not in held_out)
        ground = _Ground(images=only(images, trained_on), seen="training", left_out=held_out)
    elif known or (description is None and config.subset == "training"):  # a baseline is fitted on these
        ground = _Ground(images=images, seen="training")
    else:
        ground = _Ground(images=images, seen="never")
    check_pairable(ground.images)
    return ground


def _applicable(
    wanted: dict[Exam, bool], images: ImageSet, config: EvalConfig, own: bool, reporter: Reporter
) -> list[Exam]:
    """Return the exams that can be taken on these images. Say which are left out, before any exam begins.

    own: whether they are somebody's own images, on which `usual` leaves out what takes long

    Raises BadInput if an exam was asked for by its own name; notes it if `all` or the usual ones were asked for.
    """
    found = []
    brief = own and "all" not in config.exams
    for exam, by_name in wanted.items():
        try:
            exam.check(images, config)
            if brief and exam.long_on_own and not by_name:
                reporter.note(f"{exam.name} is left out: it takes many minutes on images of your own. {TAKE_IT}")
            else:
                found.append(exam)
        except BadInput as error:
            if by_name:
                raise
            reporter.note(f"{exam.name} is left out: {error}")
    return found


def _take(exam: Exam, sitting: Sitting, network: NetworkReport | None) -> ExamReport:
    """Take an exam; its report also says whose it is and how long it took."""
    scorer = sitting.scorer
    begun, embedding = time.perf_counter(), scorer.embed_seconds
    scorer.reporter.note(f"Exam: {exam.name}")
    report = attempt(partial(exam.take, sitting), scorer.device, lambda: SMALLER)
    seconds = time.perf_counter() - begun - (scorer.embed_seconds - embedding)
    return replace(report, weights_sha256=network.weights_sha256 if network else None, seconds=seconds)


def _done_in_words(taken: Sequence[Exam], done: int) -> str:
    """Return `2 of 6 exams were done (pairs, all-pairs)`, for an interruption."""
    if not done:
        return "no exam was done"
    names = ", ".join(exam.name for exam in taken[:done])
    return f"{done} of {counted(len(taken), 'exam')} {'was' if done == 1 else 'were'} done ({names})"


def _network_report(verifier: Verifier) -> NetworkReport | None:
    """Return a report's record of a network; None for a baseline."""
    path, description = verifier.path, verifier.description
    if path is None or description is None or verifier.sha256 is None:
        return None
    calibration = verifier.calibration or {}
    return NetworkReport(
        checkpoint=str(path),
        weights_sha256=verifier.sha256,
        recipe=description.recipe_name,
        iteration=description.iteration,
        iterations=description.iterations,
        trained_on=description.dataset,
        held_out=description.held_out,
        threshold=verifier.threshold,
        temperature=calibration.get("temperature"),
        bias=calibration.get("bias"),
        operating=verifier.operating,
        bundled=verifier.bundled,
    )
