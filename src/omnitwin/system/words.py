"""The words for devices and number formats, checked without torch, whose import takes seconds."""

import re
from typing import Any

from omnitwin.errors import BadInput

DEVICES = ("auto", "cpu", "cuda", "cuda:0", "mps")  # offered by TAB; cuda:N names any other GPU
PRECISIONS = ("auto", "fp32", "bf16")


def device_word(device: Any) -> str:
    """Return the word for a device: a word as it is, a torch.device as `cuda:0`. Raises BadInput for anything else."""
    if not isinstance(device, str) and f"{type(device).__module__}.{type(device).__name__}" != "torch.device":
        raise BadInput(f"{device!r} is no device", "Use auto, cpu, cuda, cuda:N or mps.")
    return str(device)


def check_device(name: str) -> None:
    """Raise BadInput for a word that names no device anywhere. Whether the machine has the device is not checked."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:[0-9]+)?", name):
        raise BadInput(f"no device is called {name!r}", "Use auto, cpu, cuda, cuda:N or mps.")


def check_precision(name: str) -> None:
    """Raise BadInput for a word that names no number format."""
    if name not in PRECISIONS:
        raise BadInput(f"no precision is called {name!r}", "Use auto, fp32 or bf16.")
