"""Safetensors files: checkpoints and states given to all that reads them, and packed sets in the cache."""

import json
import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

from damage import any_text, any_value, changed_record, damage, json_of
from harness import Case, lasting_folder, run_program
from zip_cases import fake_omniglot

from omnitwin.config import TrainConfig
from omnitwin.model.locating import BUNDLED_WEIGHTS
from omnitwin.recipes import FAST, SMALL, Recipe
from omnitwin.training import training

DTYPES = ("F16", "BF16", "F32", "F64", "I64", "I8", "BOOL", "U16", "F8_E4M3", "F4", "NONE", 7)
SIZES = (0, 1, -1, 2**31, 2**63, 2**64 - 1, 2**64, 10**30, 1.5, "1", None)
WEIGHTS, STATE = "weights.safetensors", "state.safetensors"
RUNS = {
    "small": SMALL.changed(iterations=2, batch_size=8),
    "fast": FAST.changed(iterations=2, batch_size=16, image_size=8),
}


@cache
def trained(name: str) -> Path:
    """The folder of a run of a few iterations; not to be changed. `small` runs in torch, `fast` in NumPy."""
    output = lasting_folder() / name
    recipe: Recipe = RUNS[name]
    training.train(TrainConfig(recipe=recipe, dataset="synthetic", precision="fp32", device="cpu", output=output))
    return output


@cache
def drawings() -> tuple[str, str]:
    from image_cases import _drawing, _picture, _written

    folder = lasting_folder()
    (folder / "a.png").write_bytes(_drawing())
    (folder / "b.png").write_bytes(_written(_picture("L", (60, 48)), "PNG"))
    return str(folder / "a.png"), str(folder / "b.png")


def checkpoint_case(random: Random, folder: Path) -> Case:
    """A run with a hostile weights or state file, compared with, examined, chosen, resumed or reported on."""
    name = random.choice(("small", "fast", "bundled"))
    run = folder / "run"
    if name == "bundled":
        run.mkdir()
        shutil.copyfile(BUNDLED_WEIGHTS, run / WEIGHTS)
    else:
        shutil.copytree(trained(name), run)
        (run / "best.safetensors").unlink(missing_ok=True)
    resumed = name != "bundled" and random.random() < 0.25
    path = run / (STATE if resumed else WEIGHTS)
    path.write_bytes(spoilt(path.read_bytes(), random))
    if resumed:
        more = random.choice(("2", "3"))
        words = ("train", "--quiet", "--resume", str(run), "--iterations", more, *random.choice(((), ("--dry-run",))))
        return Case(words=words)
    what = random.random()
    if what < 0.6:
        codes = (0, 1, 2, 3, 4)
        quiet = random.choice(((), ("--quiet",), ("--json",)))
        return Case(words=("compare", *quiet, "--checkpoint", str(path), *drawings()), codes=codes)
    if what < 0.8:
        return Case(words=("use", *random.choice(((), ("--json",))), str(random.choice((path, run)))))
    words = ("eval", "--data", "synthetic", "--batches", "1", "--batch-size", "2", "--device", "cpu")
    return Case(words=(*words, *random.choice(((), ("--quiet",), ("--json",))), "--checkpoint", str(path)))


def packed_case(random: Random, folder: Path) -> Case:
    """A hostile packed set, or packed runs, in the cache: made anew where the zips are there, else refused."""
    fake = fake_omniglot()
    cache_of = Path(os.environ["OMNITWIN_HOME"]) / "cache" / "omniglot-py"
    shutil.copytree(_packed(), cache_of)
    name = random.choice(("training", "test", "official runs"))
    path = cache_of / f"{fake.stem_of(name)}.safetensors"
    path.write_bytes(spoilt(path.read_bytes(), random))
    again = random.random() < 0.5
    variables = {"OMNITWIN_MIRROR": str(fake.zips)} if again else {}
    if name == "official runs":
        words = ("eval", "--quiet", "--baseline", "pixels", "--exam", "official", "--device", "cpu")
    else:
        subset = random.choice(("training", "test"))
        words = ("show", "--quiet", "--images", "2", "--pairs", "2", "--set", subset)
    return Case(words=words, variables=variables)


@cache
def _packed() -> Path:
    """What a download of the small Omniglot leaves, but for the zips."""
    home = lasting_folder()
    before = os.environ["OMNITWIN_HOME"]
    os.environ["OMNITWIN_HOME"] = str(home)
    try:
        outcome = run_program(("download", "--quiet", "--from", str(fake_omniglot().zips)))
    finally:
        os.environ["OMNITWIN_HOME"] = before
    assert outcome.code == 0, outcome
    for path in (home / "cache" / "omniglot-py").glob("*.zip"):
        path.unlink()
    return home / "cache" / "omniglot-py"


def spoilt(content: bytes, random: Random) -> bytes:
    return random.choice(WAYS)(content, random)


def _split(content: bytes) -> tuple[dict, bytes]:
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def _joined(header: str, data: bytes, length: int | None = None) -> bytes:
    text = header.encode("utf-8", "surrogatepass")
    text += b" " * (-len(text) % 8)
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def _damaged(content: bytes, random: Random) -> bytes:
    return damage(content, random)


def _damaged_header(content: bytes, random: Random) -> bytes:
    length = int.from_bytes(content[:8], "little")
    return content[:8] + damage(content[8 : 8 + length], random) + content[8 + length :]


def _other_length(content: bytes, random: Random) -> bytes:
    length = random.choice((0, 1, 8, 2**31, 2**32, 2**63, 2**64 - 1, len(content), len(content) - 8, 100_000_000))
    return length.to_bytes(8, "little") + content[8:]


def _other_header(content: bytes, random: Random) -> bytes:
    """Offsets that overlap or lie, shapes and formats that do not fit, tensors twice, gone or too many."""
    header, data = _split(content)
    names = [name for name in header if name != "__metadata__"]
    for _ in range(random.choice((1, 1, 2))):
        one = random.choice(names)
        what = random.randrange(7)
        if one not in header or not isinstance(header[one], dict):
            continue
        if what == 0:
            header[one]["dtype"] = random.choice(DTYPES)
        elif what == 1:
            header[one]["shape"] = random.choice(
                (
                    [],
                    [0],
                    [random.choice(SIZES)],
                    [*header[one].get("shape", ()), 1],
                    list(reversed(header[one].get("shape", ()))),
                    [2**32, 2**32],
                    any_value(random),
                )
            )
        elif what == 2:
            header[one]["data_offsets"] = random.choice(
                (
                    [0, 4],
                    [random.choice(SIZES), random.choice(SIZES)],
                    header[random.choice(names)]["data_offsets"] if isinstance(header.get(names[0]), dict) else [],
                    any_value(random),
                )
            )
        elif what == 3:
            header.pop(one)
        elif what == 4:
            header[any_text(random)] = header[one]
        elif what == 5:
            header[one] = any_value(random)
        else:
            header["__metadata__"] = random.choice(
                ({}, {"omnitwin": ""}, {"omnitwin": 7}, {"other": "x"}, any_value(random))
            )
    return _joined(json.dumps(header), data)


def _other_numbers(content: bytes, random: Random) -> bytes:
    """Weights that are no numbers, or huge, or all the same."""
    header, data = _split(content)
    one = random.choice([name for name in header if name != "__metadata__"])
    start, end = header[one]["data_offsets"]
    piece = random.choice(
        (
            b"\0\0\xc0\x7f",
            b"\0\0\x80\x7f",
            b"\0\0\x80\xff",
            b"\xff\xff\x7f\x7f",
            b"\0\0\0\0",
            b"\xff\xff\xff\xff",
            random.randbytes(4),
        )
    )
    if random.random() < 0.5:
        data = data[:start] + (piece * (1 + (end - start) // 4))[: end - start] + data[end:]
    else:
        place = start + 4 * random.randrange(max(1, (end - start) // 4))
        data = data[:place] + piece[: end - place] + data[min(place + 4, end) :]
    return _joined(json.dumps(header), data)


def _other_record(content: bytes, random: Random) -> bytes:
    """The record that omnitwin keeps of itself, changed in any of its fields."""
    header, data = _split(content)
    record = changed_record(json.loads(header["__metadata__"]["omnitwin"]), random)
    header["__metadata__"]["omnitwin"] = json_of(record, random)
    return _joined(json.dumps(header), data)


def _other_recipe(content: bytes, random: Random) -> bytes:
    """Fields that say how large, how many or what: the values that would cost most."""
    claims = [
        (name, random.choice(values))
        for name, values in random.sample(sorted(COSTLY.items()), random.choice((1, 1, 2, 3)))
    ]
    claims += [(name, random.choice(OWN[name])) for name in random.sample(sorted(OWN), random.choice((0, 0, 1)))]
    return changed_claims(content, claims)


def changed_claims(content: bytes, claims: list[tuple[str, object]]) -> bytes:
    """A file whose record says other things of its tensors, which stay."""
    header, data = _split(content)
    record = json.loads(header["__metadata__"]["omnitwin"])
    for name, value in claims:
        claim(record, name, value)
    header["__metadata__"]["omnitwin"] = json.dumps(record)
    return _joined(json.dumps(header), data)


def claim(record: dict, name: str, value: object) -> None:
    """Set a field where the record has it: in itself, its recipe or a part of that; else add it to the recipe."""
    recipe = record.get("recipe", record)
    recipe = recipe if isinstance(recipe, dict) else record
    places = [place for place in (record, *record.values(), *recipe.values()) if isinstance(place, dict)]
    next((place for place in places if name in place), recipe)[name] = value


LARGE = {
    "image_size": (1024, 512, 384, 256, 128, 10**6),
    "encoder": ("strong", "resnet18"),
    "batch_size": (10**6, 2**24, 20_000, 2_000),
    "drawings": (10**6, 20),
    "holdout": (10**9, 24),
    "iterations": (10**9, 10**12),
    "channels": (64, 2),
}
COSTLY = {
    "image_size": (10**9, 10**5, 4096, 2000, 1024, 256, 1, 0, -28, 28.0, "28", True, None, 8, 105, 2**64, float("nan")),
    "encoder": ("strong", "small", "classic", "resnet18", "huge", "", None, ["strong"], {"a": 1}, 7),
    "head": ("distance", "difference", "other", None, [], 7),
    "frame": ("ink", "whole", "none", None, [], True),
    "iterations": ("many", 10**400, 0, -1, 1.5, True, None, float("nan"), 1e308),
    "batch_size": (10**9, 10**400, 0, "8", 2.5, True, None),
    "learning_rate": (0, -1, float("inf"), "fast", None, 1e308, 10**400, True),
    "seed": (-1, 10**400, 1.5, "zero", None, True),
    "name": ("\x1b[31m", "[bold]", 7, None, ["x"], "a" * 10_000, "\n", {}, True),
    "adam_betas": ([], [0.9], [2, 2], "ab", None, [0.9, 0.99, 0.999], [float("nan")] * 2, [None, None]),
    "adam_epsilon": (0, -1, float("inf"), "small", None, True),
    "holdout": (-1, 10**9, 1.5, "some", None, True),
    "batches": (
        None,
        {},
        {"drawings": 10**9},
        {"alphabets": 0},
        {"unknown": 1},
        [],
        7,
        "none",
        {"turns": "yes"},
        {"rotation": float("nan")},
        {"per_alphabet": 10**400},
    ),
    "height": (0, -1, 10**9, 105.0, "105", None),
    "width": (0, -1, 10**9, 105.0, "105", None),
    "class_names": ([], [7], "names", None, ["\x1b[31m"] * 3, ["a", "b"]),
    "alphabet_names": ([], [7], "names", None, ["\x1b[31m"] * 2),
}
OWN = {
    "iteration": (-1, 10**400, 1.5, "one", None, True, 0),
    "threshold": (0.0, 1.0, -1.0, 1, "half", None, float("nan"), 1e-320),
    "calibration": (
        {},
        None,
        {"temperature": 0.0, "bias": 0.0},
        {"temperature": 1e-308, "bias": 1e308},
        {"temperature": True, "bias": 0.0},
        [],
        7,
    ),
    "metrics": ({}, None, [], {"loss": "x"}, {"loss": float("nan")}, {"\x1b[31m": 1.0}, {"held_out_eer": 1e308}),
    "held_out": ([], None, "text", [7], ["\x1b[31m"], ["a"] * 10_000, {}),
    "dataset": ("", "synthetic", "\x1b[31m/x", 7, None, "omniglot/training", "/", "../.."),
    "precision": ("fp8", "", 7, None, "bf16"),
    "fingerprint": ("", 7, None, "\x1b[31m"),
    "format_version": (1, 2, 3, 4, 5, 0, True, 3.0, "3", None, [], 10**400),
    "operating": ({}, None, [], 7, "far=0.01", {"target": "\x1b[31m"}),
    "novelty": ({}, None, [], {"mean": [], "precision": [], "distance_limit": 1.0, "unrest_limit": 1.0}, 7),
    "channels": (3, 1.0, True, None),
    "ink": (1, 0.0, False, None),
}
WAYS: tuple[Callable[[bytes, Random], bytes], ...] = (
    _damaged,
    _damaged_header,
    _other_length,
    _other_header,
    _other_header,
    _other_numbers,
    _other_record,
    _other_record,
    _other_recipe,
    _other_recipe,
)
