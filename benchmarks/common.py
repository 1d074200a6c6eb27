"""The common parts of the benchmark scripts: the machine in a line, spreads, Markdown tables, peak memory, the zip.

Don't import torch here. Linux counts the memory of a process towards the peak of the processes that it starts, so a
script that measures memory in a new process must itself stay small.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

WARM_UP_STEPS = 2  # steps before the clock counts: first allocations, kernel choice, optimiser state, worker start
BENCHMARKS = Path(__file__).resolve().parent


def add_zip_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--zip`, Omniglot's images_background.zip; by default the file that `omnitwin download` keeps."""
    from omnitwin.system.paths import omniglot_folder

    kept = omniglot_folder() / "images_background.zip"
    parser.add_argument("--zip", type=Path, default=kept, metavar="PATH", help=f"images_background.zip ({kept})")


def check_zip(parser: argparse.ArgumentParser, path: Path) -> None:
    """End with exit code 2 if there is no such file."""
    if not path.is_file():
        parser.error(f"{path} is not a file. Run: omnitwin download, or name another: --zip")


@contextmanager
def extracted(zip_path: Path) -> Iterator[Path]:
    """Yield the folder images_background with its PNG files, which exists while the block lasts."""
    with tempfile.TemporaryDirectory(prefix="omnitwin-benchmark-") as folder:
        with zipfile.ZipFile(zip_path) as archive:
            archive.extractall(folder)
        yield Path(folder) / "images_background"


def peak_rss(who: int) -> int:
    """Return the peak resident bytes of this process (RUSAGE_SELF) or its largest ended child (RUSAGE_CHILDREN)."""
    largest = resource.getrusage(who).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024


def hardware() -> str:
    """Return processor, cores, load (of other work, too), system, versions and commit in a line."""
    return (
        f"{_cpu_model()}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.2f}, "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, torch {version('torch')}, "
        f"omnitwin {version('omnitwin')} at commit {_commit()}"
    )


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def _commit() -> str:
    try:
        command = ["git", "describe", "--always", "--dirty"]
        return subprocess.run(command, cwd=BENCHMARKS, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def summary(values: Sequence[float]) -> dict[str, float]:
    return {"n": len(values), "median": statistics.median(values), "min": min(values), "max": max(values)}


def spread(values: Sequence[float], digits: int = 3) -> str:
    """Return median, least and greatest as `2.512 (2.498 to 2.601)`."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def print_steps(record: dict[str, Any], as_json: bool) -> None:
    """Print the result of baseline.py or ours.py, as a line of JSON or as lines for a person."""
    if as_json:
        print(json.dumps(record, sort_keys=True))
        return
    for number, seconds in enumerate(record["seconds"], start=1):
        print(f"step {number}: {seconds:.3f} s")
    print(f"median: {spread(record['seconds'])} s a step, after {WARM_UP_STEPS} steps of warm-up")
    print(f"peak memory of this process: {record['peak_bytes']:,} bytes (RUSAGE_SELF)")
    print(f"peak memory of its largest child: {record['largest_child_peak_bytes']:,} bytes (RUSAGE_CHILDREN)")


def say(text: str) -> None:
    """Print progress to stderr; stdout is for results."""
    print(text, file=sys.stderr, flush=True)
