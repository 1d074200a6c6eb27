"""The tensors of a checkpoint as NumPy arrays, for both engines. All are checked before any is read."""

from pathlib import Path
from typing import Any

import numpy as np

from omnitwin.errors import BadCheckpoint
from omnitwin.metrics.arrays import Array
from omnitwin.model.anatomy import Layout
from omnitwin.model.description import check_layout

Tensors = dict[str, Array]

KINDS = {
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
    "I64": "int64",
}  # safetensors' names to NumPy's


def read_tensors(path: Path, file: Any, wanted: Layout) -> Tensors:
    """Return the tensors of an open safetensors file (framework `numpy`), half precision widened to float32.

    Raises BadCheckpoint if a name, shape or number format is not the wanted one, or if a number is not finite.
    """
    found: Layout = {}
    for name in file.keys():  # noqa: SIM118 (not a dict)
        part = file.get_slice(name)
        kind = KINDS.get(part.get_dtype(), part.get_dtype())
        halved = kind == "float16" and wanted.get(name, ((), ""))[1] == "float32"
        found[name] = (tuple(part.get_shape()), "float32" if halved else kind)
    check_layout(path, wanted, found)
    tensors = {name: file.get_tensor(name).astype(kind, copy=False) for name, (_, kind) in wanted.items()}
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise BadCheckpoint(f"{path}: {name} holds numbers that are not finite")
    return tensors
