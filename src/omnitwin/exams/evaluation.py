"""`omnitwin eval`: exams of a network or a baseline, by default on characters it never saw."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from omnitwin.config import EvalConfig
from omnitwin.data.acquire import load
from omnitwin.data.packed import PackedSet, check_pairable
from omnitwin.data.split import only_alphabets
from omnitwin.errors import BadInput
from omnitwin.exams.catalogue import chosen
from omnitwin.exams.exam import Exam, Sitting, Take
from omnitwin.exams.scorer import EMBED_AT_ONCE, Sitter, seated
from omnitwin.exams.sitters import fit_baseline, open_network
from omnitwin.reports.exams import EvalReport, ExamReport
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.system.device import describe_device, peak_memory, select_device, select_precision
from omnitwin.system.shortage import attempt

SMALLER = f"No more than {EMBED_AT_ONCE} images are embedded at once: free the device, or use --device cpu."


@dataclass(frozen=True, eq=False, kw_only=True)
class _Ground:
    """The images of the exams; seen and left_out are those of EvalReport."""

    images: PackedSet
    seen: str
    left_out: tuple[str, ...] = ()


def evaluate(
    config: EvalConfig,
    reporter: Reporter = SILENT,
    *,
    sitter: Sitter | None = None,
    images: PackedSet | None = None,
    exams: Sequence[str | Exam | Take] | None = None,
) -> EvalReport:
    """Take the exams that config names. Each image is embedded once for all of them.

    sitter, images and exams take the place of those that config names; an exam may be a function of one's own:

    >>> evaluate(EvalConfig(checkpoint="bundled"), exams=["pairs", my_exam])  # doctest: +SKIP
    """
    start = time.perf_counter()
    device = select_device(config.device)  # refused before data is fetched for it
    precision = select_precision(config.precision, device)
    asked = config.exams if exams is None else exams
    config = replace(config, exams=tuple(one for one in asked if isinstance(one, str)))  # which checks the names
    network = sitter or (open_network(config.checkpoint, device) if config.baseline is None else None)
    dataset = config.dataset or (network.family if network else Sitter.family)
    ground = _ground(config, dataset, network, images, reporter)
    taken = _applicable(chosen(asked), ground.images, config, reporter)
    material = {exam: exam.fetch(ground.images, config, reporter) for exam in taken}
    if network is None:
        assert config.baseline is not None
        training = load(dataset, "training", config.source, reporter)
        network = fit_baseline(config.baseline, training, config.seed, device, reporter)
    scorer = seated(network, ground.images, device, precision if network.network else "fp32", reporter)
    reports = [
        _take(exam, Sitting(scorer=scorer, images=ground.images, config=config, material=material[exam]))
        for exam in taken
    ]
    return EvalReport(
        network=network.network,
        baseline=network.baseline,
        dataset=ground.images.name,
        subset=config.subset,
        seen=ground.seen,
        left_out=ground.left_out,
        images=len(ground.images),
        classes=len(ground.images.class_names),
        alphabets=len(ground.images.alphabet_names),
        device=describe_device(device),
        precision=scorer.precision,
        exams=tuple(reports),
        embedded=scorer.embedded,
        embed_seconds=scorer.embed_seconds,
        seconds=time.perf_counter() - start,
        peak_bytes=peak_memory(device),
    )


def _take(exam: Exam, sitting: Sitting) -> ExamReport:
    """Take an exam, and add to its report whose it is and how long it took."""
    scorer = sitting.scorer
    begun, embedding = time.perf_counter(), scorer.embed_seconds
    scorer.reporter.note(f"Exam: {exam.name}")
    report = attempt(partial(exam.take, sitting), scorer.device, lambda: SMALLER)
    seconds = time.perf_counter() - begun - (scorer.embed_seconds - embedding)
    network = scorer.sitter.network
    return replace(report, weights_sha256=network.weights_sha256 if network else None, seconds=seconds)


def _ground(
    config: EvalConfig, dataset: str, network: Sitter | None, images: PackedSet | None, reporter: Reporter
) -> _Ground:
    """Return the images that config asks for, and what the network knows of them."""
    if images is None:
        images = load(dataset, "test" if config.subset == "test" else "training", config.source, reporter)
    known = network is not None and network.fingerprint == images.fingerprint
    held_out = network.held_out if network is not None and known else ()
    if config.subset == "held-out":
        if network is None or not network.held_out:
            who = "this network" if network and network.network else "a baseline"
            raise BadInput(f"{who} has no held-out alphabets", "Use --set test, or train with --holdout 5.")
        if not known:
            raise BadInput(f"this network was trained on other images than {images.name} holds now", "Use --set test.")
        ground = _Ground(images=only_alphabets(images, held_out), seen="held-out")
    elif known or (network is None and config.subset == "training"):  # a baseline's threshold is fitted on those
        if held_out:
            images = only_alphabets(images, tuple(name for name in images.alphabet_names if name not in held_out))
        ground = _Ground(images=images, seen="training", left_out=held_out)
    else:
        ground = _Ground(images=images, seen="never")
    check_pairable(ground.images)
    return ground


def _applicable(wanted: dict[Exam, bool], images: PackedSet, config: EvalConfig, reporter: Reporter) -> list[Exam]:
    """Return the exams that can be taken on these images. Say what cannot be taken before any exam begins.

    BadInput if it was asked for by itself; a note if `all` were.
    """
    found = []
    for exam, by_itself in wanted.items():
        try:
            exam.check(images, config)
            found.append(exam)
        except BadInput as error:
            if by_itself:
                raise
            reporter.note(f"{exam.name} is left out: {error}")
    return found
