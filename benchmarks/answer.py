"""How long an answer takes: a cold `omnitwin compare` with the bundled weights, which NumPy runs, against torch.

Three ways in turn, each in a new process, after a round that is not counted: the whole command; `import torch` alone,
which no answer by torch can beat; typer, NumPy and Pillow alone, which the program needs. Then, in this process, images
a second and the largest differences of NumPy's answers from torch's.

    python benchmarks/answer.py --rounds 15
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import hardware, markdown_table, say, spread, summary

from omnitwin.answers.verifier import Verifier, open_verifier
from omnitwin.data import synthetic
from omnitwin.system.paths import BUNDLED

COMPARE, TORCH, BARE = "omnitwin compare a.png b.png", "import torch", "import typer, numpy, PIL.Image"
BATCH = 1000  # images
MANY = {"alphabets": 5, "characters": 30, "drawers": 20}  # 3,000 generated images
Seconds = dict[str, list[float]]


def cold_starts(rounds: int) -> Seconds:
    """Return the wall seconds of each way, in turn, each in a new process."""
    with tempfile.TemporaryDirectory(prefix="omnitwin-benchmark-") as folder:
        files = write_images(Path(folder))
        ways = {
            COMPARE: ["-m", "omnitwin", "compare", *files, "--exit-zero"],
            TORCH: ["-c", TORCH],
            BARE: ["-c", BARE],
        }
        environment = {**os.environ, "OMNITWIN_HOME": folder}  # nothing trained, nothing chosen
        seconds: Seconds = {name: [] for name in ways}
        for number in range(rounds + 1):
            say(f"round {number} of {rounds}")
            for name, words in ways.items():
                start = time.perf_counter()
                subprocess.run([sys.executable, *words], env=environment, check=True, stdout=subprocess.DEVNULL)
                if number:
                    seconds[name].append(time.perf_counter() - start)
    return seconds


def write_images(folder: Path) -> list[str]:
    """Write two generated characters and return their paths."""
    from PIL import Image

    packed = synthetic.draw_set("test", alphabets=1, characters=2, drawers=1)
    paths = [str(folder / name) for name in ("a.png", "b.png")]
    for path, image_HW in zip(paths, packed.images_NHW.numpy(), strict=True):
        Image.fromarray(image_HW * np.uint8(255 // packed.white)).save(path)
    return paths


def opened(engine: str) -> Verifier:
    return open_verifier(BUNDLED, engine=engine)


def embed_seconds(images_B1SS: Any, rounds: int) -> Seconds:
    """Return the seconds that each engine, in turn, takes to embed a batch."""
    engines = {"NumPy": opened("numpy").network, "torch": opened("torch").network}
    seconds: Seconds = {name: [] for name in engines}
    for number in range(rounds + 1):
        for name, engine in engines.items():
            start = time.perf_counter()
            engine.embed(images_B1SS)
            if number:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def largest_differences(images_N1SS: Any) -> dict[str, float]:
    """Return how far NumPy's logits and probabilities are from torch's at most, for pairs of neighbouring images."""
    answers = []
    for verifier in (opened("numpy"), opened("torch")):
        embeddings_ND = verifier.network.embed(images_N1SS)
        others_ND = np.roll(embeddings_ND, 1, axis=0)
        answers.append(
            (verifier.network.score(embeddings_ND, others_ND), verifier.probability(embeddings_ND, others_ND))
        )
    (logits, probabilities), (their_logits, their_probabilities) = answers
    return {
        "logit": float(np.abs(logits - their_logits).max()),
        "probability": float(np.abs(probabilities - their_probabilities).max()),
    }


def ratios(seconds: Seconds, name: str) -> list[float]:
    """Return the command's time divided by a way's, for each round."""
    return [ours / other for ours, other in zip(seconds[COMPARE], seconds[name], strict=True)]


def as_markdown(machine: str, cold: Seconds, warm: Seconds, differences: dict[str, float], images: int) -> str:
    cold_rows = [
        [f"`{name}`", spread(values), "-" if name == COMPARE else spread(ratios(cold, name), 2)]
        for name, values in cold.items()
    ]
    warm_rows = [[name, spread([BATCH / value for value in values], 0)] for name, values in warm.items()]
    threads = os.environ.get("OMP_NUM_THREADS", "unset")
    return "\n".join(
        [
            f"{machine}; OMP_NUM_THREADS {threads}. n = {len(cold[COMPARE])} rounds, a new process each, in turn; "
            "median (least to greatest).",
            "",
            markdown_table(["process", "seconds", "the command's time divided by it, within a round"], cold_rows),
            "",
            f"Embedding {BATCH:,} images, n = {len(warm['NumPy'])} rounds in one process, in turn:",
            "",
            markdown_table(["engine", "images/s"], warm_rows),
            "",
            f"Largest difference of NumPy from torch over {images:,} generated images, each paired with the next: "
            f"{differences['logit']:.1e} of a logit, {differences['probability']:.1e} of a probability.",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how long an answer takes.")
    parser.add_argument("--rounds", type=int, default=15, help="how often each process is started (15)")
    parser.add_argument("--json", action="store_true", help="all numbers as JSON instead of the tables")
    arguments = parser.parse_args()
    machine = hardware()
    cold = cold_starts(arguments.rounds)
    verifier = opened("numpy")
    assert verifier.view is not None
    packed = synthetic.draw_set("test", **MANY).framed(verifier.view)
    images_N1SS = packed.images_NHW.numpy().astype(np.float32)[:, None] / packed.white
    warm = embed_seconds(images_N1SS[:BATCH], arguments.rounds)
    differences = largest_differences(images_N1SS)
    if arguments.json:
        sides = {name: {"seconds": values, **summary(values)} for name, values in (cold | warm).items()}
        record = {
            "hardware": machine,
            "sides": sides,
            "differences": differences,
            "images": len(images_N1SS),
        }
        print(json.dumps({**record, "ratio_to_torch": summary(ratios(cold, TORCH))}, indent=2))
    else:
        print(as_markdown(machine, cold, warm, differences, len(images_N1SS)))


if __name__ == "__main__":
    main()
