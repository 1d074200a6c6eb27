"""What is promised in words is what the project does."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
from torch import nn

import omnitwin
from omnitwin.cli import COMMANDS
from omnitwin.config import EXAMS
from omnitwin.model.encoders import ClassicEncoder, count_parameters
from omnitwin.model.twin import build_twin
from omnitwin.recipes import RECIPES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / "docs" / "EXAMPLE.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs" / "REFERENCE.md").read_text(encoding="utf-8")
PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/REFERENCE.md", "docs/EXAMPLE.md")


def shell_lines() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    return [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]


def test_the_version_heads_the_changelog():
    versions = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.M)
    assert versions[0] == omnitwin.__version__


def test_the_test_command_of_the_readme_is_run_by_ci_word_for_word():
    commands = [line for line in shell_lines() if line.endswith("pytest")]
    assert len(commands) == 1
    assert commands[0] in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_every_command_recipe_and_exam_is_in_the_reference():
    assert [name for name in COMMANDS if f"omnitwin {name}" not in README + REFERENCE] == []
    assert [name for name in RECIPES if f"`{name}`" not in README] == []
    assert re.findall(r"^\| `([\w-]+)` \|", REFERENCE.split("## Exams")[1], flags=re.M)[: len(EXAMS)] == list(EXAMS)


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 150


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda recipe: recipe.name)
def test_the_table_of_recipes_has_their_numbers(recipe):
    (row,) = re.findall(rf"^\| `{recipe.name}`.*", REFERENCE, flags=re.M)
    _, _, size, parameters, length, held_out = (cell.strip() for cell in row.strip("|").split("|"))
    view = recipe.network.view
    assert size == f"{view.height} x {view.width}" + (" in colour" if view.channels == 3 else "")
    assert parameters == f"{count_parameters(build_twin(recipe.network)):,}"
    assert re.sub(" (images|pairs)$", "", length) == f"{recipe.iterations:,} x {recipe.sampling.batch_size}"
    assert held_out == (f"{recipe.holdout} alphabets" if recipe.holdout else "nothing")


def test_the_figures_of_the_bundled_weights_are_those_of_their_card():
    card = (ROOT / "src" / "omnitwin" / "model" / "weights" / "README.md").read_text(encoding="utf-8")
    (figures,) = re.findall(r"^\| 0 \| ([^|]*?) \| ([^|]*?) \| ([^|]*?) \|", card, flags=re.M)
    said = re.findall(r"^\| (.*) \| ([\d.]+) % \| ([\d.]+ to [\d.]+) % \|$", README, flags=re.M)
    assert [f"{value} ({interval})" for what, value, interval in said if "one alphabet" not in what] == list(figures)
    (near,) = [(value, interval) for what, value, interval in said if "one alphabet" in what]
    (exact,) = re.findall(r"\| same-alphabet \| balanced_accuracy \| ([\d.]+) \| ([\d.]+) to ([\d.]+) \|", card)
    value, low, high = (f"{100 * float(share):.1f}" for share in exact)
    assert near == (value, f"{low} to {high}")
    examples = README.count("(strong, 8,000 iterations)")
    assert examples == README.count("Answered by the bundled weights") > 0


def test_the_table_of_layers_is_the_network_of_the_example():
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in re.findall(r"^\| .*", EXAMPLE, flags=re.M)]
    rows = [row for row in cells if row[0].startswith(("convolution", "max-pool", "fully"))]
    shape_N, parameters_N, images_B1SS = [], [], torch.zeros(1, 1, 105, 105)
    encoder = ClassicEncoder()
    for layer in encoder:
        images_B1SS = layer(images_B1SS)
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.Linear):
            shape_N.append(" x ".join(f"{side:,}" for side in images_B1SS.shape[1:]))
            parameters_N.append(f"{count_parameters(layer):,}" if count_parameters(layer) else "")
    assert [row[1] for row in rows] == shape_N
    assert [row[2] for row in rows] == parameters_N
    assert f"{encoder.features + 1:,} parameters" in EXAMPLE
    assert f"{count_parameters(build_twin(RECIPES['classic'].network)):,} parameters" in EXAMPLE


def test_the_accuracies_of_the_example_are_the_measured_and_the_reported_ones():
    results = " ".join((ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8").split())
    assert "| 0 | 624 of 750 | 83.2 % | 80.4 to 85.7 % |" in results
    assert "| 1,648 | 83.2 % (95 % interval 80.4 to 85.7 %) |" in EXAMPLE
    assert "The example reports 89.2 % after all 10,000 iterations" in results
    assert "| 10,000 | 89.2 % |" in EXAMPLE


def test_the_results_say_what_was_measured_and_what_was_not():
    results = (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    assert re.search(r"n = \d+", results)
    assert "CUDA" in results


@pytest.mark.parametrize("page", PAGES)
def test_every_option_that_is_named_exists(page):
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src" / "omnitwin" / "cli").glob("*.py"))
    text = (ROOT / page).read_text(encoding="utf-8")
    ours = [line for line in text.splitlines() if "pip" not in line]
    options = set(re.findall(r"--[a-z][a-z-]+", "\n".join(ours))) - {"--help"}
    assert [option for option in sorted(options) if f'"{option}"' not in source] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_leads_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text.replace("\n", " ")) if "://" not in link]
    assert links
    folder = (ROOT / page).parent
    assert [link for link in links if not (folder / link.split("#")[0]).exists()] == []
    headings = {line.lstrip("# ").lower().replace(" ", "-") for line in text.splitlines() if line.startswith("#")}
    assert [link for link in links if link.startswith("#") and link[1:] not in headings] == []


def test_the_shipped_completions_are_what_the_program_prints():
    script = ROOT / "completions" / "generate.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_pipx_finds_the_completions_in_the_wheel(shell):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    places = {
        "bash": "share/bash-completion/completions/omnitwin",
        "zsh": "share/zsh/site-functions/_omnitwin",
        "fish": "share/fish/vendor_completions.d/omnitwin.fish",
    }
    sources = [source for source, target in shared.items() if target == places[shell]]
    assert len(sources) == 1
    assert (ROOT / sources[0]).is_file()


def test_dependencies_have_lower_bounds_and_no_upper_ones():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for line in project["dependencies"]:
        assert re.fullmatch(r"[a-z\d-]+>=[\d.]+", line), line
