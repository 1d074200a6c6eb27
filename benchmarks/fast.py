"""How soon the recipe `fast` is as good as the example, and how much sooner than the example's own network.

Each seed has runs of three lengths. Measured are the wall time of the whole process, from its start to the end of
training (with imports, data and held-out exams), and the balanced accuracy over all pairs of the test set at the stored
threshold. The lengths come from held-out alphabets (docs/LOG.md), with a margin. The other side is the example's
network written the usual way (baseline.py); its 10,000 iterations are extrapolated from steps measured between the
runs. They are compared with the shortest run, which is well past the example's accuracy, so the ratio is a lower bound.
At the end: the share of a step spent on drawing, gathering and warping its images.

    python benchmarks/fast.py --seeds 5
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import BENCHMARKS, WARM_UP_STEPS, add_zip_argument, check_zip, hardware, markdown_table, say, spread

LENGTHS = {0.892: 60, 0.955: 300, 0.968: 1200}  # balanced accuracy to reach -> iterations
EXAMPLE_ITERATIONS = 10_000  # after which the example reports 89.2 %
BASELINE_STEPS = 3
TIMED_STEPS = 40  # of the recipe, for the share of its data path


def omnitwin(*words: str) -> tuple[float, dict[str, Any]]:
    """Return the wall seconds and the JSON report of a command in a new process."""
    start = time.perf_counter()
    ended = subprocess.run([sys.executable, "-m", "omnitwin", *words, "--json"], capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if ended.returncode:
        sys.exit(ended.stderr)
    report: dict[str, Any] = json.loads(ended.stdout)
    return seconds, report


def run(seed: int, iterations: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="omnitwin-benchmark-") as folder:
        output = str(Path(folder) / "run")
        words = ("--recipe", "fast", "--iterations", str(iterations), "--seed", str(seed), "--output", output)
        seconds, trained = omnitwin("train", *words)
        _, report = omnitwin("eval", "--checkpoint", output, "--exam", "all-pairs")
    figures = {measure["name"]: measure["value"] for measure in report["exams"][0]["measures"]}
    say(f"  seed {seed}, {iterations} iterations: {seconds:.1f} s, {100 * figures['balanced_accuracy']:.2f} %")
    return {"seconds": seconds, "training": trained["seconds"], **figures}


def baseline_step(zip_path: Path) -> float:
    """Return the median seconds of a step of the example's network, written the usual way."""
    command = [sys.executable, str(BENCHMARKS / "baseline.py"), "--workers", "2", "--zip", str(zip_path)]
    ended = subprocess.run(
        [*command, "--steps", str(BASELINE_STEPS), "--json"], stdout=subprocess.PIPE, text=True, check=True
    )
    return float(statistics.median(json.loads(ended.stdout)["seconds"]))


def data_shares(recipe: str) -> list[float]:
    """Return, for each step, the seconds of drawing, gathering and warping a batch divided by those of the step."""
    from omnitwin.config import TrainConfig
    from omnitwin.recipes import RECIPES
    from omnitwin.system.device import keep_freed_memory
    from omnitwin.training.runs import training_images
    from omnitwin.training.trainer import Trainer

    keep_freed_memory()
    config = TrainConfig(recipe=RECIPES[recipe], device="cpu")
    trainer = Trainer(config, training_images(config)[0])
    shares = []
    for iteration in range(1, WARM_UP_STEPS + TIMED_STEPS + 1):
        start = time.perf_counter()
        trainer.draw(iteration)
        middle = time.perf_counter()
        trainer.step(iteration)  # draws the batch again
        shares.append((middle - start) / (time.perf_counter() - middle))
    return shares[WARM_UP_STEPS:]


def mean_spread(values: list[float], digits: int) -> str:
    """Return mean, standard deviation, least and greatest as `97.31 ± 0.12 (97.11 to 97.40)`."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    few = f"{min(values):.{digits}f} to {max(values):.{digits}f}"
    return f"{statistics.mean(values):.{digits}f} ± {deviation:.{digits}f} ({few})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    add_zip_argument(parser)
    options = parser.parse_args()
    check_zip(parser, options.zip)
    machine = hardware()
    found: dict[float, list[dict[str, float]]] = {bar: [] for bar in LENGTHS}
    ratios = []
    for seed in range(options.seeds):
        example = EXAMPLE_ITERATIONS * baseline_step(options.zip)
        say(f"seed {seed}: the example's 10,000 iterations would take {example:,.0f} s")
        for bar, iterations in LENGTHS.items():
            found[bar].append(run(seed, iterations))
        ratios.append(example / found[min(LENGTHS)][-1]["seconds"])
    rows = []
    for bar, iterations in LENGTHS.items():
        runs = found[bar]
        reached = sum(figures["balanced_accuracy"] >= bar for figures in runs)
        cells = [
            mean_spread([figures["seconds"] for figures in runs], 1),
            mean_spread([100 * figures["balanced_accuracy"] for figures in runs], 2),
            mean_spread([100 * figures["eer"] for figures in runs], 2),
        ]
        rows.append([f"{100 * bar:.1f} %", f"{iterations:,}", *cells, f"{reached} of {len(runs)}"])
    print(f"{machine}. n = {options.seeds} seeds; mean ± standard deviation (least to greatest).\n")
    headings = ["bar", "iterations", "seconds, start to end", "balanced accuracy, %", "EER, %", "seeds that reach it"]
    print(markdown_table(headings, rows))
    print(f"\nThe example's 10,000 iterations, extrapolated, over the shortest run: {spread(ratios, 0)} times.")
    for recipe in ("fast", "strong"):
        share = spread([100 * value for value in data_shares(recipe)], 1)
        print(f"Drawing, gathering and warping take {share} % of a step of `{recipe}` (n = {TIMED_STEPS}).")


if __name__ == "__main__":
    main()
