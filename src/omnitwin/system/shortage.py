"""Turn too little memory, or a missing compiler, into an error that says what to do.

If memory is short, the advice is a smaller batch: on a CUDA device the largest that fits, estimated from two small
batches; elsewhere half.
"""

from collections.abc import Callable
from typing import TypeVar

import torch

from omnitwin.errors import CannotRun, is_shortage
from omnitwin.system.device import free_memory, peak_memory, reset_peak_memory

T = TypeVar("T")
SPARE = 0.9  # share of the memory to plan with: the allocator cannot use every byte


class Memory:
    """The memory of a device, in bytes."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def free(self) -> int:
        """Return what this process can have in all. Raises RuntimeError if the device does not tell."""
        return free_memory(self.device)

    def peak(self) -> int | None:
        """Return the most that this process has held since reset_peak; None if unknown."""
        return peak_memory(self.device)

    def reset_peak(self) -> None:
        reset_peak_memory(self.device)


def attempt(work: Callable[[], T], device: torch.device, hint: Callable[[], str], compiled: bool = False) -> T:
    """Return what work returns. Raises CannotRun if it lacks memory or, when compiled, fails otherwise.

    hint: called for the advice after the memory of work has been freed
    compiled: whether work needs --compile to work
    """
    try:
        return work()
    except RuntimeError as error:
        if not is_shortage(error):
            if compiled:
                raise CannotRun(f"--compile does not work here: {error}", "Leave --compile out.") from error
            raise
    raise CannotRun(f"{device} has too little memory{_told(device)}", hint())  # the memory of work is free by now


def fitting_batch(batch: int, least: int, trial: Callable[[int], None], reserve: int, memory: Memory) -> int:
    """Return the largest batch that should fit, or half of batch if that cannot be measured; least or more.

    batch: the size that did not fit
    trial: computes a training step's gradients for a batch of the given size; its memory grows linearly
    reserve: bytes that a training step takes besides
    """
    small = max(least, batch // 16)
    while True:
        try:
            fits = _measured(small, trial, reserve, memory)
            break
        except (RuntimeError, ZeroDivisionError):  # too large as well, or memory cannot be measured
            if small == least:
                fits = 0
                break
            small = max(least, small // 2)
    return min(fits, batch * 3 // 4) if fits >= least else max(least, batch // 2)


def _measured(small: int, trial: Callable[[int], None], reserve: int, memory: Memory) -> int:
    """Return the batch that fits, from the peak memory of batches of `small` and of twice that."""
    room = SPARE * memory.free() - reserve
    peaks = []
    for size in (small, 2 * small):
        memory.reset_peak()
        trial(size)
        peaks.append(memory.peak() or 0)
    each = (peaks[1] - peaks[0]) / small
    return int((room - (peaks[0] - small * each)) / each)


def _told(device: torch.device) -> str:
    if device.type != "cuda":
        return ""
    free, total = torch.cuda.mem_get_info(device)
    return f" ({free / 2**30:.1f} of {total / 2**30:.1f} GiB are free)"
