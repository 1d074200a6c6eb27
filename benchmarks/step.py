"""Compare a training step of omnitwin with the same step written the usual way (baseline.py), on the CPU.

Each measurement is a new process. A round measures every side once, so that whatever slows the machine for a while
slows all sides. A ratio is taken within a round.

    python benchmarks/step.py --rounds 3 --steps 4
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from common import (
    BENCHMARKS,
    WARM_UP_STEPS,
    add_zip_argument,
    check_zip,
    hardware,
    markdown_table,
    say,
    spread,
    summary,
)

OURS = "omnitwin"
SIDES = {  # name -> script and options
    "usual way, 2 workers": ("baseline.py", "--workers", "2"),
    OURS: ("ours.py",),
    "usual way, no workers": ("baseline.py", "--workers", "0"),
    "omnitwin, fp32": ("ours.py", "--precision", "fp32"),
    "omnitwin, freed memory returned": ("ours.py", "--return-memory"),
}
Round = dict[str, dict[str, Any]]  # side -> what its process reported


def measure(side: str, zip_path: Path, steps: int) -> dict[str, Any]:
    script, *options = SIDES[side]
    command = [sys.executable, str(BENCHMARKS / script), *options, "--zip", str(zip_path), "--steps", str(steps)]
    ended = subprocess.run([*command, "--json"], stdout=subprocess.PIPE, text=True, check=True)
    record: dict[str, Any] = json.loads(ended.stdout)
    say(f"  {side}: {spread(record['seconds'])} s a step")
    return record


def measure_rounds(zip_path: Path, rounds: int, steps: int) -> list[Round]:
    measured = []
    for number in range(1, rounds + 1):
        say(f"round {number} of {rounds}")
        measured.append({side: measure(side, zip_path, steps) for side in SIDES})
    sizes = {record["parameters"] for sides in measured for record in sides.values()}
    assert len(sizes) == 1, f"the sides train networks of different sizes: {sizes}"
    return measured


def step_seconds(rounds: list[Round], side: str) -> list[float]:
    return [seconds for sides in rounds for seconds in sides[side]["seconds"]]


def ratios(rounds: list[Round], side: str) -> list[float]:
    """Return a side's median step divided by omnitwin's, for each round."""
    return [statistics.median(sides[side]["seconds"]) / statistics.median(sides[OURS]["seconds"]) for sides in rounds]


def draw_shares(rounds: list[Round]) -> list[float]:
    """Return the median time to draw and gather a batch divided by omnitwin's median step, for each round."""
    ours = [sides[OURS] for sides in rounds]
    return [statistics.median(record["draw_seconds"]) / statistics.median(record["seconds"]) for record in ours]


def peak_bytes(rounds: list[Round], side: str, whose: str = "peak_bytes") -> int:
    return int(max(sides[side][whose] for sides in rounds))


def as_record(machine: str, rounds: list[Round]) -> dict[str, Any]:
    sides = {
        side: {
            "step_seconds": summary(step_seconds(rounds, side)),
            "ratio_to_omnitwin": summary(ratios(rounds, side)),
            "peak_bytes": peak_bytes(rounds, side),
            "largest_child_peak_bytes": peak_bytes(rounds, side, "largest_child_peak_bytes"),
        }
        for side in SIDES
    }
    return {"hardware": machine, "sides": sides, "draw_share": summary(draw_shares(rounds)), "rounds": rounds}


def as_markdown(machine: str, rounds: list[Round]) -> str:
    first = rounds[0][OURS]
    rows = [
        [
            side,
            spread(step_seconds(rounds, side)),
            "1" if side == OURS else spread(ratios(rounds, side), 2),
            f"{peak_bytes(rounds, side):,}",
        ]
        for side in SIDES
    ]
    header = ["side", "seconds a step", "times omnitwin's step, within a round", "peak memory, bytes"]
    share_percent = [100 * share for share in draw_shares(rounds)]
    draw_milliseconds = [1000 * seconds for sides in rounds for seconds in sides[OURS]["draw_seconds"]]
    child = peak_bytes(rounds, "usual way, 2 workers", "largest_child_peak_bytes")
    return "\n".join(
        [
            f"{machine}; {first['threads']} threads. Classic recipe, 180 pairs a step; omnitwin in "
            f"{first['precision']}. n = {len(rounds)} rounds of {len(first['seconds'])} steps after {WARM_UP_STEPS} of "
            "warm-up, sides in turn, a process each; median (least to greatest).",
            "",
            markdown_table(header, rows),
            "",
            f"Drawing and gathering a batch takes omnitwin {spread(draw_milliseconds, 1)} ms, "
            f"{spread(share_percent, 2)} % of its step. Peak memory is the training process's own; the larger of the "
            f"usual way's 2 workers peaked at {child:,} bytes, pages it shares with that process included.",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare a training step with the usual way.")
    add_zip_argument(parser)
    parser.add_argument("--rounds", type=int, default=3, help="how often each side is measured (3)")
    parser.add_argument("--steps", type=int, default=4, help="steps timed in each measurement (4)")
    parser.add_argument("--json", action="store_true", help="all numbers as JSON instead of the table")
    arguments = parser.parse_args()
    check_zip(parser, arguments.zip)
    machine = hardware()
    rounds = measure_rounds(arguments.zip, arguments.rounds, arguments.steps)
    print(json.dumps(as_record(machine, rounds), indent=2) if arguments.json else as_markdown(machine, rounds))


if __name__ == "__main__":
    main()
