"""`omnitwin env`: what a bug report needs."""

import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import omnitwin

PACKAGES = ("torch", "torchvision", "numpy", "pillow", "matplotlib", "safetensors", "typer", "rich", "platformdirs")


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


def test_telling_writes_nothing(run, home):
    run("env")
    assert not home.exists()
