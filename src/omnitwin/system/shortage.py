"""Too little memory, or no compiler, in words that say what to do.

For memory, a smaller batch: on a CUDA device the one that fits, by what small ones take; elsewhere half.
"""

from collections.abc import Callable
from typing import TypeVar

import torch

from omnitwin.errors import CannotRun, is_shortage
from omnitwin.system.device import free_memory, peak_memory, reset_peak_memory

T = TypeVar("T")
SPARE = 0.9  # share of the memory to plan with: the allocator cannot use every byte


def attempt(work: Callable[[], T], device: torch.device, hint: Callable[[], str], compiled: bool = False) -> T:
    """What work returns; CannotRun where it lacks a compiler, or memory, with a hint that is asked for after."""
    try:
        return work()
    except RuntimeError as error:
        if not is_shortage(error):
            if compiled:
                raise CannotRun(f"--compile does not work here: {error}", "Leave --compile out.") from error
            raise
    raise CannotRun(f"{device} has too little memory{_told(device)}", hint())  # what work held is let go by now


def fitting_batch(batch: int, least: int, trial: Callable[[int], None], reserve: int, device: torch.device) -> int:
    """The largest batch that should fit, by what trial(size) of two small ones takes; half where that tells nothing.

    trial does, with so many, what a step does; its memory grows by the same with each. reserve: bytes that a step
    takes besides. No less than least.
    """
    small = max(least, batch // 16)
    while True:
        try:
            fits = _measured(small, trial, reserve, device)
            break
        except (RuntimeError, ZeroDivisionError):  # even these do not fit, or the device does not tell
            if small == least:
                fits = 0
                break
            small = max(least, small // 2)
    return min(fits, batch * 3 // 4) if fits >= least else max(least, batch // 2)


def _measured(small: int, trial: Callable[[int], None], reserve: int, device: torch.device) -> int:
    """The batch that fits, by the peaks of one of `small` and of twice as many."""
    room = SPARE * free_memory(device) - reserve
    peaks = []
    for size in (small, 2 * small):
        reset_peak_memory(device)
        trial(size)
        peaks.append(peak_memory(device) or 0)
    each = (peaks[1] - peaks[0]) / small
    return int((room - (peaks[0] - small * each)) / each)


def _told(device: torch.device) -> str:
    if device.type != "cuda":
        return ""
    free, total = torch.cuda.mem_get_info(device)
    return f" ({free / 2**30:.1f} of {total / 2**30:.1f} GiB are free)"
