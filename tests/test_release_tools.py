"""`make test-lowest` and `make audit`: which versions they take, and that what was not checked counts as failed."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[1] / "tools"


@pytest.fixture
def lowest(monkeypatch):
    monkeypatch.syspath_prepend(TOOLS)
    import lowest

    return lowest


@pytest.fixture
def audit(monkeypatch):
    monkeypatch.syspath_prepend(TOOLS)
    import audit

    return audit


def test_the_lowest_versions_are_the_bounds(lowest):
    project = '[project]\ndependencies = ["rich>=14.0.0", "ruamel.yaml>=1.2rc1"]\n'
    assert lowest.lowest_pins(project) == ["rich==14.0.0", "ruamel.yaml==1.2rc1"]


@pytest.mark.parametrize("line", ["rich", "rich>14", "rich>=14,<15", "rich==14.0"])
def test_a_dependency_without_a_plain_lower_bound_is_refused(lowest, line):
    with pytest.raises(ValueError, match="name>=version"):
        lowest.lowest_pins(f'[project]\ndependencies = ["{line}"]\n')


def test_every_dependency_of_the_project_has_a_lowest_version(lowest):
    done = subprocess.run([sys.executable, TOOLS / "lowest.py"], capture_output=True, text=True, check=True)
    names = [line.split("==")[0] for line in done.stdout.splitlines()]
    assert {"numpy", "torch", "typer"} <= set(names)
    assert names == sorted(names)


def test_what_is_needed_in_turn_is_audited_too(audit):
    pins = audit.installed_pins(["rich"])
    assert {pin.split("==")[0] for pin in pins} == {"rich", "markdown-it-py", "mdurl", "pygments"}


def test_a_dependency_that_is_not_installed_is_no_clean_audit(audit):
    with pytest.raises(PackageNotFoundError):
        audit.installed_pins(["omnitwin-needs-no-such-package"])


@pytest.mark.parametrize(("codes", "outcome"), [((0, 0), 0), ((1, 0), 1), ((0, 1), 1)])
def test_both_audits_have_to_be_clean(audit, monkeypatch, codes, outcome):
    left = list(codes)
    asked = []

    def run(command, check):
        asked.append(Path(command[command.index("--requirement") + 1]).read_text(encoding="utf-8").split())
        return subprocess.CompletedProcess(command, left.pop(0))

    monkeypatch.setattr(subprocess, "run", run)
    assert audit.main([]) == outcome
    assert any(pin.startswith("torch==") for pin in asked[0])
    assert any(pin.startswith("pygments==") for pin in asked[1])
