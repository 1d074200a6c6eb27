"""What all tests share: folders of their own, small data, a local web server, and which tests are off by default."""

# ruff: noqa: E402 (the number of threads is read as the libraries are loaded)
import os

# Small data gains nothing from more threads, and loses much where tests run side by side. Child processes heed it, too.
THREADS = os.environ.get("OMNITWIN_TEST_THREADS", "1")
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = THREADS
os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # threads that wait give up their core soon, as in the program

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import torch
from local_server import Serve, serving
from omniglot_like import FakeOmniglot, write_fake_omniglot

from omnitwin.data import official, omniglot, synthetic
from omnitwin.data.packed import PackedSet
from omnitwin.exams import beyond as exam_variations

TEST_DATA = "OMNITWIN_TEST_DATA"
TEST_OWN = "OMNITWIN_TEST_OWN"
TEST_NETWORK = "OMNITWIN_TEST_NETWORK"
TEST_BF16 = "OMNITWIN_TEST_BF16"  # present or absent: what the processor is taken for; unset, what it is
NUMBERS = count()  # of folders of tests
FEW_PAIRS = 4  # of the exam beyond, each drawn 30 times
UNWANTED_VARIABLES = ("OMNITWIN_MIRROR", "OMNITWIN_OFFLINE", "NO_COLOR", "FORCE_COLOR", "GITHUB_ACTIONS")


def pytest_configure(config: pytest.Config) -> None:
    torch.set_num_threads(int(THREADS))
    if TEST_BF16 in os.environ:
        present = {"absent": False, "present": True}[os.environ[TEST_BF16]]
        features = {**getattr(torch.cpu, "get_capabilities", dict)(), "amx_bf16": False, "avx512_bf16": present}
        torch.cpu.get_capabilities = lambda: features


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    reasons = {
        "slow": None if "slow" in config.getoption("-m") else "slow: ask for it with -m slow",
        "gpu": None if _wants(items, "gpu") and _has_cuda() else "needs a CUDA device",
        "network": None if os.environ.get(TEST_NETWORK) else f"needs the internet: set {TEST_NETWORK}",
        "realdata": None
        if os.environ.get(TEST_DATA) or os.environ.get(TEST_OWN)
        else f"needs data in the folder that {TEST_DATA} or {TEST_OWN} names",
    }
    for item in items:
        for marker, reason in reasons.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


def _wants(items: list[pytest.Item], marker: str) -> bool:
    return any(item.get_closest_marker(marker) for item in items)


def _has_cuda() -> bool:
    return torch.cuda.is_available()


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder, as pytest's own of this name, which reads the names of all earlier ones to find a new number."""
    name = re.sub(r"\W", "_", request.node.name)[:30]
    folder = tmp_path_factory.getbasetemp() / f"{name}{next(NUMBERS)}"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own for all that omnitwin keeps; nothing of the user's is read or written."""
    for name in UNWANTED_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMNITWIN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    return tmp_path / "home"


@pytest.fixture(autouse=True)
def no_power_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has to outlast one, so no test waits for the disk; those that count what is asked of it still do."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[object, Callable[[Path], Any]], tuple[Path, Any]]:
    """once(key, make) returns an empty folder and make(folder), made by the first test of a module that asks."""
    made: dict[object, tuple[Path, Any]] = {}

    def once(key: object, make: Callable[[Path], Any]) -> tuple[Path, Any]:
        if key not in made:
            folder = tmp_path_factory.mktemp("once")
            made[key] = folder, make(folder)
        return made[key]

    return once


@pytest.fixture(autouse=True)
def few_varied_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing a thousand pairs in every variation takes minutes."""
    monkeypatch.setattr(exam_variations, "BEYOND_PAIRS", FEW_PAIRS)
    monkeypatch.setattr(exam_variations, "EMPTY_PAIRS", FEW_PAIRS)
    monkeypatch.setattr(exam_variations, "MARKED_SHARE", 1.0)


@pytest.fixture(scope="session")
def tiny_set() -> PackedSet:
    """2 alphabets of 4 characters by 6 drawers: 48 images of 28 x 28."""
    return synthetic.draw_set("training", alphabets=2, characters=4, drawers=6, size=28)


@pytest.fixture(scope="session")
def tiny_105() -> PackedSet:
    """2 characters by 5 drawers: 10 images of 105 x 105."""
    return synthetic.draw_set("training", alphabets=1, characters=2, drawers=5)


@pytest.fixture
def real_data() -> Path:
    """The folder with Omniglot's zips; tests that use it are marked realdata."""
    folder = os.environ.get(TEST_DATA)
    if not folder:
        pytest.skip(f"needs Omniglot in the folder that {TEST_DATA} names")
    return Path(folder)


@pytest.fixture
def own_set(tmp_path: Path) -> Callable[[str], Path]:
    """own_set("grocery") unpacks a small real set of other people's images; tests that use it are marked realdata."""
    folder = os.environ.get(TEST_OWN)
    if not folder:
        pytest.skip(f"needs small sets of images in the folder that {TEST_OWN} names")

    def unpack(name: str) -> Path:
        with ZipFile(Path(folder) / f"{name}.zip") as archive:
            archive.extractall(tmp_path)
        return tmp_path / name

    return unpack


@pytest.fixture(scope="session")
def fake_files(tmp_path_factory: pytest.TempPathFactory) -> FakeOmniglot:
    """Written once; not to be changed."""
    return write_fake_omniglot(tmp_path_factory.mktemp("fake-omniglot"))


@pytest.fixture
def fake_omniglot(fake_files: FakeOmniglot, monkeypatch: pytest.MonkeyPatch) -> FakeOmniglot:
    """Two small sets and some runs in Omniglot's layout, which omnitwin takes for the real ones."""
    monkeypatch.setattr(omniglot, "SETS", fake_files.sets)
    monkeypatch.setattr(official, "ARCHIVE", fake_files.runs)
    return fake_files


@pytest.fixture
def serve() -> Iterator[Serve]:
    """serve(script) starts a web server on this machine; see local_server."""
    with ExitStack() as stack:
        yield lambda script: stack.enter_context(serving(script))
