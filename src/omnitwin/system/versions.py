"""Versions of omnitwin, Python and the libraries, for bug reports and for the report of a run."""

import platform
from importlib.metadata import PackageNotFoundError, version

import torch

from omnitwin import __version__

PACKAGES = (
    "torch", "torchvision", "numpy", "opencv-python-headless", "pillow", "matplotlib", "safetensors", "typer", "rich",
    "platformdirs", "filelock", "jinja2",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Return the versions of omnitwin, Python, the system and the libraries, by name."""
    return {
        "omnitwin": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{package: _version(package) for package in PACKAGES},
        "cuda (of torch)": torch.version.cuda or "none",
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
