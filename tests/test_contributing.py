"""CONTRIBUTING.md says what the Makefile, the tests and the source say."""

import re
from pathlib import Path

from test_layers import ARROWS, COMMON, SOURCE

from omnitwin.model.description import FORMAT_VERSION, READABLE_VERSIONS

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = re.findall(r"^([a-z][a-z-]*):(?!=)", MAKEFILE, flags=re.M)


def test_it_names_every_target_of_the_makefile_and_no_other():
    assert set(re.findall(r"\bmake ([a-z][a-z-]*)", PAGE)) == set(TARGETS)
    assert sorted(re.findall(r"^\| `make ([a-z-]+)` \|", PAGE, flags=re.M)) == sorted(TARGETS)


def test_a_folder_that_is_called_like_a_target_does_not_keep_it_from_being_made():
    phony = [name for line in re.findall(r"^\.PHONY: (.*)", MAKEFILE, flags=re.M) for name in line.split()]
    assert sorted(phony) == sorted(TARGETS)


def test_its_set_up_is_that_of_the_readme():
    (block,) = re.findall(r"^```sh\n(.*?)^```", PAGE, flags=re.M | re.S)
    assert block in (ROOT / "README.md").read_text(encoding="utf-8")


def test_its_arrows_are_those_that_the_imports_are_held_to():
    rows = re.findall(r"^\| `(\w+)` \| [^|]* \| ([^|]*)\|$", PAGE, flags=re.M)
    told = {room: set(re.findall(r"`(\w+)`", others)) for room, others in rows}
    alone = {"errors", "config", "recipes", "__main__"}  # single modules
    assert told == {room: others - COMMON for room, others in ARROWS.items() if room not in alone}


def test_its_longest_function_is_the_one_that_is_allowed():
    (most,) = re.findall(r"fewer than (\d+) lines", PAGE)
    assert f"test_functions_stay_under_{most}_lines" in (ROOT / "tests" / "test_layers.py").read_text("utf-8")


def test_every_version_of_a_checkpoint_is_read_for_ever():
    assert tuple(range(1, FORMAT_VERSION + 1)) == READABLE_VERSIONS


def test_every_path_and_name_of_the_source_that_it_names_is_there():
    paths = set(re.findall(r"`([a-z_./]+(?:/|\.py|\.toml|\.md))`", PAGE)) | set(re.findall(r"\]\(([^):]+)\)", PAGE))
    made = {"dist/"}
    places = (ROOT, SOURCE)
    assert [path for path in sorted(paths - made) if not any((place / path).exists() for place in places)] == []
    source = "".join(path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py"))
    names = {"FORMAT_VERSION", "READABLE_VERSIONS", "describe", "replacing"}
    assert [name for name in names if name not in PAGE or not re.search(rf"\b{name}\b", source)] == []


def test_it_is_in_the_archive_of_the_source():
    assert '"/CONTRIBUTING.md"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
