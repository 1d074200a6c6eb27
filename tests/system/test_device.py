"""Choosing a device and a number format, and keyed randomness."""

import pytest
import torch

from omnitwin.errors import BadInput, DeviceMissing
from omnitwin.system.device import available_devices, multiplies_bf16, peak_memory, select_device, select_precision
from omnitwin.system.randomness import random_generator

CPU = torch.device("cpu")


def draw(*key: int) -> list[int]:
    return torch.randint(2**31, (8,), generator=random_generator(CPU, *key)).tolist()


def test_the_same_key_gives_the_same_numbers_and_any_other_key_others():
    keys = [(0,), (1,), (-1,), (0, 0), (0, 1), (1, 0), (2**40, 3)]
    assert [draw(*key) for key in keys] == [draw(*key) for key in keys]
    assert len({tuple(draw(*key)) for key in keys}) == len(keys)


def test_auto_takes_the_best_device_there_is_and_the_cpu_at_last():
    assert select_device("auto") == torch.device(available_devices()[0])
    assert available_devices()[-1] == "cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:7"])
def test_an_absent_device_is_refused_with_what_was_found(name):
    with pytest.raises(DeviceMissing, match=f"{name} is not here; found: .*cpu"):
        select_device(name)


@pytest.mark.parametrize("name", ["banana", "gpu", "cuda:x", "cpu:1", "mps:0", ""])
def test_a_name_that_no_device_has_is_bad_input(name):
    with pytest.raises(BadInput, match="no device is called"):
        select_device(name)


def test_precision_is_taken_at_its_word():
    assert select_precision("fp32", CPU) == "fp32"
    assert select_precision("bf16", CPU) == "bf16"
    with pytest.raises(BadInput):
        select_precision("fp8", CPU)


@pytest.mark.parametrize(
    ("features", "native"),
    [
        ({}, False),  # other makers' CPUs, and those of which torch tells nothing
        ({"avx2": True, "avx512_f": True, "amx_bf16": False, "avx512_bf16": False}, False),
        ({"avx512_bf16": True}, True),
        ({"avx512_bf16": False, "amx_bf16": True}, True),
    ],
    ids=["unknown", "avx512", "avx512-bf16", "amx"],
)
def test_a_cpu_multiplies_bf16_where_it_has_one_of_the_instructions_for_it(features, native):
    assert multiplies_bf16(features) is native


@pytest.mark.parametrize(
    ("allowed", "native"),
    [("", True), ("AVX2", False), ("avx512_core_vnni", False), ("AVX512_CORE_BF16", True), ("AVX512_CORE_AMX", True)],
)
def test_bf16_that_onednn_would_emulate_is_not_native(allowed, native):
    assert multiplies_bf16({"amx_bf16": True}, allowed) is native


def test_auto_precision_of_a_cpu_is_what_its_features_say():
    native = multiplies_bf16(getattr(torch.cpu, "get_capabilities", dict)())
    assert select_precision("auto", CPU) == ("bf16" if native else "fp32")


def test_peak_memory_grows_with_what_is_held():
    before = peak_memory(CPU)
    if before is None:
        pytest.skip("not told by this system")
    held = torch.ones(before + 2**26, dtype=torch.uint8)  # more than was ever held
    assert peak_memory(CPU) >= before + 2**26
    del held
