"""docs/COMMANDS.md is what the program says of itself, and docs/REFERENCE.md's tables agree with it."""

import ast
import re
from pathlib import Path

import pytest
from scripts import load_script
from typer.testing import CliRunner

import omnitwin
from omnitwin.answers.environment import VARIABLES
from omnitwin.cli import COMMANDS, app
from omnitwin.errors import ExitCode

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs" / "REFERENCE.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "COMMANDS.md").read_text(encoding="utf-8")
SOURCE = Path(omnitwin.__file__).parent


@pytest.fixture(scope="module")
def generator():
    """docs/generate.py as a module."""
    return load_script("docs/generate.py")


@pytest.fixture
def check(generator, tmp_path):
    """check(text) is how `generate.py --check` ends where COMMANDS.md has that text; None: where there is none."""

    def check(text):
        page = tmp_path / "COMMANDS.md"
        if text is not None:
            page.write_text(text, encoding="utf-8")
        return generator.main(check=True, target=page)

    return check


def section(command: str) -> str:
    """What the page says of a command."""
    (text,) = re.findall(rf"^## {command}\n(.*?)^## ", PAGE, flags=re.M | re.S)
    return text


def rows_of(text: str, heading: str) -> list[list[str]]:
    """The cells of each row of the table with that heading in its first column."""
    (table,) = re.findall(rf"^\| {heading} \|.*\n\|[- |]+\n((?:\|.*\n)+)", text, flags=re.M)
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table.splitlines()]


def variables_in_the_source() -> set[str]:
    """Every string OMNITWIN_... of a module but the one that only lists them."""
    found = set()
    for path in SOURCE.rglob("*.py"):
        if path.name != "environment.py":
            nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            words = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
            found |= {word for word in words if re.fullmatch(r"OMNITWIN_[A-Z_]+", word)}
    return found


def test_the_reference_is_current(check, capsys):
    assert check(PAGE) == 0, capsys.readouterr().out


@pytest.mark.parametrize("stale", [PAGE.replace("--batches", "--lots"), PAGE + "\n", None])
def test_a_reference_that_is_not_current_is_noticed(check, stale, capsys):
    assert check(stale) == 1
    assert "run: python docs/generate.py" in capsys.readouterr().out


@pytest.mark.parametrize("columns", ["20", "300"])
def test_the_reference_does_not_depend_on_the_terminal_or_the_user(generator, monkeypatch, columns, tmp_path):
    for name, value in {"COLUMNS": columns, "HOME": str(tmp_path), "FORCE_COLOR": "1", "LANG": "de_DE"}.items():
        monkeypatch.setenv(name, value)
    assert generator.page() == PAGE


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_that_the_help_shows_is_in_the_reference_and_no_other(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("TERMINAL_WIDTH", "300")
    shown = re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", CliRunner().invoke(app, [command, "--help"]).output, flags=re.M)
    told = re.findall(r"^\| `(--[a-z-]+)", section(f"omnitwin {command}"), flags=re.M)
    assert sorted(told) == sorted(set(shown) - {"--help"})
    assert told


def test_values_and_defaults_of_options_are_told():
    options = {cells[0]: cells[2] for cells in rows_of(section("omnitwin eval"), "option")}
    assert options["`--seed N`"] == "`0`"
    assert options["`--episodes N` (1 or more)"] == "`10000`"
    assert options["`--json`"] == options["`--quiet`, `-q`"] == ""
    assert "`--learning-rate NUMBER`" in section("omnitwin train")
    assert "omnitwin compare [OPTIONS] A.png B.png...\n" in section("omnitwin compare")


def test_every_row_of_a_table_has_the_cells_of_its_head():
    tables = re.findall(r"(?:^\|.*\n)+", PAGE, flags=re.M)
    assert len(tables) > len(COMMANDS)
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, table


def test_no_bracket_outside_of_code_is_taken_for_markup():
    text = re.sub(r"```.*?```", "", PAGE, flags=re.S)
    text = re.sub(r"`[^`]*`", "", re.sub(r"\[[^\]]+\]\(#[a-z-]+\)", "", text))
    assert re.findall(r"(?<!\\)[\[\]<>]", text) == []


def test_what_markdown_would_take_for_markup_is_escaped(generator):
    assert generator.escape("a|b [c] <d> *e* `f|<g>`") == r"a\|b \[c\] \<d\> \*e\* `f\|<g>`"
    assert generator.code("a|b") == r"`a\|b`"


def test_every_link_within_the_reference_leads_to_a_heading():
    headings = {line.removeprefix("## ").lower().replace(" ", "-") for line in PAGE.splitlines() if line[:3] == "## "}
    links = re.findall(r"\]\(#([^)]+)\)", PAGE)
    assert len(links) == len(COMMANDS) + 2
    assert set(links) <= headings


def test_both_references_have_every_exit_code_and_no_other():
    codes = [str(int(code)) for code in ExitCode]
    assert [code for code, _ in rows_of(PAGE, "code")] == codes
    assert [code for cell, _ in rows_of(REFERENCE, "exit code") for code in cell.split(", ")] == codes


def test_the_reference_has_every_variable_that_the_source_reads_and_no_other():
    told = {cell.strip("`").removesuffix("=1"): effect for cell, effect in rows_of(REFERENCE, "variable")}
    assert told.keys() == variables_in_the_source()
    assert told == {name: effect for name, effect in VARIABLES.items() if name in told}
    assert [cell.strip("`") for cell, _ in rows_of(PAGE, "variable")] == list(VARIABLES)


def test_the_readme_leads_to_the_reference():
    assert "](docs/COMMANDS.md)" in README
