"""Threshold and calibration of an existing network for somebody's own images.

    omnitwin calibrate --checkpoint bundled --data signatures --target far=0.01
    omnitwin.calibrate("signatures", target="far=0.01").written.name    # in Python

All pairs of the images choose the new threshold. Its errors are estimated by cross-validation over classes
(metrics.crossing), as the images that choose may not measure. The new verifier is a run's folder with the same tensors.

N images, C classes, P pairs
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from omnitwin.answers.calibrated import Fitted, free_folder, write_calibrated
from omnitwin.answers.reliability import reliability_of
from omnitwin.answers.sample import (
    Sample,
    check_enough,
    files_by_class,
    most_pairs,
    take_sample,
    usable,
)
from omnitwin.answers.verifier import Verifier, open_verifier
from omnitwin.config import CalibrateConfig, Target, parse_target
from omnitwin.data.showing import check_shown
from omnitwin.errors import BadCheckpoint, BadInput
from omnitwin.metrics.arrays import Array
from omnitwin.metrics.crossing import cross_validated, folds_of
from omnitwin.metrics.curves import curve_rates
from omnitwin.metrics.operating import fit_for, method_of, outcomes_of
from omnitwin.metrics.roc import count_scores
from omnitwin.reports.calibrating import CalibrateReport, Judgement
from omnitwin.reports.exams import Measure
from omnitwin.reports.operating import BY_OTHER_FITS, CALIBRATION, OperatingPoint
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.system.files import check_writable

WORST_EER = 0.4  # above, or if chance (50 %) is within the interval, no threshold is worth having
WORSE_FIT = 0.01  # of the calibration error, by which the new one must exceed the old: less is noise
WORST_RATE = 0.5  # FAR or FRR above which a verifier is warned of: it errs more often than not
MORE = "Give more images, or choose another --target."
LABELS = {
    "far": "false accepts (FAR)",
    "frr": "false rejects (FRR)",
    "balanced_accuracy": "balanced accuracy",
    "precision": "precision, as many of both kinds",
}


def calibrate(
    data: str | PathLike[str],
    *,
    checkpoint: str | PathLike[str] | None = None,
    target: str = "balanced",
    name: str | None = None,
    label_from: str | None = None,
    device: str = "cpu",
    reporter: Reporter = SILENT,
) -> CalibrateReport:
    """Choose threshold and calibration of an existing network on images of your own, and write it under a new name.

    data: a folder whose folders are classes, or a table of paths and labels; ten classes of two images at least
    checkpoint: the network, as load takes it; None: the default network
    target: `balanced`; `far=0.01`, a share of dissimilar pairs accepted, at most; `precision=0.95`, a share of similar
        pairs among the accepted ones, at least, if both kinds were as many
    name: of the new verifier among the runs; None: after the network and the data
    label_from: regular expression for the class in a file's path; None: its folder is its class

    The network itself stays as it is. If it does not tell the images apart, or no threshold reaches the target, the
    report has a `problem` and nothing is written. Raises BadInput, BadCheckpoint, DeviceMissing, CannotWrite.

    >>> report = omnitwin.calibrate("signatures", target="far=0.01", name="signatures")
    >>> omnitwin.load(report.written.name).compare("a.png", "b.png").verdict
    'different'
    """
    if not isinstance(data, str | PathLike) or not str(data):
        raise BadInput(f"{data!r} is no path", "Give a folder of images, or a table of their paths.")
    config = CalibrateConfig(
        data=Path(data),
        checkpoint=None if checkpoint is None else str(checkpoint),
        pattern=label_from,
        target=target,
        name=name,
        device=device,
    )
    return calibrate_network(config, reporter)


def calibrate_network(config: CalibrateConfig, reporter: Reporter = SILENT) -> CalibrateReport:
    """Calibrate as `calibrate` does."""
    start, target = time.perf_counter(), parse_target(config.target)
    verifier = open_verifier(config.checkpoint, config.device)
    folder = free_folder(config, verifier)
    if not folder.exists():  # else a killed process began to write it
        check_writable(folder)
    may_choose = usable(config.data, config.pattern, verifier.description, reporter)
    listing = may_choose.listing
    files_of, more_notes = files_by_class(listing)
    check_enough(sum(len(files) > 1 for files in files_of.values()), str(config.data), may_choose)
    check_shown(target, most_pairs(files_of), "these images", MORE)
    sample = take_sample(listing, files_of, verifier, reporter)
    check_enough(int(sample.paired_C.sum()), f"{config.data}, without the files that cannot be read,", may_choose)
    pairs = _scored(sample, verifier, reporter)
    check_shown(target, int((~pairs.similar_P).sum()), "these images", MORE)
    found = _Calibration(verifier, sample, pairs, target)
    eer = found.eer()
    problem = found.problem(eer)
    written = None
    before, after = found.before(), found.after()
    if problem is None:
        fitted = found.fitted(os.path.basename(os.path.realpath(config.data)))
        folder = folder if config.name else free_folder(config, verifier)  # another process may have taken it
        written = write_calibrated(config, folder, verifier, fitted, sample)
    return CalibrateReport(
        network=verifier.trained(),
        sha256=verifier.sha256 or "",
        data=config.data,
        images=len(sample.class_N),
        classes=len(sample.class_names),
        paired=int(sample.paired_C.sum()),
        similar=int(pairs.similar_P.sum()),
        dissimilar=int((~pairs.similar_P).sum()),
        target=str(target),
        eer=eer,
        before=before,
        after=after,
        folds=found.folds,
        unread=sample.unread,
        twice=sample.twice,
        notes=(*listing.notes, *may_choose.notes, *more_notes, *(() if problem else found.notes())),
        warnings=() if problem or after is None else warnings_on(before, after),
        problem=problem,
        written=written,
        seconds=time.perf_counter() - start,
    )


def warnings_on(before: Judgement, after: Judgement) -> tuple[str, ...]:
    """Say if the new verifier errs more often than not, or if its probabilities fit less well than before."""
    found = []
    for name, does in (("far", "accepts"), ("frr", "rejects")):
        measure = after.measure(name)
        if measure.value > WORST_RATE and measure.interval is not None:
            low, high = measure.interval
            kind, instead = ("dissimilar", "same") if name == "far" else ("similar", "different")
            found.append(
                f"the new verifier {does} {100 * measure.value:.1f} % ({100 * low:.1f} to {100 * high:.1f}) of the "
                f"{kind} pairs: it says {instead} more often than not. Choose another --target, or train on such images"
            )
    old, new = (side.reliability.expected_calibration_error for side in (before, after))
    if new > old + WORSE_FIT:
        found.append(
            f"the probabilities fit these images less well than before: calibration error {new:.4f}, not {old:.4f}"
        )
    return tuple(found)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Pairs:
    """All P pairs of the images: their logits, whether they are similar, and the classes of both images."""

    logit_P: Array
    similar_P: Array
    left_P: Array
    right_P: Array


def _scored(sample: Sample, verifier: Verifier, reporter: Reporter) -> _Pairs:
    """Score every pair of images once. Raises BadCheckpoint if a score is not finite."""
    embeddings_ND, class_N = sample.embeddings_ND, sample.class_N
    count = len(class_N)
    parts = []
    with reporter.task("Comparing all pairs", count * (count - 1) // 2, "pairs") as advance:
        for row in range(count - 1):
            parts.append(verifier.network.score(embeddings_ND[row : row + 1], embeddings_ND[row + 1 :]))
            advance(count - 1 - row)
    logit_P = np.concatenate(parts).astype(np.float64)
    if not np.isfinite(logit_P).all():
        raise BadCheckpoint(f"{verifier.name} gives no answer: its weights lead to numbers that are not finite")
    left_P, right_P = (class_N[side] for side in np.triu_indices(count, 1))
    return _Pairs(logit_P=logit_P, similar_P=left_P == right_P, left_P=left_P, right_P=right_P)


class _Calibration:
    """A network's judgement of pairs before and after; fitted once, asked for its figures."""

    def __init__(self, verifier: Verifier, sample: Sample, pairs: _Pairs, target: Target) -> None:
        self.verifier, self.pairs, self.target = verifier, pairs, target
        self.classes = len(sample.class_names)
        fold_C = folds_of(sample.paired_C, sample.order_C)
        self.folds = int(fold_C.max()) + 1
        fit = fit_for(target.kind, target.value, *count_scores(pairs.logit_P, pairs.similar_P))
        self.calibration = fit.calibration if fit else None
        self.threshold = fit.threshold if fit else None
        sides = (pairs.similar_P, pairs.left_P, pairs.right_P)
        self.crossed = cross_validated(target.kind, target.value, pairs.logit_P, *sides, fold_C)
        self.outcomes = outcomes_of(self.crossed.accepted_N, *sides, self.classes)
        self.rates = self.outcomes.rates()

    def eer(self) -> Measure:
        """Return the equal error rate, with an interval by resampling classes, no narrower than Wilson's."""
        pairs = self.pairs
        rates = curve_rates(pairs.logit_P, pairs.similar_P, pairs.left_P, pairs.right_P, self.classes)
        value, interval = rates["eer"]
        return Measure(
            name="eer",
            value=value,
            interval=interval,
            n=len(pairs.logit_P),
            method=method_of(self.classes),
            label="equal error rate (EER)",
        )

    def before(self) -> Judgement:
        """Return how the network judges the pairs as it is."""
        verifier, pairs = self.verifier, self.pairs
        probability_P = verifier.probability_of(pairs.logit_P)
        accepted_P = (probability_P >= verifier.threshold).astype(np.int64)
        outcomes = outcomes_of(accepted_P, pairs.similar_P, pairs.left_P, pairs.right_P, self.classes)
        return self._judgement(
            verifier.threshold, verifier.calibration, outcomes.rates(), probability_P, method_of(self.classes)
        )

    def after(self) -> Judgement | None:
        """Return how pairs are judged by fits without their classes, beside what is fitted on all."""
        if self.threshold is None:
            return None
        method = f"{BY_OTHER_FITS}, {self.folds} folds; {method_of(self.classes)}"
        return self._judgement(self.threshold, self.calibration, self.rates, self.crossed.probability_N, method)

    def _judgement(
        self,
        threshold: float,
        calibration: dict[str, float] | None,
        rates: Mapping[str, tuple[float, tuple[float, float]]],
        probability_P: Array,
        method: str,
    ) -> Judgement:
        similar_P = self.pairs.similar_P
        counts = {"far": int((~similar_P).sum()), "frr": int(similar_P.sum())}
        named = [name for name in LABELS if name != "precision" or self.target.kind == "precision"]
        fitted = calibration or {}
        return Judgement(
            threshold=threshold,
            temperature=fitted.get("temperature"),
            bias=fitted.get("bias"),
            measures=tuple(
                Measure(
                    name=name,
                    value=rates[name][0],
                    interval=rates[name][1],
                    n=counts.get(name, len(probability_P)),
                    method=method,
                    label=LABELS[name],
                )
                for name in named
            ),
            reliability=reliability_of(probability_P, similar_P.astype(np.float64), (~similar_P).astype(np.float64)),
        )

    def problem(self, eer: Measure) -> str | None:
        """Say why no threshold is worth having, or None."""
        assert eer.interval is not None
        low, high = (f"{100 * bound:.1f}" for bound in eer.interval)
        if eer.value > WORST_EER or eer.interval[1] >= 0.5:
            apart = (
                "does not tell these images apart" if eer.value > WORST_EER else "cannot be shown to tell them apart"
            )
            return (
                f"this network {apart}: equal error rate {100 * eer.value:.1f} % ({low} to {high}), "
                "and guessing gets 50 %"
            )
        if self.threshold is None:
            return f"no threshold reaches {self.target} on these images, not even one that accepts few similar pairs"
        return None

    def notes(self) -> tuple[str, ...]:
        """Say if classes that did not choose the threshold miss the target."""
        value, kind = self.target.value, self.target.kind
        if value is None or self.threshold is None:
            return ()
        got, (low, high) = self.rates[kind]
        if got <= value if kind == "far" else got >= value:
            return ()
        words = f"{100 * got:.3g} % ({100 * low:.3g} to {100 * high:.3g})"
        name = "FAR" if kind == "far" else "precision"
        return (f"on classes that did not choose it, the threshold for {self.target} misses it: {name} {words}",)

    def fitted(self, data: str) -> Fitted:
        """Return what the new verifier gets. data: name of the images; only if there is no problem"""
        assert self.threshold is not None
        return Fitted(threshold=self.threshold, calibration=self.calibration, operating=self._operating(data))

    def _operating(self, data: str) -> OperatingPoint:
        return OperatingPoint.of_rates(
            self.rates,
            similar=int(self.pairs.similar_P.sum()),
            dissimilar=int((~self.pairs.similar_P).sum()),
            data=data,
            target=str(self.target),
            classes=self.classes,
            chosen_on=CALIBRATION,
            method=f"{BY_OTHER_FITS}, {self.folds} folds; {method_of(self.classes)}",
        )
