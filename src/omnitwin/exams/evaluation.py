"""`omnitwin eval`: exams of a network or a baseline, on characters it never saw unless it is told otherwise."""

import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from omnitwin.config import EXAMS, EvalConfig
from omnitwin.data.acquire import load_official
from omnitwin.data.catalogue import open_images
from omnitwin.data.episodes import choices
from omnitwin.data.imageset import ImageSet, check_pairable
from omnitwin.data.official import OfficialRuns
from omnitwin.data.pairs import draw_pairs
from omnitwin.data.split import only
from omnitwin.errors import BadInput
from omnitwin.exams.all_pairs import all_pairs, same_alphabet
from omnitwin.exams.beyond import beyond
from omnitwin.exams.scorer import EMBED_AT_ONCE, Scorer
from omnitwin.exams.trials import official, one_shot, random_pairs
from omnitwin.metrics.calibration import fit_calibration
from omnitwin.metrics.roc import count_scores
from omnitwin.model.baselines import BASELINES
from omnitwin.model.checkpoint import load_checkpoint
from omnitwin.model.description import Description
from omnitwin.model.locating import BUNDLED_WEIGHTS, locate_checkpoint
from omnitwin.reports.exams import EvalReport, ExamReport, NetworkReport
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.system.device import describe_device, peak_memory, select_device, select_precision
from omnitwin.system.files import digest
from omnitwin.system.randomness import Stream, random_generator
from omnitwin.system.shortage import attempt

BASELINE_PAIRS = 2000  # training pairs that turn a baseline's distances into probabilities
EVEN = 0.5  # threshold of a baseline: of a probability fitted with both kinds of pair weighing the same

SMALLER = f"No more than {EMBED_AT_ONCE} images are embedded at once: free the device, or use --device cpu."


def evaluate(config: EvalConfig, reporter: Reporter = SILENT) -> EvalReport:
    """Take the exams that config names, with one embedding of each image for all of them."""
    start = time.perf_counter()
    network = description = subject = None
    if config.baseline is None:
        path = locate_checkpoint(config.checkpoint)
        network, description = load_checkpoint(path)
        subject = _network_report(path, description)
    dataset = config.dataset or (description.dataset_family if description else "omniglot")
    original, seen = _images(config, dataset, description, reporter)
    exams = _applicable(config, original, reporter)
    runs = load_official(original, config.source, reporter) if "official" in exams else None
    device = select_device(config.device)
    precision = select_precision(config.precision, device)
    precision = precision if network else "fp32"
    if network is not None and description is not None:
        packed = original.framed(description.recipe.image_size, description.recipe.frame).to(device)
        scorer = Scorer(
            model=network.to(device),
            packed=packed,
            device=device,
            precision=precision,
            calibration=description.calibration,
            probabilistic=True,
            frame=description.recipe.frame,
            novelty=description.novelty,
            reporter=reporter,
        )
        threshold = description.threshold
    else:
        assert config.baseline is not None
        scorer = Scorer(
            model=BASELINES[config.baseline](), packed=original.to(device), device=device, reporter=reporter
        )
        threshold, training = EVEN, open_images(dataset, "training", config.source, reporter)
        scorer.calibration = _fit_baseline(scorer, training, config.seed)
    reports = []
    for exam in exams:
        begun, embedding = time.perf_counter(), scorer.embed_seconds
        reporter.note(f"Exam: {exam}")
        report = attempt(partial(_take, exam, scorer, original, runs, config, threshold), device, lambda: SMALLER)
        seconds = time.perf_counter() - begun - (scorer.embed_seconds - embedding)
        reports.append(replace(report, weights_sha256=subject.weights_sha256 if subject else None, seconds=seconds))
    return EvalReport(
        network=subject,
        baseline=config.baseline,
        dataset=original.name,
        subset=config.subset,
        seen=seen,
        images=len(original),
        classes=len(original.class_names),
        alphabets=len(original.group_names),
        device=describe_device(device),
        precision=precision,
        exams=tuple(reports),
        embedded=scorer.embedded,
        embed_seconds=scorer.embed_seconds,
        seconds=time.perf_counter() - start,
        peak_bytes=peak_memory(device),
    )


def _take(
    exam: str, scorer: Scorer, original: ImageSet, runs: OfficialRuns | None, config: EvalConfig, threshold: float
) -> ExamReport:
    if exam == "pairs":
        return random_pairs(scorer, original, config)
    if exam == "all-pairs":
        return all_pairs(scorer, original, config, threshold)
    if exam == "same-alphabet":
        return same_alphabet(scorer, original, config, threshold)
    if exam == "one-shot":
        return one_shot(scorer, original, config)
    if exam == "beyond":
        return beyond(scorer, original, config, threshold)
    assert runs is not None
    return official(scorer, original, runs)


def _images(
    config: EvalConfig, dataset: str, description: Description | None, reporter: Reporter
) -> tuple[ImageSet, str]:
    """The images that config asks for, and whether the network has seen them."""
    packed = open_images(dataset, "test" if config.subset == "test" else "training", config.source, reporter)
    known = description is not None and description.fingerprint == packed.fingerprint
    if config.subset == "held-out":
        if description is None or not description.held_out:
            who = "a baseline" if description is None else "this network"
            raise BadInput(f"{who} has no held-out alphabets", "Use --set test, or train with --holdout 5.")
        if not known:
            raise BadInput(f"this network was trained on other images than {packed.name} holds now", "Use --set test.")
        packed = only(packed, description.held_out)
    check_pairable(packed)
    fitted = known or (description is None and config.subset == "training")  # a baseline's threshold, on those
    return packed, ("held-out" if config.subset == "held-out" else "training") if fitted else "never"


def _applicable(config: EvalConfig, packed: ImageSet, reporter: Reporter) -> list[str]:
    """The exams in their order. What cannot be taken is said before any is: BadInput, or a note where all were asked.

    The official runs are drawings of Omniglot's test set and of nothing else.
    """
    chosen = []
    for exam in (exam for exam in EXAMS if exam in config.exams or "all" in config.exams):
        try:
            if exam == "official" and packed.name != "omniglot/test":
                raise BadInput(f"the official runs belong to omniglot/test, not to {packed.name}", "Leave them out.")
            if exam == "same-alphabet" and packed.group_C is None:
                raise BadInput(f"{packed.name} has no alphabets or other groups of classes", "Leave same-alphabet out.")
            if exam == "same-alphabet" and packed.group_C is not None and int(packed.group_C.bincount().max()) < 2:
                raise BadInput(f"no alphabet of {packed.name} has two characters", "Leave same-alphabet out.")
            if exam == "one-shot":
                choices(packed, config.way, config.shot, config.scope)
            chosen.append(exam)
        except BadInput as error:
            if exam in config.exams:
                raise
            reporter.note(f"{exam} is left out: {error}")
    return chosen


def _fit_baseline(scorer: Scorer, training: ImageSet, seed: int) -> dict[str, float] | None:
    """Temperature and bias for a baseline's scores, from training pairs; it knows nothing of the test set."""
    check_pairable(training)
    pairs = draw_pairs(training, BASELINE_PAIRS, random_generator(torch.device("cpu"), seed, Stream.CALIBRATION))
    fitting = Scorer(
        model=scorer.model, packed=training.to(scorer.device), device=scorer.device, reporter=scorer.reporter
    )
    scores = fitting.score_pairs(pairs.left_B, pairs.right_B).double().numpy()
    return fit_calibration(*count_scores(scores, pairs.similar_B.numpy()))


def _network_report(path: Path, description: Description) -> NetworkReport:
    calibration = description.calibration or {}
    return NetworkReport(
        checkpoint=str(path),
        weights_sha256=digest(path, "sha256"),
        recipe=description.recipe.name,
        iteration=description.iteration,
        iterations=description.recipe.iterations,
        trained_on=description.dataset,
        held_out=description.held_out,
        threshold=description.threshold,
        temperature=calibration.get("temperature"),
        bias=calibration.get("bias"),
        bundled=path == BUNDLED_WEIGHTS,
    )
