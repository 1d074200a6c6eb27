"""The exam `all-pairs` against the straightforward way: both images of each pair through the network.

All ways run in turn within a round, in one process, on the same checkpoint and images. The straightforward way runs on
a sample of pairs and is extrapolated to all pairs, because each of its batches costs the same. Embedding is measured
image by image, as in programs that compare two files at a time, and in omnitwin's batches.

    python benchmarks/exams.py --checkpoint NAME --rounds 3
"""

import argparse
import json
import resource
import time

import torch
from common import hardware, markdown_table, peak_rss, say, spread, summary

from omnitwin.answers.engines import EMBED_AT_ONCE, Model
from omnitwin.answers.verifier import TORCH, open_verifier
from omnitwin.config import EvalConfig, SourceConfig
from omnitwin.data.catalogue import open_images
from omnitwin.data.imageset import ImageSet
from omnitwin.data.pairs import draw_pairs
from omnitwin.exams.all_pairs import all_pairs
from omnitwin.exams.exam import Sitting
from omnitwin.exams.scorer import Scorer, seated
from omnitwin.system.device import keep_freed_memory
from omnitwin.system.paths import NEWEST
from omnitwin.system.randomness import random_generator

CPU = torch.device("cpu")
PAIRS_AT_ONCE = 64  # of the straightforward way
SAMPLE = 10  # its batches in a round
SINGLE_IMAGES, BATCHED_IMAGES = 64, 10 * EMBED_AT_ONCE


def straightforward_seconds(network: Model, packed: ImageSet, number: int) -> float:
    """Return the seconds a pair if both of its images go through the network."""
    pairs = draw_pairs(packed, SAMPLE * PAIRS_AT_ONCE, random_generator(CPU, number))
    start = time.perf_counter()
    with torch.inference_mode():
        for left, right in zip(
            torch.split(pairs.left_B, PAIRS_AT_ONCE), torch.split(pairs.right_B, PAIRS_AT_ONCE), strict=True
        ):
            network.score(*(network.embed(packed.gather(rows)) for rows in (left, right))).sigmoid()
    return (time.perf_counter() - start) / len(pairs.left_B)


def embed_seconds(network: Model, packed: ImageSet, images: int, at_once: int) -> float:
    """Return the seconds an image. at_once: images that go through the encoder together"""
    start = time.perf_counter()
    with torch.inference_mode():
        for rows in torch.split(torch.arange(images), at_once):
            network.embed(packed.gather(rows))
    return (time.perf_counter() - start) / images


def measure(scorer: Scorer, original: ImageSet, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each way in each round. Embed the images before."""
    network = scorer.model
    sitting = Sitting(scorer=scorer, images=original, config=EvalConfig(exams=("all-pairs",)))
    found: dict[str, list[float]] = {"exam": [], "pair": [], "image": [], "batched image": []}
    for number in range(rounds + 1):
        say(f"round {number} of {rounds}" if number else "warming up")
        pair = straightforward_seconds(network, scorer.packed, number)
        image = embed_seconds(network, scorer.packed, SINGLE_IMAGES, 1)
        batched = embed_seconds(network, scorer.packed, BATCHED_IMAGES, EMBED_AT_ONCE)
        if number == 0:
            continue
        start = time.perf_counter()
        all_pairs(sitting)
        for name, value in zip(found, (time.perf_counter() - start, pair, image, batched), strict=True):
            found[name].append(value)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare ways to score all pairs of the test set.")
    parser.add_argument("--checkpoint", default=NEWEST, help="a run's name or a weights file; the newest run")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way is measured (3)")
    parser.add_argument("--json", action="store_true", help="all numbers as JSON instead of the table")
    arguments = parser.parse_args()
    machine = hardware()
    verifier = open_verifier(arguments.checkpoint, engine=TORCH)
    assert verifier.description is not None
    encoder = verifier.description.network.encoder
    original = open_images("omniglot", "test", SourceConfig())
    keep_freed_memory()
    scorer = seated(verifier, original)
    say(f"embedding {len(original):,} images")
    scorer.prepared()
    seconds = measure(scorer, original, arguments.rounds)
    pairs = len(original) * (len(original) - 1) // 2
    embedding = scorer.embed_seconds
    whole = [exam + embedding for exam in seconds["exam"]]
    plain = [pair * pairs for pair in seconds["pair"]]
    ratios = [usual / ours for usual, ours in zip(plain, whole, strict=True)]
    faster = [single / batched for single, batched in zip(seconds["image"], seconds["batched image"], strict=True)]
    if arguments.json:
        sides = {name: {"seconds": values, **summary(values)} for name, values in seconds.items()}
        extra = {"embedding_seconds": embedding, "ratio": summary(ratios), "batched_ratio": summary(faster)}
        print(json.dumps({"hardware": machine, "encoder": encoder, "ways": sides, **extra}, indent=2))
        return
    rate, single = ([1 / value for value in seconds[name]] for name in ("batched image", "image"))
    rows = [
        ["all pairs, images embedded before", spread(seconds["exam"], 1), "-"],
        ["all pairs, with embedding", spread(whole, 1), "1"],
        [f"straightforward, from {SAMPLE * PAIRS_AT_ONCE} pairs", spread(plain, 0), spread(ratios, 0)],
    ]
    print(
        f"{machine}. Encoder {encoder}, fp32, {torch.get_num_threads()} threads; {pairs:,} pairs; "
        f"n = {arguments.rounds} rounds in one process, after one of warm-up; median (least to greatest). Peak memory "
        f"of the process {peak_rss(resource.RUSAGE_SELF):,} bytes.\n"
    )
    print(markdown_table(["way", "seconds", "times omnitwin's, within a round"], rows))
    print(
        f"\nEmbedding: {spread(rate, 0)} images/s, {EMBED_AT_ONCE} at once; {spread(single, 0)} images/s one by one; "
        f"ratio {spread(faster, 2)}."
    )


if __name__ == "__main__":
    main()
