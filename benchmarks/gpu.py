"""The full classic recipe on a CUDA device: its time, its share of the device's best rate, and its accuracy.

The ceiling is the best rate of large square bf16 matrix products, measured in the same process before the training.
Operations are counted, not measured: 2 for each multiply-add of the convolutions and linear layers, forward and twice
as many backward, without the gradient of the images, which is not computed. Exits 3 if there is no CUDA device.

    python benchmarks/gpu.py --output results-gpu
    python benchmarks/gpu.py --output results-gpu-compiled --compile
"""

import argparse
import json
import shutil
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from common import add_zip_argument, check_zip, hardware, markdown_table, say
from torch import nn

from omnitwin.config import EvalConfig, SourceConfig, TrainConfig
from omnitwin.exams.evaluation import evaluate
from omnitwin.model.encoders import ClassicEncoder
from omnitwin.recipes import CLASSIC
from omnitwin.reports.training import TrainReport
from omnitwin.system.device import peak_memory
from omnitwin.system.paths import CONFIG_FILE, METRICS_FILE
from omnitwin.training.training import train

CANNOT_RUN = 3  # exit code, as omnitwin's own
MATRIX_SIDES = (4096, 8192, 16384)
PRODUCTS, REPEATS = 20, 5  # matrix products in a measurement; measurements
SETTLED = 500  # iterations after which start-up (kernel choice, compilation) is over
TERA = 1e12


def matrix_ceiling() -> dict[int, float]:
    """Return the best rate of bf16 products of square matrices, in operations a second, by side."""
    return {side: max(matrix_rate(side) for _ in range(REPEATS)) for side in MATRIX_SIDES}


def matrix_rate(side: int) -> float:
    left, right = (torch.randn(side, side, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    product = left @ right
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(PRODUCTS):
        torch.matmul(left, right, out=product)
    torch.cuda.synchronize()
    return PRODUCTS * 2 * side**3 / (time.perf_counter() - start)


def layer_multiply_adds(encoder: nn.Sequential, side: int) -> list[int]:
    """Return the multiply-adds of an image in each convolution and linear layer (stride 1, no padding)."""
    counts = []
    for layer in encoder:
        if isinstance(layer, nn.Conv2d):
            kernel = layer.kernel_size[0]
            side = side - kernel + 1
            counts.append(side**2 * layer.out_channels * layer.in_channels * kernel**2)
        elif isinstance(layer, nn.MaxPool2d):
            side //= 2
        elif isinstance(layer, nn.Linear):
            counts.append(layer.in_features * layer.out_features)
    return counts


def step_operations() -> int:
    """Return the floating-point operations of a training step of the classic recipe."""
    first, *others = layer_multiply_adds(ClassicEncoder(), CLASSIC.network.image_size)
    images = 2 * CLASSIC.sampling.batch_size
    return 2 * images * (2 * first + 3 * sum(others))


def settled_rate(metrics: Path) -> float | None:
    """Return the iterations a second after SETTLED iterations, or None if the run is too short.

    Iterations whose losses were fetched together have the same time: the end of the last of them.
    """
    done_at = {}
    for line in metrics.read_text(encoding="utf-8").splitlines():
        step = json.loads(line)
        done_at[step["elapsed_seconds"]] = step["iteration"]
    settled = [(seconds, iteration) for seconds, iteration in done_at.items() if iteration >= SETTLED]
    if len(settled) < 2:
        return None
    (start, first), *_, (end, last) = settled
    return float((last - first) / (end - start))


def train_once(config: TrainConfig, output: Path) -> tuple[TrainReport, dict[str, Any]]:
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    report = train(config)
    for name in (METRICS_FILE, CONFIG_FILE):
        shutil.copyfile(report.output / name, output / name)
    done = json.loads((report.output / CONFIG_FILE).read_text(encoding="utf-8"))
    return report, {
        "iterations": report.iteration,
        "seconds": report.seconds,
        "pairs_per_second": report.pairs_per_second,
        "settled_iterations_per_second": settled_rate(report.output / METRICS_FILE),
        "loss": report.loss,
        "warnings": report.warnings,
        "weights_sha256": report.weights_sha256,
        "precision": done["precision"],
        "compile": config.compile,
        "peak_gpu_bytes": peak_memory(torch.device("cuda")),
    }


def examine(checkpoint: Path, seeds: list[int], source: SourceConfig) -> list[dict[str, Any]]:
    """Return the exam of a network on each seed. source: a folder with images_evaluation.zip"""
    exams = []
    for seed in seeds:
        (exam,) = evaluate(EvalConfig(checkpoint=str(checkpoint), seed=seed, source=source)).exams
        accuracy = exam.measure("accuracy")
        exams.append({"seed": seed, "accuracy": accuracy.value, "interval": accuracy.interval, "n": accuracy.n})
        say(f"  seed {seed}: {accuracy.value:.4f}")
    return exams


def rates(trained: dict[str, Any], ceiling: float) -> dict[str, dict[str, float]]:
    """Return pairs and operations a second and the share of the ceiling, for the whole run and after start-up."""
    per_second = {"whole run": trained["iterations"] / trained["seconds"]}
    if trained["settled_iterations_per_second"]:
        per_second[f"after {SETTLED} iterations"] = trained["settled_iterations_per_second"]
    return {
        name: {
            "pairs_per_second": iterations * CLASSIC.sampling.batch_size,
            "operations_per_second": iterations * step_operations(),
            "share_of_ceiling": iterations * step_operations() / ceiling,
        }
        for name, iterations in per_second.items()
    }


def as_markdown(record: dict[str, Any]) -> str:
    trained, ceiling, exams = record["training"], record["ceiling_operations_per_second"], record["exams"]
    rate_rows = [
        [
            name,
            f"{rate['pairs_per_second']:,.0f}",
            f"{rate['operations_per_second'] / TERA:.1f}",
            f"{100 * rate['share_of_ceiling']:.1f} %",
        ]
        for name, rate in record["rates"].items()
    ]
    exam_rows = [
        [exam["seed"], f"{exam['accuracy']:.4f}", "{:.4f} to {:.4f}".format(*exam["interval"]), exam["n"]]
        for exam in exams
    ]
    accuracies = [exam["accuracy"] for exam in exams]
    return "\n".join(
        [
            f"{record['gpu']}; {record['hardware']}. Classic recipe, {trained['iterations']:,} iterations, "
            f"{trained['precision']}, {'compiled' if trained['compile'] else 'not compiled'}: n = 1 run of "
            f"{trained['seconds']:.1f} s, start-up and checkpoints included, {trained['peak_gpu_bytes']:,} bytes of "
            f"GPU memory at most. Ceiling: {ceiling / TERA:.0f} TFLOP/s (bf16 matrix products, best of "
            f"{REPEATS} x {len(MATRIX_SIDES)}).",
            "",
            markdown_table(["part", "pairs a second", "TFLOP/s", "share of the ceiling"], rate_rows),
            "",
            f"Exam of that one network on {len(exams)} seeds: mean accuracy {statistics.mean(accuracies):.4f} "
            f"({min(accuracies):.4f} to {max(accuracies):.4f}).",
            "",
            markdown_table(["exam seed", "accuracy", "95 % interval (Wilson)", "n pairs"], exam_rows),
        ]
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train the classic recipe on a CUDA device and examine it.")
    add_zip_argument(parser)
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="where results and metrics go")
    parser.add_argument("--compile", action="store_true", help="train with torch.compile")
    parser.add_argument("--iterations", type=int, default=CLASSIC.iterations, help=f"({CLASSIC.iterations})")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="of the exams (0 1 2 3 4)")
    parser.add_argument("--json", action="store_true", help="all numbers as JSON instead of the tables")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        say("gpu.py needs a CUDA device, and torch finds none here")
        raise SystemExit(CANNOT_RUN)
    check_zip(parser, arguments.zip)
    return arguments


def main() -> None:
    arguments = parse()
    arguments.output.mkdir(parents=True, exist_ok=True)
    machine = hardware()
    ceilings = matrix_ceiling()
    ceiling = max(ceilings.values())
    say(f"ceiling: {ceiling / TERA:.0f} TFLOP/s; training {arguments.iterations:,} iterations")
    recipe = CLASSIC.changed(iterations=arguments.iterations)
    config = TrainConfig(
        recipe=recipe, source=SourceConfig(source=str(arguments.zip)), device="cuda", compile=arguments.compile
    )
    report, trained = train_once(config, arguments.output)
    say(f"{trained['seconds']:.1f} s, loss {trained['loss']:.4f}; exams")
    record = {
        "gpu": torch.cuda.get_device_name(),
        "hardware": machine,
        "ceiling_operations_per_second": ceiling,
        "ceiling_by_matrix_side": ceilings,
        "step_operations": step_operations(),
        "training": trained,
        "rates": rates(trained, ceiling),
        "exams": examine(report.weights, arguments.seeds, SourceConfig(source=str(arguments.zip.parent))),
    }
    (arguments.output / "gpu.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(record, indent=2) if arguments.json else as_markdown(record))


if __name__ == "__main__":
    main()
