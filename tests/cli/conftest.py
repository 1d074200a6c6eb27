"""What tests of the command line share: the real entry point run in this process, and a trained network."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import typer
from drawn_once import draw_once
from PIL import Image, ImageDraw

from omnitwin.answers import choosing
from omnitwin.cli import app, main
from omnitwin.config import TrainConfig
from omnitwin.data import synthetic
from omnitwin.exams import all_pairs as exam_curves
from omnitwin.metrics import resampling
from omnitwin.recipes import SMALL
from omnitwin.training import heldout

COLUMNS = 100  # of the pretended terminal, whatever terminal the tests run in
FEW_ALPHABETS = {"training": 7, "test": 2}  # the full synthetic sets take a second to draw; 5 are held out
FEW_CHARACTERS = 6  # in each of them
FEW_HELD_OUT = 60  # images of the exam during training
FEW_REPLICATES = 50  # of a bootstrap


@dataclass(frozen=True)
class Outcome:
    """How a run of the program ended, and what it said."""

    code: int
    out: str
    err: str

    def complaint(self) -> str:
        """The one line on stderr of a run that had nothing to say on stdout."""
        assert self.out == ""
        assert self.err.endswith("\n")
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("omnitwin: ")
        return lines[0]


Run = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def fixed_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    for name in ("OMNITWIN_DEBUG", "TERM", "TERMINAL_WIDTH", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    do_little_work(monkeypatch)


def do_little_work(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(synthetic, "ALPHABETS", FEW_ALPHABETS)
    patch.setattr(synthetic, "CHARACTERS", FEW_CHARACTERS)
    draw_once(patch)
    patch.setattr(heldout, "MOST_IMAGES", FEW_HELD_OUT)
    for name in ("class_replicates", "group_replicates"):
        patch.setattr(exam_curves, name, partial(getattr(resampling, name), count=FEW_REPLICATES))


@pytest.fixture(scope="session")
def built_app():
    """The program with all its commands, which Typer would build again for each call."""
    return typer.main.get_command(app)


@pytest.fixture
def run(built_app, capfd: pytest.CaptureFixture[str]) -> Run:
    """run("train", "--quiet") runs the program, in this process, to its end."""

    def run(*words: object, program: Callable[..., object] = built_app) -> Outcome:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words], program)
        return Outcome(int(ended.value.code or 0), *capfd.readouterr())

    return run


def failing(error: BaseException) -> typer.Typer:
    """A program whose only command raises the error."""
    program = typer.Typer(pretty_exceptions_enable=False)

    @program.command()
    def fail() -> None:
        raise error

    return program


@pytest.fixture(scope="session")
def trained_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three iterations on synthetic alphabets; not to be changed."""
    from omnitwin.training import training

    output = tmp_path_factory.mktemp("trained") / "run"
    with pytest.MonkeyPatch.context() as patch:
        do_little_work(patch)
        recipe = SMALL.changed(iterations=3, batch_size=8)
        training.train(TrainConfig(recipe=recipe, dataset="synthetic", precision="fp32", output=output))
    return output


@pytest.fixture
def trained(trained_folder: Path, home: Path) -> Path:
    """The folder of a run named `trained`, the test's own copy, its only run and the one in use."""
    folder = Path(shutil.copytree(trained_folder, home / "data" / "runs" / "trained"))
    choosing.choose("trained")
    return folder


@pytest.fixture
def images(tmp_path: Path) -> tuple[Path, Path]:
    """Two black and white drawings, a bar upright and a bar lying."""
    paths = (tmp_path / "upright.png", tmp_path / "lying.png")
    for path, box in zip(paths, ((45, 20, 60, 85), (20, 45, 85, 60)), strict=True):
        image = Image.new("1", (105, 105), 1)
        ImageDraw.Draw(image).rectangle(box, fill=0)
        image.save(path)
    return paths
