"""Checkpoints with something changed in them."""

import json

from safetensors import safe_open
from safetensors.torch import load_file, save_file


def record_of(path):
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["omnitwin"])


def written_anew(source, path, *, record=None, tensors=None):
    """A checkpoint with some fields of its record and some tensors replaced; None takes a tensor away."""
    changed = {**record_of(source), **(record or {})}
    held = {name: tensor for name, tensor in {**load_file(source), **(tensors or {})}.items() if tensor is not None}
    save_file(held, path, metadata={"omnitwin": json.dumps(changed)})
