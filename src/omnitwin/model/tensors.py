"""The tensors of a checkpoint as NumPy arrays, for both engines. All are checked before any is read."""

from pathlib import Path
from typing import Any

import numpy as np

from omnitwin.errors import BadCheckpoint
from omnitwin.metrics.arrays import Array
from omnitwin.model.description import check_layout
from omnitwin.system.tensorfile import Layout, layout_of

Tensors = dict[str, Array]
Kind = tuple[tuple[int, ...], str]  # shape and number format


def read_tensors(path: Path, file: Any, wanted: Layout) -> Tensors:
    """Return the tensors of an open safetensors file (framework `numpy`), half precision widened to float32.

    Raises BadCheckpoint if a name, shape or number format is not the wanted one, or if a number is not finite.
    """
    check_fit(path, file, wanted)
    tensors = {name: file.get_tensor(name).astype(kind, copy=False) for name, (_, kind) in wanted.items()}
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise BadCheckpoint(f"{path}: {name} holds numbers that are not finite")
    return tensors


def check_fit(path: Path, file: Any, wanted: Layout) -> None:
    """Raise BadCheckpoint if the tensors of an open file have not the wanted layout. None of them is read."""
    check_layout(path, wanted, {name: _widened(kind, wanted.get(name)) for name, kind in layout_of(file).items()})


def _widened(found: Kind, wanted: Kind | None) -> Kind:
    """Return what read_tensors makes of a tensor: half precision becomes float32, if that is wanted."""
    shape, kind = found
    halved = kind == "float16" and wanted is not None and wanted[1] == "float32"
    return shape, "float32" if halved else kind
