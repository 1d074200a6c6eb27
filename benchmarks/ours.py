"""Time training steps of omnitwin with the classic recipe on the CPU, to compare with baseline.py.

python benchmarks/ours.py --zip images_background.zip --steps 4
"""

import argparse
import resource
import time
from pathlib import Path
from typing import Any

import torch
from common import WARM_UP_STEPS, add_zip_argument, check_zip, peak_rss, print_steps

from omnitwin.config import SourceConfig, TrainConfig
from omnitwin.data.catalogue import open_images
from omnitwin.system.device import keep_freed_memory
from omnitwin.training.trainer import Trainer

DRAWS = 50  # batches drawn and gathered, to time that alone


def train(zip_path: Path, steps: int, precision: str) -> dict[str, Any]:
    """Return the seconds of each step, with drawing its pairs, and of drawing and gathering alone."""
    packed = open_images("omniglot", "training", SourceConfig(source=str(zip_path)))
    trainer = Trainer(TrainConfig(device="cpu", precision=precision), packed)
    seconds = []
    start = time.perf_counter()
    for iteration in range(1, WARM_UP_STEPS + steps + 1):
        loss, _ = trainer.step(iteration)
        end = time.perf_counter()
        seconds.append(end - start)
        start = end
    return {
        "seconds": seconds[WARM_UP_STEPS:],
        "draw_seconds": [time_draw(trainer, iteration) for iteration in range(1, DRAWS + 1)],
        "loss": loss.item(),
        "parameters": trainer.parameter_count,
        "threads": torch.get_num_threads(),
        "precision": trainer.precision,
        "peak_bytes": peak_rss(resource.RUSAGE_SELF),
        "largest_child_peak_bytes": peak_rss(resource.RUSAGE_CHILDREN),
    }


def time_draw(trainer: Trainer, iteration: int) -> float:
    start = time.perf_counter()
    trainer.draw(iteration)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description="Time omnitwin's training steps.")
    add_zip_argument(parser)
    parser.add_argument("--steps", type=int, default=4, help="steps to time (4)")
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    parser.add_argument(
        "--return-memory", action="store_true", help="let the C library return freed memory, as it does by default"
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    arguments = parser.parse_args()
    check_zip(parser, arguments.zip)
    if not arguments.return_memory:
        keep_freed_memory()
    print_steps(train(arguments.zip, arguments.steps, arguments.precision), arguments.json)


if __name__ == "__main__":
    main()
