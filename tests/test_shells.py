"""TAB in real shells, with the completions as the wheel ships them."""

import shutil

import pytest

pytest.importorskip("termios", reason="needs a terminal as Unix has it")

from shells import Shell

SHELLS = ("bash", "zsh", "fish")
IMAGES = ("alpha.png", "my drawing.png")


@pytest.fixture(params=SHELLS)
def shell(request, tmp_path):
    if not shutil.which(request.param):
        pytest.skip(f"needs {request.param}, which is not installed")
    with Shell(request.param, tmp_path) as running:
        for name in IMAGES:
            (running.files / name).touch()
        yield running


def test_tab_finishes_a_command(shell):
    assert shell.run("omnitwin tr\t") == ["train"]


def test_tab_lists_the_devices(shell):
    shell.type("omnitwin train --device \t\t")
    shell.wait_for("auto", "cpu", "cuda", "cuda:0", "mps")


def test_tab_lists_the_options_of_a_command(shell):
    shell.type("omnitwin compare --\t\t")
    shell.wait_for("--checkpoint", "--threshold", "--show-input", "--figure", "--device", "--exit-zero")


def test_tab_finishes_options_and_their_values(shell):
    assert shell.run("omnitwin train --dev\tmp\t") == ["train", "--device", "mps"]


def test_tab_finishes_the_names_of_files_with_spaces_too(shell):
    assert shell.run("omnitwin compare al\tmy\t") == ["compare", "alpha.png", "my drawing.png"]
    assert shell.run("omnitwin compare my\tal\t") == ["compare", "my drawing.png", "alpha.png"]


def test_tab_finishes_a_file_where_a_name_could_stand_too(shell):
    assert shell.run("omnitwin compare --checkpoint al\t") == ["compare", "--checkpoint", "alpha.png"]


def test_a_value_can_be_typed_right_after_the_field_that_tab_finished(shell):
    assert shell.run("omnitwin train --override rotat\t15") == ["train", "--override", "rotation=15"]
