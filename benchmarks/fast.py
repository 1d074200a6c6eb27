"""How soon the recipe `fast` is as good as the example, and how much sooner than the example's own network.

Runs of three lengths for each seed: wall time of the whole process, from its start to the end of training (imports,
data and held-out exams in it), then its balanced accuracy over all pairs of the test set at its stored threshold. The
lengths are given, not searched for on the test set. The other side is the example's network written the usual way
(baseline.py), its 10,000 iterations extrapolated from steps measured between the runs.

    python benchmarks/fast.py --seeds 5
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import BENCHMARKS, add_zip_argument, check_zip, hardware, markdown_table, say, spread

LENGTHS = {0.892: 100, 0.955: 400, 0.968: 1200}  # balanced accuracy to reach -> iterations
EXAMPLE_ITERATIONS = 10_000  # after which the example reports 89.2 %
BASELINE_STEPS = 2


def omnitwin(*words: str) -> tuple[float, dict[str, Any]]:
    """Wall seconds and JSON report of a command in a process of its own."""
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


def baseline_step(zip_path: Path) -> list[float]:
    """Seconds of some steps of the example's network, the usual way."""
    command = [sys.executable, str(BENCHMARKS / "baseline.py"), "--workers", "2", "--zip", str(zip_path)]
    ended = subprocess.run(
        [*command, "--steps", str(BASELINE_STEPS), "--json"], stdout=subprocess.PIPE, text=True, check=True
    )
    seconds: list[float] = json.loads(ended.stdout)["seconds"]
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    add_zip_argument(parser)
    options = parser.parse_args()
    check_zip(parser, options.zip)
    say(hardware())
    found: dict[float, list[dict[str, float]]] = {bar: [] for bar in LENGTHS}
    ratios = []
    for seed in range(options.seeds):
        example = EXAMPLE_ITERATIONS * sorted(baseline_step(options.zip))[BASELINE_STEPS // 2]
        say(f"seed {seed}: the example's 10,000 iterations would take {example:,.0f} s")
        for bar, iterations in LENGTHS.items():
            found[bar].append(run(seed, iterations))
        ratios.append(example / found[min(LENGTHS)][-1]["seconds"])
    rows = []
    for bar, iterations in LENGTHS.items():
        runs = found[bar]
        accuracy = [100 * one["balanced_accuracy"] for one in runs]
        reached = sum(one["balanced_accuracy"] >= bar for one in runs)
        cells = [spread([one["seconds"] for one in runs]), spread(accuracy), spread([100 * one["eer"] for one in runs])]
        rows.append([f"{100 * bar:.1f} %", str(iterations), *cells, f"{reached} of {len(runs)}"])
    headings = ["bar", "iterations", "seconds, start to end", "balanced accuracy, %", "EER, %", "seeds that reach it"]
    print(markdown_table(headings, rows))
    print(f"\nThe example's 10,000 iterations, extrapolated, over the time to 89.2 %: {spread(ratios)} times")


if __name__ == "__main__":
    main()
