"""Imports point downwards only, as the layout says, and no module grows beyond a page or three."""

import ast
import re
from pathlib import Path

import pytest

import omnitwin

SOURCE = Path(omnitwin.__file__).parent
LAYERS = {  # a module may import from lower layers only, and from its own part
    "errors": 0, "paths": 0, "files": 0, "locks": 0, "default": 0, "fetch": 0, "device": 0, "tensorfile": 0,
    "config": 1, "recipes": 1, "reports": 1, "exam_reports": 1, "ranking_reports": 1,
    "data": 2, "model": 2, "metrics": 2,
    "view": 3, "workflows": 3,
    "cli": 4, "__main__": 5,
}  # fmt: skip
FORBIDDEN = {
    "cli": {"torch", "torchvision", "numpy", "PIL", "safetensors"},
    "view": {"torch", "torchvision", "safetensors"},
    "workflows": {"typer", "rich", "torchvision"},
    "data": {"typer", "rich", "torchvision"},
    "model": {"typer", "rich"},
    "config": {"torch", "numpy", "PIL", "rich", "typer"},
    "recipes": {"torch", "numpy", "PIL", "rich", "typer"},
    "reports": {"torch", "numpy", "PIL", "rich", "typer"},
}
LATE = {"torchvision", "matplotlib"}  # never at the top of a module
MODULES = sorted(SOURCE.rglob("*.py"))


def test_every_part_has_its_layer():
    assert {part_of(path) for path in MODULES} - {"__init__"} == set(LAYERS)


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
def test_imports_point_downwards_only(path):
    part = part_of(path)
    if part == "__init__":
        assert not {name for name in imports(path) if name.startswith("omnitwin")}
        return
    for name in imports(path):
        root, _, rest = name.partition(".")
        if root != "omnitwin":
            assert root not in FORBIDDEN.get(part, set()), f"{path} imports {name}"
            continue
        other = rest.split(".")[0]
        if other in LAYERS and other != part:
            assert part != "metrics", "metrics imports nothing of ours"
            allowed = LAYERS[other] < LAYERS[part] or LAYERS[other] == LAYERS[part] == 0
            assert allowed or (LAYERS[other], LAYERS[part]) == (1, 1), f"{path}: {part} imports {other}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_module_imports_a_late_library_at_its_top(path):
    assert not {name.split(".")[0] for name in imports(path, top_only=True)} & LATE


def test_the_command_line_reaches_for_workflows_and_view_only_inside_commands():
    for path in (SOURCE / "cli").glob("*.py"):
        early = {name.split(".")[1] for name in imports(path, top_only=True) if name.startswith("omnitwin.")}
        assert early <= {"cli", "config", "recipes", "reports", "errors", "paths", "__version__"}, path


def test_no_module_is_longer_than_250_lines():
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > 250} == {}


def test_only_the_entry_point_and_signals_may_end_the_process():
    for path in MODULES:
        if part_of(path) != "cli":
            assert "sys.exit" not in path.read_text(encoding="utf-8"), path
            assert not re.search(r"(?<![\w.])print\(", path.read_text(encoding="utf-8")), path
