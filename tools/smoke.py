"""Try the release as users get it: build both archives, install the wheel alone, call every command.

It prints a line a step and ends at the first failure, with that command's output. The environment (about 5 GB) lies in
the folder for temporary files and is removed at the end.

    python tools/smoke.py
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SHARED = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
DEVELOPMENT = ["pytest", "mypy", "ruff", "scikit-learn", "build"]  # no command may need these
# A cross, another cross in another hand, and a ring.
DRAW = """
from PIL import Image, ImageDraw
for name, shapes in {
    "cross": [((20, 15, 85, 90), 3), ((85, 15, 20, 90), 3)],
    "other cross": [((25, 20, 80, 95), 4), ((78, 18, 22, 88), 4)],
    "ring": [],
}.items():
    image = Image.new("L", (105, 105), 255)
    pen = ImageDraw.Draw(image)
    for ends, width in shapes:
        pen.line(ends, fill=0, width=width)
    if not shapes:
        pen.ellipse((20, 20, 85, 85), outline=0, width=3)
    image.save(f"{name}.png")
"""


class Failed(Exception):
    pass


class Smoke:
    """The steps. They share a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.outside = folder, folder / "outside"
        self.programs = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        for path in (self.outside, folder / "tmp"):
            path.mkdir()
        self.began = time.monotonic()
        unwanted = ("OMNITWIN_", "PYTHON", "VIRTUAL_ENV")
        self.ours = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
        folders = {"HOME": "user", "TMPDIR": "tmp", "OMNITWIN_HOME": "home"}
        own = {name: str(folder / place) for name, place in folders.items()}
        self.users = self.ours | own | {"OMNITWIN_OFFLINE": "1"}

    def done(self, claim: str) -> None:
        print(f"{time.monotonic() - self.began:6.1f} s  {claim}", flush=True)

    def run(self, *command: str | Path, code: int = 0) -> str:
        """Run a command and return its standard output. Raises Failed if it ends with another code.

        pip and build run with this environment's settings, everything else as a new user.
        """
        words = [str(word) for word in command]
        variables = self.ours if {"pip", "build"} & set(words) else self.users
        ended = subprocess.run(words, cwd=self.outside, env=variables, capture_output=True, text=True, check=False)
        if ended.returncode != code:
            said = f"{ended.stdout}\n{ended.stderr}".strip()
            raise Failed(f"{' '.join(words)}\nexited {ended.returncode}, not {code}:\n{said}")
        return ended.stdout

    def omnitwin(self, *words: str, code: int = 0) -> str:
        return self.run(self.programs / "omnitwin", *words, code=code)

    def build(self) -> Path:
        """Build both archives and return the wheel. Raises Failed if the sdist builds another wheel."""
        built = [sys.executable, "-m", "build", "--outdir"]
        self.run(*built, self.folder / "dist", "--sdist", "--wheel", ROOT)
        (sdist,) = (self.folder / "dist").glob("*.tar.gz")
        (wheel,) = (self.folder / "dist").glob("*.whl")
        self.done(f"built {sdist.name} ({kilobytes(sdist)}) and {wheel.name} ({kilobytes(wheel)})")
        with tarfile.open(sdist) as archive:
            archive.extractall(self.folder / "unpacked", filter="data")
        (unpacked,) = (self.folder / "unpacked").iterdir()
        self.run(*built, self.folder / "again", "--wheel", unpacked)
        (again,) = (self.folder / "again").glob("*.whl")
        if (here := digest(wheel)) != digest(again):
            raise Failed(f"the wheel built from the sdist is another: {difference(wheel, again)}")
        self.done(f"the wheel built from the sdist is the same, SHA-256 {here}")
        return wheel

    def check_members(self, wheel: Path) -> None:
        """Raise Failed unless the wheel holds the package, the completions and metadata, and nothing else."""
        files = [path for path in (ROOT / "src" / "omnitwin").rglob("*") if path.is_file() and path.suffix != ".pyc"]
        wanted = {path.relative_to(ROOT / "src").as_posix(): path for path in files}
        name = wheel.name.removesuffix("-py3-none-any.whl")
        wanted |= {f"{name}.data/data/{target}": ROOT / source for source, target in SHARED.items()}
        assert {"omnitwin/py.typed", "omnitwin/model/weights/bundled.safetensors"} <= set(wanted)
        members = contents(wheel)
        for member, path in wanted.items():
            if members.get(member) != path.read_bytes():
                raise Failed(f"{member} is not in the wheel, or not as it is here")
        if foreign := [each for each in members if each not in wanted and not each.startswith(f"{name}.dist-info/")]:
            raise Failed(f"in the wheel, but not of the package: {', '.join(foreign)}")
        self.done(f"it has the {len(files)} files of the package, py.typed and weights among them, and completions")

    def install(self, wheel: Path) -> None:
        self.run(sys.executable, "-m", "venv", self.folder / "venv")
        pip = (self.programs / "python", "-m", "pip", "--disable-pip-version-check")
        self.run(*pip, "install", "--quiet", wheel)
        self.run(*pip, "check")
        packages = {each["name"].lower() for each in json.loads(self.run(*pip, "list", "--format", "json"))}
        if foreign := packages & set(DEVELOPMENT):
            raise Failed(f"installed with it, though only developers need it: {', '.join(sorted(foreign))}")
        self.done(f"installed alone: {len(packages)} packages, pip check is content")
        for source, target in SHARED.items():
            if (self.folder / "venv" / target).read_bytes() != (ROOT / source).read_bytes():
                raise Failed(f"{target} is not what {source} is")
        self.done(f"completions are under {', '.join(sorted({target.split('/')[1] for target in SHARED.values()}))}")

    def use(self) -> None:
        python = self.programs / "python"
        version = self.omnitwin("--version").strip()
        if self.run(python, "-m", "omnitwin", "--version").strip() != version:
            raise Failed("python -m omnitwin has another version than omnitwin")
        self.done(f"omnitwin --version, python -m omnitwin --version: {version}")
        commands = self.run(python, "-c", "from omnitwin.cli import COMMANDS; print(*COMMANDS)").split()
        for command in commands:
            self.omnitwin(command, "--help")
        self.done(f"--help of {', '.join(commands)}")
        self.omnitwin("env")
        self.omnitwin("nonsense", code=2)
        self.done("omnitwin env; a command that there is not exits 2")
        self.run(python, "-c", DRAW)
        self.compare("bundled")
        self.omnitwin("compare", "cross.png", "other cross.png")
        self.omnitwin("compare", "cross.png", "ring.png", code=1)
        self.omnitwin("compare", "cross.png", "missing.png", code=2)
        self.done("omnitwin compare: two crosses are the same (0), a cross and a ring not (1), no file exits 2")
        self.omnitwin("show", "--data", "synthetic", "--figure", "sheet.png")
        self.done("omnitwin show --data synthetic --figure")
        self.omnitwin("train", "--recipe", "fast", "--data", "synthetic", "--iterations", "20", "--name", "smoke")
        self.done("omnitwin train --recipe fast --data synthetic --iterations 20")
        (exam,) = json.loads(self.omnitwin("eval", "--checkpoint", "smoke", "--json"))["exams"]
        self.done(f"omnitwin eval --checkpoint smoke: exam {exam['exam']}")
        self.compare("smoke")
        self.omnitwin("report", "smoke", "--exam", "pairs", "--output", "page.html")
        if not (self.outside / "page.html").stat().st_size:
            raise Failed("the page of omnitwin report is empty")
        self.done("omnitwin report smoke")

    def compare(self, checkpoint: str) -> None:
        """Check that a comparison's exit code is the answer that it prints."""
        words = ("compare", "cross.png", "ring.png", "--checkpoint", checkpoint, "--json")
        answer = json.loads(self.omnitwin(*words, "--exit-zero"))
        self.omnitwin(*words, code=0 if answer["same"] else 1)
        self.done(f"omnitwin compare --checkpoint {checkpoint}: probability {answer['probability']:.4f}")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def kilobytes(path: Path) -> str:
    return f"{path.stat().st_size / 1000:,.0f} kB"


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def difference(wheel: Path, other: Path) -> str:
    """Name the members that differ between two wheels, or that are missing in one of them."""
    left, right = contents(wheel), contents(other)
    names = sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name))
    return ", ".join(names) or "the same members and bytes, packed otherwise"


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leaves no 5 GB behind either
    with tempfile.TemporaryDirectory(prefix="omnitwin-smoke-") as folder:
        smoke = Smoke(Path(folder))
        try:
            wheel = smoke.build()
            smoke.check_members(wheel)
            smoke.install(wheel)
            smoke.use()
        except Failed as failure:
            print(f"FAILED: {failure}", file=sys.stderr)
            return 1
        smoke.done("all of it works; the environment is removed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
