"""Run, data and cache folders from somebody else: sound ones with links, pipes, devices and bombs put into them.

Links lead to `precious`, a folder of the user's beside them that holds what a link may be aimed at. Whatever a command
says of such a folder, everything there must be as it was before. POSIX.
"""

import hashlib
import json
import os
import shutil
import socket
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

from drawn_places import draw_place
from harness import Case, Outcome
from tensor_cases import _packed, drawings, trained
from zip_cases import fake_omniglot

from omnitwin.data.places import list_images
from omnitwin.data.store import fill_store
from omnitwin.recipes import View

HONEST = 4.0  # seconds of the processor that the slowest command takes where nothing is hostile: the first report
LIMIT = 5.0  # seconds of the processor more that a hostile folder may cost
WAIT = 30.0  # seconds by the clock, on a machine that does other work, too: by then it hangs
HASHED = 1 << 24  # bytes; of larger files, which are sparse, the blocks on the disk are compared
SPARSE = 3 << 30  # bytes
RUNS = ("evil", "other")
LOCK, LEFT_OVER = ".omnitwin.lock", ".omnitwin-writing-abcd1234"
IN_A_RUN = (
    "config.json", "config.json", "metrics.jsonl", "metrics.jsonl", "weights.safetensors", "weights.safetensors",
    "best.safetensors", "state.safetensors", "state.safetensors", "report.html", LOCK, LEFT_OVER, f"{LEFT_OVER}/{LOCK}",
    "more/below",
)  # fmt: skip
PACKED = ("images_background", "images_evaluation", "all_runs")
IN_THE_CACHE = (
    *(f"{stem}.{ending}" for stem in PACKED for ending in ("safetensors", "zip")),
    "images_background.zip.0123abcd.part", LOCK, LEFT_OVER, f"{LEFT_OVER}/{LOCK}",
)  # fmt: skip
FIGURES = ("roc.png", "pairs.png", "hardest-pairs.png")
FOLDERS = ("data", "data/runs", "data/runs/evil", "cache", "cache/omniglot-py", "cache/pictures")
IN_A_STORE = ("index.safetensors", "index.safetensors", "pixels", "pixels", LOCK, LEFT_OVER, f"{LEFT_OVER}/{LOCK}")

Spoil = Callable[[Random, Path, Path], None]  # puts something at a path; a path that it may lead to


def hostile_case(random: Random, folder: Path) -> Case:
    """One to three entries of a home with two runs and packed data are not what they should be."""
    home, precious = Path(os.environ["OMNITWIN_HOME"]), folder / "precious"
    _build(home, precious, packed=random.random() < 0.5)
    zips = folder / "zips"
    shutil.copytree(fake_omniglot().zips, zips)
    shutil.copytree(fake_omniglot().folders / PACKED[0], folder / PACKED[0])
    figures = folder / "figures"
    figures.mkdir()
    store = _packed_pictures(folder / "pictures")
    words, variables = _command(random, home, zips, folder)
    for place in _places(random, words[0], home, zips, folder / PACKED[0], figures, store):
        _put(random, place, precious)
    before = listing(precious)

    begun = time.process_time()

    def check(outcome: Outcome) -> str | None:
        spent = time.process_time() - begun
        if spent > HONEST + LIMIT:
            return f"took {spent:.1f} s of the processor"
        changed = [name for name, there in _both(before, listing(precious)) if there[0] != there[1]]
        return f"changed outside: {changed}" if changed else None

    codes = (0, 1, 2, 3, 4) if words[0] == "compare" else (0, 2, 3)
    return Case(words=words, codes=codes, variables=variables, check=check, seconds=WAIT)


def _places(
    random: Random, command: str, home: Path, zips: Path, drawings_of: Path, figures: Path, store: Path
) -> list[Path]:
    """One to three places, most of them such as the command meets."""
    run, packed = home / "data" / "runs" / "evil", home / "cache" / "omniglot-py"
    some = sorted(path for path in drawings_of.rglob("*.png"))[::7]
    sources = [*(zips / f"{stem}.zip" for stem in PACKED), *some, drawings_of / "Loop"]
    of_a_run = [run / name for name in IN_A_RUN]
    of_the_cache = [packed / name for name in IN_THE_CACHE]
    of_a_store = [next(store.glob(f"{name}*"), store / name) for name in IN_A_STORE]
    folders = [*(home / name for name in FOLDERS), store]
    default = [home / "data" / "default.json"] * 4
    drawn = [figures / name for name in FIGURES]
    met = {
        "train": of_a_run,
        "report": [*of_a_run, run / "report.html", run / "metrics.jsonl", figures / "page.html"],
        "eval": [*of_a_run, *of_a_store, *of_a_store, *drawn],
        "cache": of_a_store,
        "use": [*of_a_run, *default],
        "compare": [*of_a_run, *default, figures / "figure.png", figures / "figure.png"],
        "runs": of_a_run,
        "show": of_the_cache,
        "download": [*of_the_cache, *sources],
    }.get(command, default)
    places = random.sample([*met, *met, *folders], random.choice((1, 1, 2, 3)))
    if random.random() < 0.2:
        places.append(random.choice([*of_a_run, *of_the_cache, *of_a_store, *folders, *default, *sources, *drawn]))
    return sorted(set(places), key=lambda path: (-len(path.parts), path))  # a folder after what is in it


def _build(home: Path, precious: Path, packed: bool) -> None:
    """A home whose default is its run `evil`, and a folder beside it with everything that a link may be aimed at."""
    for name in RUNS:
        shutil.copytree(trained("fast" if name == "evil" else "small"), home / "data" / "runs" / name)
    best = home / "data" / "runs" / "evil" / "best.safetensors"
    weights = best if best.exists() else best.with_name("weights.safetensors")
    choice = {"format": "omnitwin-default", "format_version": 2, "checkpoint": "evil"}
    choice["sha256"] = hashlib.sha256(weights.read_bytes()).hexdigest()
    (home / "data" / "default.json").write_text(json.dumps(choice))
    cache_of = home / "cache" / "omniglot-py"
    if packed:
        shutil.copytree(_packed(), cache_of)
    else:
        cache_of.mkdir(parents=True)
    shutil.copytree(home, precious / "home")
    for name in ("evil", "other"):
        shutil.copytree(home / "data" / "runs" / name, precious / name)
    (precious / "key").write_text("a key that nobody may lose\n")
    (precious / "key").chmod(0o600)
    (precious / "page.html").write_text("<p>mine</p>")
    shutil.copytree(fake_omniglot().zips, precious / "zips")
    with (precious / "sparse").open("wb") as file:
        file.truncate(SPARSE)
    os.mkfifo(precious / "pipe")
    _device(1, 5, precious / "zero")
    _device(1, 7, precious / "full")


def _packed_pictures(place: Path) -> Path:
    """Draw images of a user's own, pack them, and return the folder of their store."""
    draw_place(place, dict.fromkeys("abcdefgh", 3))
    return fill_store(list_images(place), PICTURES, processes=0).folder


def _put(random: Random, place: Path, precious: Path) -> None:
    """Put something at a place, instead of what is there."""
    place.parent.mkdir(parents=True, exist_ok=True)
    was_folder = place.is_dir() and not place.is_symlink()
    aims = [path for path in precious.rglob(place.name) if not path.is_symlink()] or [precious / "key"]
    aims = [*aims, *aims, precious / "key", precious / "page.html", precious, precious / "evil"]
    aims += [precious / name for name in ("sparse", "pipe", "zero", "full") if os.path.lexists(precious / name)]
    content = place.read_bytes() if place.is_file() else b"{}\n"
    with suppress(FileNotFoundError):
        shutil.rmtree(place) if was_folder else place.unlink()
    spoil = random.choice(FOR_FOLDERS if was_folder else SPOILS)
    spoil(random, place, random.choice(aims))
    if not os.path.lexists(place):  # no device may be made here, or no hard link
        place.write_bytes(content)


def _link(random: Random, place: Path, aim: Path) -> None:
    place.symlink_to(random.choice((str(aim), os.path.relpath(aim, place.parent))))


def _chain(random: Random, place: Path, aim: Path) -> None:
    middle = place.with_name(f"middle{random.randrange(10**6)}")
    middle.symlink_to(aim)
    place.symlink_to(middle.name)


def _dangling(random: Random, place: Path, aim: Path) -> None:
    place.symlink_to(aim.parent / "nothing yet")


def _circle(random: Random, place: Path, aim: Path) -> None:
    place.symlink_to(random.choice((place.name, ".", "..", f"../{place.parent.name}/{place.name}")))


def _hard_link(random: Random, place: Path, aim: Path) -> None:
    with suppress(OSError):
        os.link(aim, place)


def _pipe(random: Random, place: Path, aim: Path) -> None:
    os.mkfifo(place)


def _socket(random: Random, place: Path, aim: Path) -> None:
    here = os.getcwd()
    os.chdir(place.parent)  # a socket's path has at most 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(place.name)
    finally:
        os.chdir(here)


def _some_device(random: Random, place: Path, aim: Path) -> None:
    _device(*random.choice(((1, 5), (1, 7))), place)


def _device(major: int, minor: int, place: Path) -> None:
    """/dev/zero and /dev/full by another name, where root may make them."""
    with suppress(OSError):
        os.mknod(place, stat.S_IFCHR | 0o666, os.makedev(major, minor))


def _folder(random: Random, place: Path, aim: Path) -> None:
    place.mkdir()
    if random.random() < 0.5:
        (place / "inside").symlink_to(aim)


def _sparse(random: Random, place: Path, aim: Path) -> None:
    with place.open("wb") as file:
        file.write(random.choice((b"", b"{}\n", (64).to_bytes(8, "little"), (SPARSE // 2).to_bytes(8, "little"))))
        file.truncate(random.choice((SPARSE, SPARSE << 10)))


def _lines(random: Random, place: Path, aim: Path) -> None:
    step = b'{"elapsed_seconds": 1, "held_out_eer": 0.1, "iteration": 1, "loss": 0.5, "pairs_per_second": 1}\n'
    line = random.choice((b"\n", b"{}\n", b"[" * 3000 + b"\n", step))
    place.write_bytes(line * (random.choice((1 << 20, 1 << 24)) // len(line)))


def _deep(random: Random, place: Path, aim: Path) -> None:
    place.write_bytes(random.choice((b"[", b'{"a":')) * random.choice((1000, 100_000)))


def _claim(random: Random, place: Path, aim: Path) -> None:
    """A record that asks for much in few bytes, of a run without a checkpoint."""
    if place.name != "config.json":
        return _sparse(random, place, aim)
    record = json.loads((trained("fast") / "config.json").read_text())
    parts = [record["recipe"], *(part for part in record["recipe"].values() if isinstance(part, dict))]
    for part in parts:
        for name in CLAIMS.keys() & part.keys():
            if random.random() < 0.6:
                part[name] = random.choice(CLAIMS[name])
    place.write_text(json.dumps(record))
    for name in ("weights.safetensors", "state.safetensors", "best.safetensors"):
        with suppress(OSError):
            place.with_name(name).unlink()


CLAIMS = {
    "image_size": (512, 1024, 4096, 10**6),
    "iterations": (10**9, 10**12, 3),
    "batch_size": (10**4, 10**6, 10**9),
    "holdout": (10**6, 5),
    "seed": (2**62,),
}
LINKS = (_link, _link, _link, _chain, _dangling, _circle)
SPOILS: tuple[Spoil, ...] = (
    *LINKS, _hard_link, _pipe, _pipe, _socket, _some_device, _some_device, _folder, _sparse, _lines, _deep, _claim,
    _claim,
)  # fmt: skip
FOR_FOLDERS: tuple[Spoil, ...] = (*LINKS, _pipe, _some_device, _folder, _sparse)


def _command(random: Random, home: Path, zips: Path, folder: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    run = str(random.choice((home / "data" / "runs" / "evil", "evil", "evil")))
    named = str(home / "data" / "runs" / "evil" / random.choice(("weights", "best", "state")))
    checkpoint = random.choice((run, run, "newest", f"{named}.safetensors"))
    figures = folder / "figures"
    exam = ("--data", "synthetic", "--batches", "1", "--batch-size", "2", "--device", "cpu", "--quiet")
    with_page = ("--output", str(figures / "page.html"))
    tab = {"_OMNITWIN_COMPLETE": "complete_bash", "COMP_CWORD": "2"}
    commands: list[tuple[tuple[str, ...], dict[str, str]]] = [
        (("train", "--quiet", "--iterations", "3", "--device", "cpu", "--resume", run), {}),
        (("train", "--quiet", "--iterations", "3", "--device", "cpu", "--resume", run), {}),
        (("train", "--quiet", "--dry-run", "--device", "cpu", "--resume", run), {}),
        (("train", "--quiet", *NEW, "--name", random.choice(("new", "evil"))), {}),
        (("train", "--quiet", *NEW, "--output", str(home / "data" / "runs" / "evil")), {}),
        (("report", "--quiet", checkpoint, "--exam", "pairs", "--device", "cpu"), {}),
        (("report", "--quiet", checkpoint, "--exam", "pairs", "--device", "cpu", *random.choice(((), with_page))), {}),
        (("use", checkpoint), {}),
        (("use", *random.choice(((), ("bundled",)))), {}),
        (("runs", *random.choice(((), ("--json",)))), {}),
        (("runs", "rename", "evil", "renamed", "--quiet"), {}),
        (("runs", "remove", "evil", "--yes", "--quiet"), {}),
        (("compare", "--quiet", *drawings(), *random.choice(((), ("--checkpoint", checkpoint)))), {}),
        (("compare", "--quiet", *drawings(), "--figure", str(figures / "figure.png")), {}),
        (("eval", *exam, "--checkpoint", checkpoint), {}),
        (("eval", *exam, "--figures", str(figures)), {}),
        (("eval", *exam[2:], "--baseline", "pixels", "--data", str(folder / "pictures")), {}),
        (("eval", *exam[2:], "--baseline", "pixels", "--data", str(folder / "pictures")), {}),
        (("cache", *random.choice(((), ("--json",), ("--clear",), ("--clear", "--dry-run")))), {}),
        (("cache", *random.choice(((), ("--json",), ("--clear", str(folder / "pictures"))))), {}),
        (("show", "--quiet", "--images", "2", "--pairs", "2"), random.choice(({}, {"OMNITWIN_MIRROR": str(zips)}))),
        (("download", "--quiet", "--from", str(zips), *random.choice(((), ("--force",)))), {}),
        (("download", "--quiet", "--from", str(zips)), {}),
        (("download", "--quiet", "--from", str(random.choice((zips / f"{PACKED[0]}.zip", folder / PACKED[0])))), {}),
        (("download", "--quiet"), {}),
        (("env", *random.choice(((), ("--json",)))), {}),
        (("use", ""), {**tab, "COMP_WORDS": "omnitwin use "}),
    ]
    return random.choice(commands)


PICTURES = View(height=64, width=64, channels=1, frame="photo")  # as eval --baseline pixels sees them
NEW = ("--recipe", "small", "--data", "synthetic", "--iterations", "1", "--holdout", "0", "--device", "cpu")


def listing(folder: Path) -> dict[str, tuple[object, ...]]:
    """What lstat says of everything below a folder, and the digests of its files; no link is followed."""
    return {str(path.relative_to(folder)): _seen(path) for path in [folder, *folder.rglob("*")]}


def _seen(path: Path) -> tuple[object, ...]:
    there = path.lstat()
    known = (there.st_mode, there.st_uid, there.st_gid, there.st_ino, there.st_size, there.st_mtime_ns, there.st_rdev)
    if stat.S_ISLNK(there.st_mode):
        return (*known, os.readlink(path))
    if stat.S_ISREG(there.st_mode):
        small = there.st_size <= HASHED
        return (*known, hashlib.sha256(path.read_bytes()).hexdigest() if small else there.st_blocks)
    return known


def _both(before: dict[str, tuple[object, ...]], after: dict[str, tuple[object, ...]]):
    return [(name, (before.get(name), after.get(name))) for name in sorted(before.keys() | after.keys())]
