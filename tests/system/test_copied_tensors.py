"""Tensors that are copied keep every byte, in every number format, under another record."""

import hashlib
import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from omnitwin.errors import CannotWrite
from omnitwin.system.tensorfile import copy_tensors, read_record, save_tensors

KINDS = (torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8)


@pytest.fixture
def source(tmp_path):
    tensors = {f"t.{index}": torch.arange(index, index + 5).to(kind) for index, kind in enumerate(KINDS)}
    save_tensors(tmp_path / "source.safetensors", tensors, {"format": "a", "name": "ä"})
    return tmp_path / "source.safetensors"


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 1000])
def test_a_copy_has_the_same_tensors_and_the_new_record_whatever_its_length(source, tmp_path, size):
    record = {"format": "b", "text": "ü" * size}
    target = tmp_path / "target.safetensors"
    assert copy_tensors(source, target, record) == hashlib.sha256(source.read_bytes()).hexdigest()
    before, after = load_file(source), load_file(target)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) and before[name].dtype == after[name].dtype for name in before)
    with safe_open(target, framework="pt") as file:
        assert read_record(file) == record
    assert int.from_bytes(target.read_bytes()[:8], "little") % 8 == 0


def test_the_same_record_gives_the_same_tensors_as_saving_them(source, tmp_path):
    copy_tensors(source, tmp_path / "copy", {"format": "a", "name": "ä"})
    copied, saved = ((tmp_path / name).read_bytes() for name in ("copy", source.name))
    headers = [json.loads(part[8 : 8 + int.from_bytes(part[:8], "little")]) for part in (copied, saved)]
    assert headers[0] == headers[1]


@pytest.mark.parametrize("content", [b"", b"\x02\0\0\0\0\0\0\0[]", b"\xff" * 100, b"\x05\0\0\0\0\0\0\0hello"])
def test_what_is_no_such_file_is_refused_and_leaves_nothing(tmp_path, content):
    (tmp_path / "source").write_bytes(content)
    with pytest.raises((ValueError, TypeError)):
        copy_tensors(tmp_path / "source", tmp_path / "target", {})
    assert not (tmp_path / "target").exists()


def test_a_target_that_cannot_be_written_is_told(source, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CannotWrite):
        copy_tensors(source, tmp_path / "file" / "target", {})
