"""`omnitwin eval`: how often a trained network is right about pairs of characters it never saw."""

import torch

from omnitwin.config import EvalConfig
from omnitwin.data.packed import PackedSet, check_pairable
from omnitwin.data.pairs import draw_pairs
from omnitwin.device import Stream, autocast, describe_device, random_generator, select_device, select_precision
from omnitwin.files import digest
from omnitwin.metrics import wilson_interval
from omnitwin.model.checkpoint import load_checkpoint, locate_checkpoint
from omnitwin.reports import SILENT, EvalReport, Reporter, ScoredPair
from omnitwin.workflows.acquire import load
from omnitwin.workflows.pictures import picture_of_row

CPU = torch.device("cpu")


def evaluate(config: EvalConfig, reporter: Reporter = SILENT) -> EvalReport:
    """The example's exam: batches of random pairs of test characters, similar with probability 1/2.

    A pair counts as similar from the checkpoint's threshold on. Wilson's interval takes all n pairs as independent.
    """
    path = locate_checkpoint(config.checkpoint)
    network, description = load_checkpoint(path)
    device = select_device(config.device)
    precision = select_precision(config.precision, device)
    network = network.to(device)
    dataset = config.dataset or description.dataset_family
    original = load(dataset, "test", config.source, reporter)
    check_pairable(original)
    packed = original.resized(description.recipe.image_size).to(device)
    accuracies: list[float] = []
    shown: list[ScoredPair] = []
    right = 0
    with reporter.task("Comparing test pairs", config.batches * config.batch_size, "pairs") as advance:
        for batch in range(config.batches):
            # drawn on the CPU whatever the device: a seed names the same exam on every machine
            pairs = draw_pairs(original, config.batch_size, random_generator(CPU, config.seed, Stream.EXAM, batch))
            left_B1SS, right_B1SS = packed.gather(pairs.left_B.to(device)), packed.gather(pairs.right_B.to(device))
            with torch.inference_mode(), autocast(device, precision):
                scores_B = network(left_B1SS, right_B1SS).sigmoid().cpu()
            predicted_B = scores_B >= description.threshold
            right_here = int((predicted_B == pairs.similar_B).sum())
            right += right_here
            accuracies.append(right_here / config.batch_size)
            columns = (pairs.left_B, pairs.right_B, pairs.similar_B, predicted_B, scores_B)
            for row in zip(*(column.tolist() for column in columns), strict=True):
                if len(shown) < config.show:
                    shown.append(_scored(original, *row))
            advance(config.batch_size)
    n = config.batches * config.batch_size
    return EvalReport(
        exam="pairs",
        checkpoint=path,
        weights_sha256=digest(path, "sha256"),
        iteration=description.iteration,
        iterations=description.recipe.iterations,
        recipe=description.recipe.name,
        dataset=packed.name,
        seed=config.seed,
        threshold=description.threshold,
        batch_size=config.batch_size,
        accuracies=tuple(accuracies),
        accuracy=right / n,
        right=right,
        n=n,
        interval=wilson_interval(right, n),
        interval_method="Wilson, 95 %, pairs taken as independent",
        device=describe_device(device),
        precision=precision,
        shown=tuple(shown),
    )


def _scored(packed: PackedSet, left: int, right: int, similar: bool, predicted: bool, score: float) -> ScoredPair:
    return ScoredPair(
        left=picture_of_row(packed, left),
        right=picture_of_row(packed, right),
        left_label=packed.label(left),
        right_label=packed.label(right),
        similar=similar,
        predicted=predicted,
        score=score,
    )
