"""Imports follow the arrows of the layout, and functions stay short enough to read at once."""

import ast
import re
from pathlib import Path

import pytest

import omnitwin

SOURCE = Path(omnitwin.__file__).parent
COMMON = {"reports", "system", "config", "recipes", "errors"}  # what every room but metrics may use
ARROWS = {  # room: the rooms that it may import besides its own
    "errors": set(),
    "recipes": {"errors"},
    "config": {"errors", "recipes", "system"},
    "reports": {"errors"},
    "system": {"errors", "reports"},
    "metrics": set(),
    "images": {"metrics"} | COMMON,
    "data": {"images", "metrics"} | COMMON,
    "model": {"metrics"} | COMMON,
    "training": {"data", "images", "model", "metrics"} | COMMON,
    "answers": {"data", "images", "model", "metrics"} | COMMON,
    "gallery": {"answers", "data", "images", "model", "metrics"} | COMMON,
    "exams": {"training", "answers", "data", "images", "model", "metrics"} | COMMON,
    "galleries": {"gallery", "view"} | COMMON,
    "api": {"gallery", "exams", "training", "answers", "data", "images", "model", "metrics", "view"} | COMMON,
    "view": COMMON,
    "cli": {"gallery", "exams", "training", "answers", "data", "view"} | COMMON,
    "__main__": {"cli", "system"},
}  # fmt: skip
FORBIDDEN = {
    "cli": {"torch", "torchvision", "numpy", "PIL", "safetensors"},
    "view": {"torch", "torchvision", "safetensors"},
    "training": {"typer", "rich", "torchvision"},
    "exams": {"typer", "rich", "torchvision"},
    "answers": {"typer", "rich", "torchvision"},
    "gallery": {"typer", "rich", "torchvision"},
    "images": {"torch", "torchvision", "typer", "rich"},
    "data": {"typer", "rich", "torchvision"},
    "model": {"typer", "rich"},
    "config": {"torch", "numpy", "PIL", "rich", "typer"},
    "recipes": {"torch", "numpy", "PIL", "rich", "typer"},
    "reports": {"torch", "numpy", "PIL", "rich", "typer"},
}
LATE = {"torchvision", "matplotlib"}  # never at the top of a module
MODULES = sorted(SOURCE.rglob("*.py"))


def test_every_room_has_its_arrows():
    assert {part_of(path) for path in MODULES} - {"__init__"} == set(ARROWS)


def part_of(path: Path) -> str:
    first = path.relative_to(SOURCE).parts[0]
    return first.removesuffix(".py")


def imports(path: Path, top_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_only else ast.walk(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_follow_the_arrows(path):
    room = part_of(path)
    for name in imports(path):
        root, _, rest = name.partition(".")
        if root != "omnitwin":
            assert root not in FORBIDDEN.get(room, set()), f"{path} imports {name}"
            continue
        other = rest.split(".")[0]
        if other in ARROWS and room not in ("__init__", other):  # else a name of the package itself, or within a room
            assert other in ARROWS[room], f"{path}: {room} imports {other}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_module_imports_a_late_library_at_its_top(path):
    assert not {name.split(".")[0] for name in imports(path, top_only=True)} & LATE


def test_the_command_line_reaches_for_the_other_rooms_only_inside_commands():
    for path in (SOURCE / "cli").glob("*.py"):
        early = {name.split(".")[1] for name in imports(path, top_only=True) if name.startswith("omnitwin.")}
        assert early <= {"cli", "config", "recipes", "reports", "system", "errors", "__version__"}, path


def test_a_module_past_400_lines_says_why_in_its_head():
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        head = ast.get_docstring(ast.parse(text)) or ""
        assert len(text.splitlines()) <= 400 or "400" in head, path


def test_functions_stay_under_60_lines():
    lengths = {
        f"{path.relative_to(SOURCE)}:{node.name}:{node.lineno}": node.body[-1].end_lineno - node.body[0].lineno + 1
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    assert {name: length for name, length in lengths.items() if length >= 60} == {}


def test_only_a_command_changes_how_the_process_keeps_memory():
    callers = {part_of(path) for path in MODULES if "keep_freed_memory()" in path.read_text(encoding="utf-8")}
    assert callers == {"cli", "system"}  # system defines it


def test_only_the_entry_point_and_signals_may_end_the_process():
    for path in MODULES:
        if part_of(path) != "cli":
            assert "sys.exit" not in path.read_text(encoding="utf-8"), path
            assert not re.search(r"(?<![\w.])print\(", path.read_text(encoding="utf-8")), path


def test_no_two_files_of_tests_have_one_name():
    """Pytest imports them by their names alone."""
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
