"""`omnitwin env`: what a bug report needs."""

import json
import platform
import shutil
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import omnitwin

PROJECT = tomllib.loads(Path(__file__).parents[2].joinpath("pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = [line.partition(">=")[0] for line in PROJECT["project"]["dependencies"]]


def environment(run, *words):
    outcome = run(*words, "env", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    return json.loads(outcome.out)


def test_versions_are_those_installed(run):
    versions = environment(run)["versions"]
    assert versions["omnitwin"] == omnitwin.__version__
    assert versions["python"] == platform.python_version()
    assert {name: versions[name] for name in PACKAGES} == {name: version(name) for name in PACKAGES}


def test_text_tells_the_same_versions(run):
    lines = [line.split() for line in run("env").out.splitlines()]
    assert all([name, version(name)] in lines for name in PACKAGES)


def test_a_cpu_is_always_among_the_devices(run):
    assert any(device.startswith("cpu") for device in environment(run)["devices"])


def test_folders_are_under_omnitwin_home(run, home):
    assert environment(run)["folders"] == {"cache": str(home / "cache"), "data": str(home / "data")}


@pytest.mark.skipif(sys.platform != "linux", reason="the folders of the XDG specification")
def test_without_omnitwin_home_cache_and_data_are_the_users(run, tmp_path, monkeypatch):
    monkeypatch.delenv("OMNITWIN_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    folders = environment(run)["folders"]
    assert folders == {"cache": str(tmp_path / "cache/omnitwin"), "data": str(tmp_path / "data/omnitwin")}


def test_tilde_in_omnitwin_home_is_the_users_folder(run, monkeypatch):
    monkeypatch.setenv("OMNITWIN_HOME", "~/twins")
    assert environment(run)["folders"]["cache"] == str(Path.home() / "twins" / "cache")


def test_variables_that_are_set_are_told(run, monkeypatch):
    monkeypatch.setenv("OMNITWIN_OFFLINE", "1")
    variables = environment(run)["variables"]
    assert variables["OMNITWIN_OFFLINE"] == "1"
    assert "OMNITWIN_MIRROR" not in variables


def told(run):
    [line] = [line for line in run("env").out.splitlines() if line.startswith("default network")]
    return " ".join(line.split())


def test_bundled_is_the_default_network_at_first(run):
    report = environment(run)
    assert (report["default_network"]["name"], report["default_problem"]) == ("bundled", None)
    assert told(run).startswith("default network bundled (strong, ")


def test_the_default_network_is_told_by_its_name_and_file(run, trained):
    report = environment(run)
    assert (report["default_network"]["name"], report["default_problem"]) == ("trained", None)
    assert report["default_network"]["checkpoint"] == str(trained / "best.safetensors")
    assert told(run) == f"default network trained (small, 3 iterations): {trained / 'best.safetensors'}"


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda run: shutil.rmtree(run), "the default network, trained, cannot be used: it is gone."),
        (lambda run: (run / "best.safetensors").write_text("words"), "the default network, trained, has changed"),
        (lambda run: (run.parents[1] / "default.json").write_text("words"), "default.json cannot be read"),
    ],
)
def test_a_default_network_that_cannot_answer_is_told_with_its_problem_and_env_goes_on(run, trained, spoil, problem):
    spoil(trained)
    report = environment(run)
    assert report["default_network"] is None
    assert problem in report["default_problem"]
    assert "omnitwin use bundled" in report["default_problem"]
    assert problem in told(run)


def test_telling_writes_nothing(run, home):
    run("env")
    assert not home.exists()
