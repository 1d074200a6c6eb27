"""The table of faults in docs/FAULTS.md: each one made for real, its line and its exit code compared with the table.

`make faults` writes the table anew (OMNITWIN_WRITE_FAULTS=1). What needs small disks of its own needs root.
"""

import json
import os
import re
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random

import costly
import pytest
import torch
from drawn_places import draw_place, photo, signature, write
from faulty import WAIT, can_mount, fill, make_read_only, nothing, program, small_disk, wait_until
from killing import left_over
from PIL import Image, ImageDraw
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from test_locks import another_process

from omnitwin.config import SourceConfig, TrainConfig
from omnitwin.data import acquire, describe, synthetic
from omnitwin.data.catalogue import open_images
from omnitwin.data.places import list_images
from omnitwin.recipes import SMALL
from omnitwin.system import locks
from omnitwin.system.files import digest
from omnitwin.system.locks import hold
from omnitwin.system.paths import CONFIG_FILE, METRICS_FILE, STATE_FILE, WEIGHTS_FILE
from omnitwin.system.plain import is_plain
from omnitwin.training import heldout
from omnitwin.training.trainer import Trainer
from omnitwin.training.training import train

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="forks, and says what Linux says"),
]

TABLE = Path(__file__).parent.parent.parent / "docs" / "FAULTS.md"
WRITE = "OMNITWIN_WRITE_FAULTS"
DISK = 4 << 20  # bytes of a small disk; a run of the recipe small takes about 3.9 MB
QUICK = "train --data synthetic --recipe small --holdout 0 --batch-size 8 --precision fp32"
OWN_EXAM = "--baseline pixels --batches 1 --batch-size 2 --device cpu --data"
OTHER = {"encoder": "resnet18", "image_size": 64, "frame": "whole", "head": "difference", "channels": 1}
GREEDY = {**OTHER, "image_size": 1024}
WITHOUT_ENTRY = 54321  # a user whom this system does not know
ROWS: list[tuple[str, str, str, str]] = []


@dataclass
class Bench:
    """What a scenario finds: a folder of its own, a home with a trained run, two images, Omniglot's zips, a disk."""

    folder: Path
    run: Path
    zips: Path
    disk: Path
    closing: ExitStack
    before: Callable[[], object] = nothing  # there, just before the program starts
    during: Callable[[int], object] | None = None  # here, with its number
    as_nobody: bool = False

    @property
    def home(self) -> Path:
        return self.folder / "home"


def full(bench: Bench) -> None:
    fill(bench.disk)


def nearly_full(bench: Bench) -> None:
    """With room for half of a checkpoint, on the disk that holds the run."""
    bench.run = Path(shutil.copytree(bench.run, bench.disk / "run"))
    fill(bench.disk, spare=300_000)


def read_only(bench: Bench) -> None:
    bench.run = Path(shutil.copytree(bench.run, bench.disk / "run"))
    make_read_only(bench.disk)


def forbidden(bench: Bench) -> None:
    """To somebody who may read everything and write nothing."""
    bench.as_nobody = True
    for path in (bench.folder, *bench.folder.rglob("*"), *bench.folder.parents, bench.zips, *bench.zips.parents):
        path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))


def secret_source(bench: Bench) -> None:
    forbidden(bench)
    bench.zips = Path(shutil.copytree(bench.zips, bench.folder / "secret" / "zips"))
    bench.zips.parent.chmod(0o700)


def nowhere(bench: Bench) -> None:
    forbidden(bench)
    shutil.rmtree(bench.home)


def costly_image(name: str) -> Callable[[Bench], object]:
    """An image in place of a.png that asks for far more work than its pixels."""
    make = {
        "scans": lambda: costly.scans(Random(0), 900, 600),
        "fill": lambda: costly.fill(Random(0), 20_000_000),
        "qoi": lambda: costly.qoi(Random(0), 4096, 4096),
        "blocks": lambda: costly.tiny_parts(Random(0), "blocks"),
    }[name]
    return lambda bench: bench.folder.joinpath("a.png").write_bytes(make())


def file_for_folder(bench: Bench) -> None:
    shutil.rmtree(bench.home)
    bench.home.write_text("a file")


def file_for_run(bench: Bench) -> None:
    (bench.folder / "new").write_text("a file")


def folder_for_weights(bench: Bench) -> None:
    (bench.run / WEIGHTS_FILE).unlink()
    (bench.run / WEIGHTS_FILE).mkdir()


def folder_for_packed(bench: Bench) -> None:
    (bench.home / "cache" / "omniglot-py" / "images_background.safetensors").mkdir(parents=True)


def folder_for_figure(bench: Bench) -> None:
    (bench.folder / "figure.png").mkdir()


def pictures(bench: Bench) -> list[Path]:
    """Images of somebody's own."""
    return [write(bench.folder / "pictures" / label / "1.png", photo(label)) for label in "abcdef"]


def secret_pictures(bench: Bench) -> None:
    pictures(bench)
    forbidden(bench)
    (bench.folder / "pictures").chmod(0o700)


def broken_pictures(bench: Bench) -> None:
    for path in pictures(bench):
        path.write_bytes(b"")


def vanishing_pictures(bench: Bench) -> None:
    """Once they are listed."""
    pictures(bench)

    def list_and_delete(*words):
        listing = list_images(*words)
        shutil.rmtree(bench.folder / "pictures")
        return listing

    bench.before = lambda: setattr(describe, "list_images", list_and_delete)


def own_pictures(bench: Bench) -> None:
    """Eight classes of three."""
    draw_place(bench.folder / "pictures", dict.fromkeys("abcdefgh", 3))


def own_pictures_and_full_disk(bench: Bench) -> None:
    own_pictures(bench)
    full(bench)


def own_pictures_and_little_room(bench: Bench) -> None:
    """For their pixels, and nothing else."""
    own_pictures(bench)
    fill(bench.disk, spare=110_000)


def own_signatures(bench: Bench) -> None:
    """Ten hands, two of each."""
    hands = dict.fromkeys("abcdefghij", 2)
    draw_place(bench.folder / "signatures", hands, lambda key: signature(key[0]).rotate(4 * key[1]))


def own_signatures_and_full_disk(bench: Bench) -> None:
    own_signatures(bench)
    full(bench)


def own_signatures_and_no_rights(bench: Bench) -> None:
    own_signatures(bench)
    forbidden(bench)


def linked_cache(bench: Bench) -> None:
    own_pictures(bench)
    (bench.folder / "mine").mkdir()
    (bench.home / "cache").mkdir()
    (bench.home / "cache" / "pictures").symlink_to(bench.folder / "mine")


def damaged_store(bench: Bench) -> None:
    """They have been packed, and the disk has lost a part of it."""
    own_pictures(bench)
    assert program(["eval", *OWN_EXAM.split(), str(bench.folder / "pictures")], bench.folder, bench.home).code == 0
    for path in (bench.home / "cache" / "pictures").glob("*/pixels-*"):
        os.truncate(path, path.stat().st_size // 2)


def linked(name: str) -> Callable[[Bench], None]:
    """A file of the run is elsewhere, as a hostile archive or a user who saves room would have it."""

    def prepare(bench: Bench) -> None:
        (bench.run / name).rename(bench.folder / name)
        (bench.run / name).symlink_to(bench.folder / name)

    return prepare


def linked_runs(bench: Bench) -> None:
    (bench.folder / "home" / "data" / "runs").rename(bench.folder / "runs")
    (bench.folder / "home" / "data" / "runs").symlink_to(bench.folder / "runs")


def linked_figure(bench: Bench) -> None:
    (bench.folder / "figure.png").symlink_to(bench.folder / "mine.png")


def pipe_for_page(bench: Bench) -> None:
    os.mkfifo(bench.folder / "page.html")


def pipe_for(*names: str) -> Callable[[Bench], None]:
    """A pipe below home, which would be waited for when it is opened."""

    def prepare(bench: Bench) -> None:
        path = bench.home.joinpath(*names)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        os.mkfifo(path)

    return prepare


def pipe_for_zip(bench: Bench) -> None:
    (bench.folder / "mine").mkdir()
    os.mkfifo(bench.folder / "mine" / "images_background.zip")


def cut_short(bench: Bench) -> None:
    os.truncate(bench.run / STATE_FILE, 100_000)


def claiming(**changes: object) -> Callable[[Bench], None]:
    """The state's record says other things of its tensors, which stay."""

    def prepare(bench: Bench) -> None:
        path = bench.run / STATE_FILE
        with safe_open(path, framework="pt") as file:
            record = json.loads(file.metadata()["omnitwin"])
        save_file(load_file(path), path, metadata={"omnitwin": json.dumps({**record, **changes})})

    return prepare


def greedy_config(bench: Bench) -> None:
    """Another person's run that stopped before its first checkpoint: its config is all that there is."""
    for name in (STATE_FILE, WEIGHTS_FILE):
        (bench.run / name).unlink()
    record = json.loads((bench.run / CONFIG_FILE).read_text())
    record["recipe"]["network"] |= {"encoder": "resnet18", "image_size": 1024}
    (bench.run / CONFIG_FILE).write_text(json.dumps(record))


def held(bench: Bench) -> None:
    bench.closing.enter_context(another_process(hold(bench.run)))


def held_by_a_dead_one(bench: Bench) -> None:
    with another_process(hold(bench.run)):
        pass
    assert (bench.run / locks.LOCK_FILE).exists()


def data_held_for_a_while(bench: Bench) -> None:
    folder = bench.home / "cache" / "omniglot-py"
    child = bench.closing.enter_context(another_process(hold(folder)))
    heard = bench.folder / "stderr.txt"

    def end_the_other(_: int) -> None:
        wait_until(lambda: "Waiting" in heard.read_text())
        os.kill(child, signal.SIGKILL)

    bench.during = end_the_other


def left_over_files(bench: Bench) -> None:
    killed = bench.run / f"{locks.TEMPORARY_PREFIX}killed_1"
    killed.mkdir()
    (killed / WEIGHTS_FILE).write_text("half")


def cache_deleted(bench: Bench) -> None:
    """Once the images are loaded."""
    acquire.download(SourceConfig(source=str(bench.zips)))

    def load_and_delete(*words):
        packed = open_images(*words)
        shutil.rmtree(acquire.omniglot_folder())
        return packed

    bench.before = lambda: setattr(heldout, "open_images", load_and_delete)


def clock_set_back(bench: Bench) -> None:
    for path in (bench.run, *bench.run.iterdir()):
        os.utime(path, (2**32, 2**32))


def result_on_full_disk(bench: Bench) -> None:
    bench.before = lambda: os.dup2(os.open("/dev/full", os.O_WRONLY), 1)


def result_unread(bench: Bench) -> None:
    def leave() -> None:
        reading, writing = os.pipe()
        os.close(reading)
        os.dup2(writing, 1)

    bench.before = leave


def little_memory(bench: Bench) -> None:
    def limit() -> None:
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + (1 << 30), taken + (1 << 30)))

    bench.before = limit


def gpu_memory(bench: Bench) -> None:
    """A GPU's refusal, made here: no GPU is needed to see what is said of it."""
    real = Trainer._do_step

    def step(trainer, iteration):
        if trainer.recipe.sampling.batch_size > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(trainer, iteration)

    bench.before = lambda: setattr(Trainer, "_do_step", step)


def signalled(*numbers: signal.Signals) -> Callable[[Bench], None]:
    def prepare(bench: Bench) -> None:
        metrics = bench.folder / "new" / METRICS_FILE

        def send(child: int) -> None:
            wait_until(lambda: metrics.exists() and metrics.stat().st_size > 0)
            for number in numbers:
                os.kill(child, number)

        bench.during = send

    return prepare


def signalled_twice(number: signal.Signals) -> Callable[[Bench], None]:
    """The second time while the step that the first one waits for is still at work."""

    def prepare(bench: Bench) -> None:
        real, heard = Trainer._do_step, bench.folder / "stderr.txt"

        def slow(trainer, iteration):
            (bench.folder / "begun").touch()
            time.sleep(WAIT)
            return real(trainer, iteration)

        def send(child: int) -> None:
            wait_until((bench.folder / "begun").exists)
            os.kill(child, number)
            wait_until(lambda: "Finishing" in heard.read_text())
            os.kill(child, number)

        bench.before, bench.during = lambda: setattr(Trainer, "_do_step", slow), send

    return prepare


def homeless(bench: Bench) -> None:
    """A user without a home folder, as in some containers."""

    def forget() -> None:
        for name in ("OMNITWIN_HOME", "HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
            os.environ.pop(name, None)
        os.setuid(WITHOUT_ENTRY)

    forbidden(bench)  # the images may be read by everybody
    bench.as_nobody, bench.before = False, forget


@dataclass(frozen=True)
class Scenario:
    """told: a word of the line to be shown; else it is the last one on stderr."""

    fault: str
    prepare: Callable[[Bench], None]
    words: str
    code: int
    mounts: bool = False
    root: bool = False
    told: str = ""


def scenarios() -> list[Scenario]:
    new, on, show = f"{QUICK} --iterations 2 --output", "train --iterations 4 --resume", "show --data"
    calibrate = "calibrate --data {folder}/signatures"
    own_exam = f"eval {OWN_EXAM} {{folder}}/pictures"
    disks = [
        Scenario(fault, prepare, words, 3, mounts=True, root=True)
        for fault, prepare in (("disk is full", full), ("disk is read-only", read_only))
        for words in (
            f"{new} {{disk}}/new",
            "--home {disk} download --from {zips}",
            "--home {disk} use {run}",
            "eval --data synthetic --checkpoint {run} --figures {disk}/figures",
            "report {run} --exam pairs --output {disk}/page.html",
            "compare a.png b.png --figure {disk}/figure.png",
        )
    ]
    rights = [
        Scenario(fault, prepare, words, 3, root=True)
        for fault, prepare in (("home may not be written", forbidden), ("home is missing, may not be made", nowhere))
        for words in (f"{QUICK} --iterations 2", "download --from {zips}", "use bundled")
    ]
    files = [
        Scenario("a file where home should be", file_for_folder, words, 3)
        for words in (f"{QUICK} --iterations 2", "download --from {zips}", "use bundled", "compare a.png b.png")
    ]
    return [
        *disks,
        Scenario("disk fills up during a training", nearly_full, f"{on} {{run}}", 3, mounts=True, root=True),
        Scenario("run is on a read-only disk", read_only, f"{on} {{run}}", 3, mounts=True, root=True),
        *rights,
        Scenario("source may not be read", secret_source, "download --from {zips}", 3, root=True),
        Scenario("run may not be written", forbidden, f"{on} {{run}}", 3, root=True),
        Scenario("home may not be written", forbidden, "compare a.png b.png", 1, root=True),
        Scenario("user has no home", homeless, "compare a.png b.png", 1, root=True),
        *files,
        Scenario("a file where the run should be", file_for_run, f"{new} {{folder}}/new", 3),
        Scenario("a folder where weights should be", folder_for_weights, "compare a.png b.png --checkpoint {run}", 3),
        Scenario("a folder where packed data should be", folder_for_packed, "download --from {zips}", 3),
        Scenario("a folder where a figure should be", folder_for_figure, "compare a.png b.png --figure figure.png", 3),
        Scenario("images may not be read", secret_pictures, f"{show} {{folder}}/pictures", 2, root=True),
        Scenario("every image is an empty file", broken_pictures, f"{show} {{folder}}/pictures", 2),
        Scenario("images vanish while they are read", vanishing_pictures, f"{show} {{folder}}/pictures", 2),
        *(
            Scenario(fault, prepare, f"--home {{disk}} {own_exam}", 3, mounts=True, root=True)
            for fault, prepare in (
                ("disk is full", own_pictures_and_full_disk),
                ("disk fills up while images are packed", own_pictures_and_little_room),
            )
        ),
        Scenario(
            "disk is full", own_signatures_and_full_disk, f"--home {{disk}} {calibrate}", 3, mounts=True, root=True
        ),
        Scenario("home may not be written", own_signatures_and_no_rights, calibrate, 3, root=True),
        Scenario(
            "images in the cache are a link to elsewhere", linked_cache, f"eval {OWN_EXAM} {{folder}}/pictures", 3
        ),
        Scenario(
            "images in the cache are damaged",
            damaged_store,
            f"eval {OWN_EXAM} {{folder}}/pictures",
            0,
            told="cannot be used",
        ),
        Scenario("weights are a link to elsewhere", linked(WEIGHTS_FILE), "compare a.png b.png --checkpoint {run}", 3),
        Scenario("metrics are a link to elsewhere", linked(METRICS_FILE), f"{on} {{run}}", 3),
        Scenario("runs are a link to elsewhere", linked_runs, "train --iterations 4 --resume trained", 3),
        Scenario("a link where a figure should be", linked_figure, "compare a.png b.png --figure figure.png", 3),
        Scenario("a pipe where the page should be", pipe_for_page, "report {run} --output page.html", 3),
        Scenario("a pipe for the run's config", pipe_for("data", "runs", "trained", CONFIG_FILE), f"{on} {{run}}", 3),
        Scenario("a pipe for the choice", pipe_for("data", "default.json"), "compare a.png b.png", 3),
        Scenario("a pipe for a zip", pipe_for_zip, "download --from {folder}/mine", 3),
        Scenario("state is cut short", cut_short, f"{on} {{run}}", 3),
        Scenario("state says what cannot be", claiming(iteration=-3), f"{on} {{run}}", 3),
        Scenario("state is of another network than it says", claiming(network=OTHER), f"{on} {{run}}", 3),
        Scenario("state asks for much memory", claiming(network=GREEDY), f"{on} {{run}}", 3),
        Scenario("config asks for much memory", greedy_config, f"{on} {{run}}", 3),
        Scenario("another process trains the run", held, f"{on} {{run}}", 3),
        Scenario("the one that trained it was killed", held_by_a_dead_one, f"{on} {{run}}", 0),
        Scenario("another process packs data", data_held_for_a_while, "download --from {zips}", 0, told="Waiting"),
        Scenario("half a file, left by one killed", left_over_files, f"{on} {{run}}", 0),
        Scenario(
            "cache is deleted while in use", cache_deleted, f"{new.replace('synthetic', 'omniglot')} {{folder}}/new", 0
        ),
        Scenario("clock was set back", clock_set_back, f"{on} {{run}}", 0),
        Scenario("output goes to a full disk", result_on_full_disk, "compare a.png b.png", 3),
        Scenario("reader of the output has left", result_unread, "compare a.png b.png", 1),
        Scenario("too little memory", little_memory, "train --data synthetic --output {folder}/new", 3),
        Scenario("too little memory on a GPU (its refusal made by hand)", gpu_memory, f"{new} {{folder}}/new", 3),
        *(
            Scenario(
                f"{number.name}, once",
                signalled(number),
                f"{QUICK} --output {{folder}}/new",
                128 + number,
                told="Finishing",
            )
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        ),
        *(
            Scenario(fault, costly_image(name), "compare a.png b.png", 2)
            for fault, name in (
                ("a JPEG of 900 scans", "scans"),
                ("a JPEG of 20 MB of padding", "fill"),
                ("a QOI of 16 million pixels", "qoi"),
                ("a JPEG 2000 of tiny code blocks", "blocks"),
            )
        ),
        *(
            Scenario(f"{number.name}, twice", signalled_twice(number), f"{on} {{run}}", 128 + number, told="Finishing")
            for number in (signal.SIGINT, signal.SIGTERM)
        ),
    ]


@pytest.fixture
def bench(tmp_path, fake_omniglot, monkeypatch):
    small = synthetic.draw_set("training", alphabets=2, characters=3, drawers=4, size=28)
    monkeypatch.setattr(synthetic, "draw_set", lambda subset: small)
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    for name, box in (("a", (45, 20, 60, 85)), ("b", (20, 45, 85, 60))):
        image = Image.new("1", (105, 105), 1)
        ImageDraw.Draw(image).rectangle(box, fill=0)
        image.save(tmp_path / f"{name}.png")
    recipe = SMALL.changed(iterations=2, batch_size=8, holdout=0)
    run = home / "data" / "runs" / "trained"
    train(TrainConfig(recipe=recipe, dataset="synthetic", device="cpu", precision="fp32", output=run))
    with ExitStack() as closing:
        yield Bench(tmp_path, run, fake_omniglot.zips, tmp_path / "disk", closing)


def checkpoints(folder: Path) -> dict[Path, str]:
    return {path: digest(path, "sha256") for path in folder.rglob("*.safetensors") if is_plain(path)}


@pytest.mark.parametrize("scenario", scenarios(), ids=lambda one: f"{one.fault}: {one.words.split(' --')[0]}")
def test_a_fault_is_told_in_one_line_and_what_was_there_is_as_it_was(scenario, bench):
    if scenario.mounts and not can_mount():
        pytest.skip("needs disks of its own: root, and nothing that forbids mounting")
    if scenario.root and os.geteuid() != 0:
        pytest.skip("only root can become somebody who may not write, or mount a disk")
    if scenario.mounts:
        bench.closing.enter_context(small_disk(bench.disk, DISK))
    bench.folder.joinpath("stderr.txt").write_text("")
    bench.folder.joinpath("stdout.txt").write_text("")
    scenario.prepare(bench)
    before = checkpoints(bench.folder)
    places = {name: getattr(bench, name) for name in ("disk", "run", "zips", "folder")}
    words = [word.format(**places) for word in scenario.words.split()]
    ended = program(words, bench.folder, bench.home, bench.before, bench.during, bench.as_nobody)
    shown = scenario.words.format(**{name: name.upper() for name in places}).replace(f"{QUICK} ", "train ")
    row = (scenario.fault, f"omnitwin {shown}", ended.line(bench.folder, scenario.told), str(ended.code))
    ROWS.append(row)
    assert ended.code == scenario.code, ended.err
    assert "Traceback" not in ended.err
    if scenario.code in (2, 3) or "twice" in scenario.fault:
        assert checkpoints(bench.folder).items() >= before.items()
    if scenario.code in (2, 3):
        assert [line.startswith("omnitwin: ") for line in ended.err.splitlines()].count(True) == 1, ended.err
        assert ended.err.splitlines()[-1].startswith("omnitwin: ")
    if scenario.prepare is not held and scenario.fault != "SIGTERM, twice":  # the lock of one that lives, or was ended
        assert left_over(bench.folder) == []
    assert os.environ.get(WRITE) or row in rows_of(TABLE.read_text(encoding="utf-8"))


def test_the_table_has_no_other_rows():
    if os.environ.get(WRITE):
        if len(ROWS) < len(scenarios()):
            pytest.skip("some faults could not be made here, so the table is left as it is")
        write_table()
    told = {(fault, code) for fault, _, _, code in rows_of(TABLE.read_text(encoding="utf-8"))}
    assert told == {(one.fault, str(one.code)) for one in scenarios()}


def rows_of(text: str) -> list[tuple[str, ...]]:
    rows = re.findall(r"^\| (.+) \| `(.+)` \| (.*?) ?\| (\d+) \|$", text, flags=re.M)
    return [tuple(part.replace("\\|", "|") for part in row) for row in rows]


def write_table() -> None:
    head, _, _ = TABLE.read_text(encoding="utf-8").partition("\n| fault |")
    lines = ["", "| fault | command | what it says on stderr | exit code |", "|---|---|---|---|"]
    lines += ["| {} | `{}` | {} | {} |".format(*(part.replace("|", "\\|") for part in row)) for row in ROWS]
    TABLE.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
