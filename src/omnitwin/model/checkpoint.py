"""Read and write, with torch, a trained network as a file that describes itself, and the training state beside it.

weights.safetensors holds the network, state.safetensors what only `--resume` needs. model.description defines the
record in both.
"""

from pathlib import Path
from typing import cast

import torch
from torch import nn

from omnitwin.errors import BadCheckpoint
from omnitwin.model import anatomy
from omnitwin.model.description import (
    FORMAT,
    STATE_FORMAT,
    Description,
    describe,
    opened,
    record_for,
    record_of,
)
from omnitwin.model.tensors import Tensors, read_tensors
from omnitwin.model.twin import TwinNetwork, build_twin, check_encoder
from omnitwin.recipes import Network
from omnitwin.system.tensorfile import Layout, save_tensors


def save_checkpoint(path: Path, network: TwinNetwork, description: Description) -> None:
    """Write a network with its description. Raises CannotWrite."""
    _save(path, network.state_dict(), FORMAT, description)


def save_state(path: Path, tensors: dict[str, torch.Tensor], description: Description) -> None:
    """Write all that resuming needs: weights and optimiser in one file, so that no kill leaves them out of step."""
    _save(path, tensors, STATE_FORMAT, description)


def load_state(path: Path) -> tuple[dict[str, torch.Tensor], Description]:
    """Return the tensors and the description in a state file, whose layout training.resuming checks.

    Raises BadCheckpoint: for what the file says of itself before any tensor is read, for numbers that are not finite
    once all are.
    """
    with opened(path, "pt") as file:
        description = describe(path, record_of(path, file, STATE_FORMAT))
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise BadCheckpoint(f"{path}: {name} holds numbers that are not finite")
    return tensors, description


def load_checkpoint(path: Path, encoder: nn.Module | None = None) -> tuple[TwinNetwork, Description]:
    """Return a network in evaluation mode on the CPU, and its description. Raises BadCheckpoint.

    encoder: the user's own module, for a network that was trained with it

    Tensors in half precision are widened to float32.
    """
    with opened(path, "numpy") as file:
        description = describe(path, record_of(path, file, FORMAT))
        tensors = read_tensors(path, file, layout_with(description.network, encoder))
    return build(tensors, description.network, encoder), description


def layout_with(network: Network, encoder: nn.Module | None) -> Layout:
    """Return the layout of a network. encoder: the user's own module, or None."""
    if encoder is None:
        return anatomy.layout(network)
    check_encoder(encoder)
    return anatomy.layout(network, layout(encoder.state_dict()), cast(int, encoder.features))


def build(tensors: Tensors, seen: Network, encoder: nn.Module | None = None) -> TwinNetwork:
    """Return a network in evaluation mode, with tensors that read_tensors has checked."""
    network = build_twin(seen, encoder)
    network.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()})
    return network.eval()


def layout(tensors: dict[str, torch.Tensor]) -> Layout:
    """Return the shape and number format of each tensor, by name."""
    return {name: (tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")) for name, tensor in tensors.items()}


def _save(path: Path, tensors: dict[str, torch.Tensor], format: str, description: Description) -> None:
    save_tensors(path, tensors, record_for(format, description))
