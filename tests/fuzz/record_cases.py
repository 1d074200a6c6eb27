"""The small files that omnitwin writes for itself and reads again: config.json, metrics.jsonl, default.json, a lock."""

import json
import os
import shutil
from pathlib import Path
from random import Random

from damage import any_value, changed_record, damage, json_of
from harness import Case, Outcome
from tensor_cases import COSTLY, LARGE, OWN, STATE, WEIGHTS, changed_claims, claim, drawings, trained


def record_case(random: Random, folder: Path) -> Case:
    cases = (_config_case, _config_case, _claim_case, _best_case, _metrics_case, _default_case, _lock_case)
    return random.choice(cases)(random, folder)


def _config_case(random: Random, folder: Path) -> Case:
    """A run that ended before its first checkpoint: its config alone tells what it was to be."""
    run = _copied("fast" if random.random() < 0.5 else "small", folder)
    for name in (STATE, WEIGHTS, "best.safetensors"):
        (run / name).unlink(missing_ok=True)
    record = json.loads((run / "config.json").read_text())
    what = random.random()
    if what < 0.3:
        for name, values in random.sample(sorted(COSTLY.items()), random.choice((1, 1, 2, 3))):
            claim(record["recipe"], name, random.choice(values))
        (run / "config.json").write_text(json.dumps(record))
    elif what < 0.8:
        _write(run / "config.json", json_of(changed_record(record, random), random))
    else:
        (run / "config.json").write_bytes(damage((run / "config.json").read_bytes(), random))
    words = ("train", "--quiet", "--resume", str(run), *random.choice((("--dry-run",), ("--dry-run",), ())))
    if random.random() < 0.2:  # where a new run may go
        words = ("train", "--quiet", "--dry-run", "--recipe", "small", "--data", "synthetic", "--output", str(run))
        words = (*words, "--batch-size", "2")
    return Case(words=words)


def _claim_case(random: Random, folder: Path) -> Case:
    """A config that asks for much, alone or with a state that says the same: its tensors are of another size."""
    name = random.choice(("fast", "small"))
    run = _copied(name, folder)
    claims = [(name, random.choice(LARGE[name])) for name in random.sample(sorted(LARGE), random.choice((1, 2, 3)))]
    (run / "best.safetensors").unlink(missing_ok=True)
    alone = random.random() < 0.5
    for path in (run / WEIGHTS, run / STATE):
        if alone:
            path.unlink()
        else:
            path.write_bytes(changed_claims(path.read_bytes(), claims))
    record = json.loads((run / "config.json").read_text())
    for field, value in claims:
        claim(record["recipe"], field, value)
    (run / "config.json").write_text(json.dumps(record))
    before = contents(run)

    def as_before(outcome: Outcome) -> str | None:
        return "a refused run was changed" if outcome.code and contents(run) != before else None

    words = ("train", "--quiet", "--resume", str(run), "--device", "cpu", *random.choice(((), ("--dry-run",))))
    return Case(words=(*words, "--iterations", "3"), check=as_before)


def _best_case(random: Random, folder: Path) -> Case:
    """A best checkpoint that is another's, or says what cannot be: the run goes on without it."""
    run = _copied("small", folder)
    path = run / "best.safetensors"
    shutil.copyfile(run / WEIGHTS, path)
    for name in random.sample(sorted(OWN), random.choice((1, 2))):
        path.write_bytes(changed_claims(path.read_bytes(), [(name, random.choice(OWN[name]))]))
    words = ("train", "--quiet", "--resume", str(run), "--iterations", "3", "--device", "cpu")
    return Case(words=words, codes=(0,))


def contents(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.iterdir() if not path.name.startswith(".")}


def _metrics_case(random: Random, folder: Path) -> Case:
    """Lines that are none, in the metrics of a run that is reported on or gone on with."""
    run = _copied("small", folder)
    path = run / "metrics.jsonl"
    lines = path.read_text().splitlines()
    for _ in range(random.randint(1, 3)):
        record = json.loads(random.choice(path.read_text().splitlines()))
        new = random.choice((json_of(changed_record(record, random), random), json.dumps(any_value(random)), ""))
        lines.insert(random.randrange(len(lines) + 1), new)
    _write(path, "\n".join(lines) + "\n")
    if random.random() < 0.3:
        path.write_bytes(damage(path.read_bytes(), random))
    if random.random() < 0.6:
        return Case(words=("train", "--quiet", "--resume", str(run), "--iterations", "3", "--device", "cpu"))
    words = ("report", "--quiet", str(run), "--exam", "pairs", "--device", "cpu")
    return Case(words=words)


def _default_case(random: Random, folder: Path) -> Case:
    """What `omnitwin use` wrote."""
    home = Path(os.environ["OMNITWIN_HOME"])
    (home / "data").mkdir(parents=True)
    record = {"format": "omnitwin-default", "format_version": 2, "checkpoint": "bundled", "sha256": None}
    if random.random() < 0.5:
        record |= {"checkpoint": str(trained("fast")), "sha256": "0" * 64}
    path = home / "data" / "default.json"
    _write(path, json_of(changed_record(record, random), random))
    if random.random() < 0.3:
        path.write_bytes(damage(path.read_bytes(), random))
    words = random.choice(
        (("use",), ("compare", "--quiet", *drawings()), ("env",), ("use", "bundled"), ("env", "--json"))
    )
    return Case(words=words, codes=(0, 1, 2, 3, 4))


def _lock_case(random: Random, folder: Path) -> Case:
    """A lock file that nobody holds any more, signed by nobody who can write."""
    run = _copied("small", folder)
    record = {"pid": 1, "host": "x", "since": "2026-01-01 00:00:00"}
    _write(run / ".omnitwin.lock", json_of(changed_record(record, random), random))
    return Case(words=("train", "--quiet", "--resume", str(run), "--iterations", "3", "--device", "cpu"))


def _copied(name: str, folder: Path) -> Path:
    return Path(shutil.copytree(trained(name), folder / "run"))


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
