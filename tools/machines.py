"""Run the tests as other machines would: with other processor instructions, threads and number formats.

Each way is a run of pytest with variables that the libraries and tests/conftest.py read. A processor that lacks the
instructions of a way runs it with its own. Words after the options go to pytest.

    python tools/machines.py [--only NAME]... [PYTEST OPTIONS]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
ONEDNN, ATEN = (
    "ONEDNN_MAX_CPU_ISA",
    "ATEN_CPU_CAPABILITY",
)  # the newest instructions that oneDNN and torch's own loops use
THREADS, BF16 = "OMNITWIN_TEST_THREADS", "OMNITWIN_TEST_BF16"

WAYS: dict[str, dict[str, str]] = {
    "avx2": {ONEDNN: "AVX2", THREADS: "2", BF16: "absent"},
    "avx512": {ONEDNN: "AVX512_CORE", THREADS: "1", BF16: "absent"},
    "avx512-bf16": {ONEDNN: "AVX512_CORE_BF16", THREADS: "2", BF16: "present"},
    "no-vectors": {ATEN: "default", THREADS: "1", BF16: "present"},
    "oldest": {ONEDNN: "AVX2", ATEN: "default", THREADS: "1", BF16: "absent"},
}


@dataclass(frozen=True)
class Result:
    """How a run of pytest ended."""

    code: int  # of the process; 0 if all passed
    passed: int
    failed: int  # errors included
    skipped: int
    seconds: float


Runner = Callable[[Mapping[str, str], list[str]], Result]


def run_pytest(variables: Mapping[str, str], options: list[str]) -> Result:
    """Run the tests with these variables and options; their output goes to the terminal."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "results.xml"
        command = [sys.executable, "-m", "pytest", f"--junitxml={record}", *options]
        code = subprocess.run(command, cwd=ROOT, env={**os.environ, **variables}, check=False).returncode
        passed, failed, skipped = counts(record.read_text(encoding="utf-8")) if record.exists() else (0, 0, 0)
    return Result(code, passed, failed, skipped, time.monotonic() - start)


def counts(record: str) -> tuple[int, int, int]:
    """Return how many tests passed, failed and were skipped, from pytest's JUnit XML."""
    suites = list(ElementTree.fromstring(record).iter("testsuite"))
    tests, failures, errors, skipped = (
        sum(int(suite.get(name, 0)) for suite in suites) for name in ("tests", "failures", "errors", "skipped")
    )
    return tests - failures - errors - skipped, failures + errors, skipped


def line(name: str, result: Result) -> str:
    verdict = "passed" if result.code == 0 else f"FAILED (exit code {result.code})"
    figures = f"{result.passed:,} passed, {result.failed:,} failed, {result.skipped:,} skipped"
    variables = " ".join(f"{key}={value}" for key, value in WAYS[name].items())
    return f"{name:12} {verdict}: {figures}, {result.seconds:.0f} s; {variables}"


def main(words: list[str], run: Runner = run_pytest) -> int:
    """Run the chosen ways, print a line for each, and return 1 if any failed, else 0."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--only", action="append", choices=WAYS, metavar="NAME", help=f"one of {', '.join(WAYS)}")
    asked, options = parser.parse_known_args(words)
    lines, failed = [], False
    for name in asked.only or WAYS:
        print(f"\nAs {name}:", flush=True)
        result = run(WAYS[name], options)
        failed = failed or result.code != 0
        lines.append(line(name, result))
        print(lines[-1], flush=True)
    print("\nIn all:", *lines, sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
