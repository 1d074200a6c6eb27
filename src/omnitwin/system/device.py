"""The device that computes: its choice, number format, memory and queue."""

import ctypes
import os
import platform
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import torch

from omnitwin.errors import DeviceMissing
from omnitwin.system.words import check_device, check_precision

ISA_VARIABLES = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")  # of oneDNN, which emulates what they forbid
WITH_BF16 = ("BF16", "FP16", "AMX", "AVX10", "DEFAULT", "ALL")  # in their values, if bf16 is allowed
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's mallopt(3)


def available_devices() -> list[str]:
    """Return the names that `--device` takes on this machine, the preferred one first."""
    cuda = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return [*cuda, *mps, "cpu"]


def select_device(name: str) -> torch.device:
    """Return the torch device of `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.

    Raises BadInput for any other name, DeviceMissing if this machine has no such device.
    """
    check_device(name)
    found = available_devices()
    if name == "auto":
        return torch.device(found[0])
    wanted = "cuda:0" if name == "cuda" else name
    if wanted in found:
        return torch.device(wanted)
    raise DeviceMissing(f"the device {name} is not here; found: {', '.join(found)}")


def describe_device(device: torch.device) -> str:
    """Return a line for people: the device and its hardware."""
    if device.type == "cuda":
        memory = torch.cuda.get_device_properties(device).total_memory / 2**30
        return f"{device} ({torch.cuda.get_device_name(device)}, {memory:.0f} GiB)"
    if device.type == "cpu":
        threads = torch.get_num_threads()
        return f"cpu ({threads} thread{'' if threads == 1 else 's'})"
    return str(device)


def select_precision(name: str, device: torch.device) -> str:
    """Return `bf16` or `fp32`; `auto` is bf16 if the hardware multiplies it natively. Raises BadInput."""
    check_precision(name)
    if name != "auto":
        return name
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        allowed = next((os.environ[name] for name in ISA_VARIABLES if name in os.environ), "")
        native = multiplies_bf16(getattr(torch.cpu, "get_capabilities", dict)(), allowed)
    else:
        native = False
    return "bf16" if native else "fp32"


def multiplies_bf16(features: Mapping[str, object], allowed: str = "") -> bool:
    """Return whether a CPU with these features (named as by torch.cpu.get_capabilities) multiplies bf16.

    allowed: the newest instructions that oneDNN may use, as ISA_VARIABLES name them; empty: any
    """
    known = allowed.upper()
    if known and not any(word in known for word in WITH_BF16):
        return False
    return bool(features.get("amx_bf16") or features.get("avx512_bf16"))


def autocast(device: torch.device, precision: str) -> AbstractContextManager[None]:
    """Return a context in which matrix products are bf16 and weights stay fp32; for fp32 it changes nothing."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def keep_freed_memory() -> None:
    """Let glibc keep the big buffers that a training step frees, for the next step.

    By default they go back to the kernel, which zeroes each page before it returns it; benchmarks/RESULTS.md measures
    the cost. With another C library this does nothing.
    """
    if sys.platform.startswith("linux") and platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished its queue."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def free_memory(device: torch.device) -> int:
    """Return the bytes that this process can have on a GPU in all. Raises RuntimeError on any other device."""
    if device.type != "cuda":
        raise RuntimeError(f"the free memory of {device} is unknown")
    torch.cuda.empty_cache()
    return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)


def free_main_memory() -> int | None:
    """Return the bytes of main memory that this process can have before the machine swaps; None if unknown.

    On Linux they are what the kernel calls available, and no more than the limit of the control group (a container's).
    """
    found = []
    with suppress(OSError, ValueError):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
        found.append(int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))  # ValueError: `max`, no limit
    return min(found, default=None)


def reset_peak_memory(device: torch.device) -> None:
    """Begin to measure peak_memory again, on a GPU. A CPU cannot."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: torch.device) -> int | None:
    """Return the most bytes that this process has held, on a GPU or (for a CPU) in all; None if unknown."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    try:
        import resource  # not on Windows
    except ImportError:
        return None
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024
