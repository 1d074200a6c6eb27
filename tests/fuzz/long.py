"""The long run: `python tests/fuzz/long.py --inputs 12000 --seed 1`, and one input again: `--only KIND SEED NUMBER`.

Inputs run in child processes under a watchdog, so that a hang in C, a crash or a process that the system ends is told
by the command that brings it back, and the run goes on behind it. Exits 1 where anything is wrong.
"""

import argparse
import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
LIMIT = 40.0  # seconds without a word of the child: the harness's own limit has not helped
AT_MOST = 400  # inputs of one child: what one leaves behind does not last long
ROOM = 6 << 30  # bytes of address space above what the libraries take: a bomb fails before the machine does


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=12_000, help="in all kinds together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", action="append", help="only these; may be given several times")
    parser.add_argument("--only", nargs=3, metavar=("KIND", "SEED", "NUMBER"), help="one input, and all it says")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        return _child(asked.child[0], *map(int, asked.child[1:]))
    if asked.only:
        kind, seed, number = asked.only
        return _watched(kind, int(seed), int(number), 1, print_all=True)["wrong"]
    with tempfile.TemporaryDirectory(prefix="omnitwin-fuzz-long-") as folder:
        os.environ["TMPDIR"] = folder  # of the children, which may leave it as they like
        return _long(asked.kind, asked.inputs, asked.seed)


def _long(kinds: list[str] | None, inputs: int, seed: int) -> int:
    from kinds import KINDS, share

    rows, wrong = [], 0
    for kind in kinds or KINDS:
        row = _watched(kind, seed, 0, share(kind, inputs, kinds or KINDS))
        rows.append(row)
        wrong += row["wrong"]
    _print_table(rows)
    return int(wrong > 0)


def _watched(kind: str, seed: int, first: int, count: int, print_all: bool = False) -> dict:
    """Run inputs first to first + count - 1 of a kind in children, and say what came of them."""
    from harness import command_of

    codes: Counter = Counter()
    row = {"kind": kind, "wrong": 0, "tracebacks": 0, "slowest": (0.0, None), "peak": 0, "codes": codes}
    begun, number = time.monotonic(), first
    while number < first + count:
        many = min(AT_MOST, first + count - number)
        for message in _told_by_child(kind, seed, number, many):
            if "died" in message:
                codes["none"] += 1
                row["wrong"] += 1
                print(f"{kind} {seed} {number}: {message['died']}\n  {command_of(kind, seed, number)}", flush=True)
                number += 1
                break
            codes[message["code"]] += 1
            row["slowest"] = max(row["slowest"], (message["seconds"], message["number"]))
            row["peak"] = max(row["peak"], message["peak"] or 0)
            number = message["number"] + 1
            if message["problems"]:
                row["wrong"] += 1
                row["tracebacks"] += any("traceback" in one or "exception" in one for one in message["problems"])
                told = message["told"][-6000 if print_all else -600 :]
                print(f"{kind} {seed} {message['number']}: {'; '.join(message['problems'])}", flush=True)
                print(f"  {command_of(kind, seed, message['number'])}\n  {told}", flush=True)
            elif print_all:
                print(message)
    row["seconds"] = time.monotonic() - begun
    return row


def _told_by_child(kind: str, seed: int, first: int, count: int):
    """A message for each input, as the child tells it; `died` for the one that it did not come back from."""
    command = [sys.executable, __file__, "--child", kind, str(seed), str(first), str(count)]
    reader, writer = os.pipe()
    environ = {**os.environ, "OMNITWIN_FUZZ_PIPE": str(writer), "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"}
    child = subprocess.Popen(command, env=environ, pass_fds=[writer], stdin=subprocess.DEVNULL)
    os.close(writer)
    told, rest, why = 0, b"", ""
    with os.fdopen(reader, "rb", buffering=0) as pipe, selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while told < count:
            if not selector.select(LIMIT + (60 if not told else 0)):
                why = f"no word for {LIMIT:.0f} s"
                child.send_signal(signal.SIGKILL)
                break
            piece = pipe.read(1 << 16)
            if not piece:
                break
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                told += 1
                yield json.loads(line)
    status = child.wait()
    if told < count:
        yield {"died": why or f"the process ended with status {status}"}


def _child(kind: str, seed: int, first: int, count: int) -> int:
    """Run inputs one after another, and tell each on the pipe."""
    import pytest
    import torch
    from harness import run_case
    from kinds import KINDS, do_little_work

    torch.set_num_threads(1)
    pipe = int(os.environ["OMNITWIN_FUZZ_PIPE"])
    with pytest.MonkeyPatch.context() as patch:
        do_little_work(patch)
        KINDS[kind]  # a kind that there is
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + ROOM, taken + ROOM))
        for number in range(first, first + count):
            result = asdict(run_case(kind, KINDS[kind], seed, number))
            os.write(pipe, json.dumps(result).encode() + b"\n")
    return 0


def _print_table(rows: list[dict]) -> None:
    head = f"{'kind':12} {'inputs':>7} {'accepted':>8} {'refused':>8} {'seconds':>8} {'tracebacks':>10} {'other':>6}"
    print(f"{head} {'slowest':>16} {'peak MiB':>9}")
    total: Counter = Counter()
    for row in rows:
        codes = row["codes"]
        inputs, accepted = sum(codes.values()), codes[0] + codes[1] + codes[4]
        counts = {"inputs": inputs, "accepted": accepted, "refused": codes[2] + codes[3], "seconds": row["seconds"]}
        counts |= {"tracebacks": row["tracebacks"], "other": row["wrong"] - row["tracebacks"]}
        total.update(counts)
        _print_row(row["kind"], counts, f"{row['slowest'][0]:.2f} s (#{row['slowest'][1]})", row["peak"])
    _print_row("all", total, "", max(row["peak"] for row in rows))


def _print_row(kind: str, counts: dict, slowest: str, peak: int) -> None:
    print(
        f"{kind:12} {counts['inputs']:7,} {counts['accepted']:8,} {counts['refused']:8,} {counts['seconds']:8.0f} "
        f"{counts['tracebacks']:10} {counts['other']:6} {slowest:>16} {peak / 2**20:9.0f}"
    )


if __name__ == "__main__":
    sys.exit(main())
