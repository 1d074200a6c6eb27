"""Which processor and which number format; its memory and its queue."""

import ctypes
import platform
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager

import torch

from omnitwin.errors import BadInput, DeviceMissing

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's mallopt(3)


def available_devices() -> list[str]:
    """Names that `--device` takes on this machine, the preferred one first."""
    cuda = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return [*cuda, *mps, "cpu"]


def select_device(name: str) -> torch.device:
    """`auto`, `cpu`, `cuda`, `cuda:N` or `mps` as a torch device; DeviceMissing where the machine has none such."""
    found = available_devices()
    if name == "auto":
        return torch.device(found[0])
    wanted = "cuda:0" if name == "cuda" else name
    if wanted in found:
        return torch.device(wanted)
    kind, _, index = wanted.partition(":")
    if kind not in {"cpu", "cuda", "mps"} or (index and not (kind == "cuda" and index.isdecimal())):
        raise BadInput(f"no device is called {name!r}", "Use auto, cpu, cuda, cuda:N or mps.")
    raise DeviceMissing(f"the device {name} is not here; found: {', '.join(found)}")


def describe_device(device: torch.device) -> str:
    """One line for a person: the device and the hardware behind it."""
    if device.type == "cuda":
        memory = torch.cuda.get_device_properties(device).total_memory / 2**30
        return f"{device} ({torch.cuda.get_device_name(device)}, {memory:.0f} GiB)"
    if device.type == "cpu":
        threads = torch.get_num_threads()
        return f"cpu ({threads} thread{'' if threads == 1 else 's'})"
    return str(device)


def select_precision(name: str, device: torch.device) -> str:
    """`auto` becomes bf16 where the hardware multiplies it natively, else fp32."""
    if name not in {"auto", "fp32", "bf16"}:
        raise BadInput(f"no precision is called {name!r}", "Use auto, fp32 or bf16.")
    if name != "auto":
        return name
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        native = multiplies_bf16(getattr(torch.cpu, "get_capabilities", dict)())
    else:
        native = False
    return "bf16" if native else "fp32"


def multiplies_bf16(features: Mapping[str, object]) -> bool:
    """Whether a CPU of these features, named as torch.cpu.get_capabilities names them, has products in bf16."""
    return bool(features.get("amx_bf16") or features.get("avx512_bf16"))


def autocast(device: torch.device, precision: str) -> AbstractContextManager[None]:
    """Matrix products in bf16 while weights stay fp32, or nothing for fp32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def keep_freed_memory() -> None:
    """Let glibc keep the big buffers that one training step frees and the next one asks for again.

    By default each goes back to the kernel, which hands it out zeroed page by page; RESULTS.md in
    benchmarks/ has what that costs. Nothing happens where the C library is another one.
    """
    if sys.platform.startswith("linux") and platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all it was asked to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def free_memory(device: torch.device) -> int:
    """Bytes that this process may have in all on a GPU; RuntimeError on a device that does not tell."""
    if device.type != "cuda":
        raise RuntimeError(f"{device} does not tell its free memory")
    torch.cuda.empty_cache()
    return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)


def reset_peak_memory(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: torch.device) -> int | None:
    """Bytes: the most that this process has held on a GPU, or in all on a CPU; None where the system does not tell."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    try:
        import resource  # not on Windows
    except ImportError:
        return None
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024
