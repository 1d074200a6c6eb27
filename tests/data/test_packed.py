import json
import struct
import subprocess
import sys
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from omnitwin.data import packed as packed_module
from omnitwin.data.imageset import check_pairable, single_classes
from omnitwin.data.packed import PackedSet, load_packed, read_record, save_packed
from omnitwin.errors import BadInput, DatasetCorrupt
from omnitwin.recipes import square
from omnitwin.system.tensorfile import checksum


def set_of(images_NHW, counts, white=1):
    """A set of classes with the given numbers of images, all in one alphabet."""
    return PackedSet(
        name="by hand",
        images_NHW=images_NHW,
        white=white,
        class_N=torch.arange(len(counts)).repeat_interleave(torch.tensor(counts)),
        source_N=torch.cat([torch.arange(1, count + 1) for count in counts]),
        group_C=torch.zeros(len(counts), dtype=torch.int64),
        class_names=tuple(f"Hand/character{index + 1:02d}" for index in range(len(counts))),
        group_names=("Hand",),
        fingerprint="none",
    )


def random_images(count, height, width):
    return torch.randint(0, 2, (count, height, width), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


@pytest.fixture
def saved(tiny_set, tmp_path):
    path = tmp_path / "set.safetensors"
    save_packed(path, tiny_set)
    return path


def place_of(path, tensor):
    """First and last byte of a tensor in a safetensors file: 8 bytes of header length, JSON header, data."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    begin, end = json.loads(content[8 : 8 + length])[tensor]["data_offsets"]
    return 8 + length + begin, 8 + length + end


def flip_byte(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 0x10
    path.write_bytes(content)


def rewrite_record(path, tensors=None, **changes):
    record = {**read_record(path), **changes}
    tensors = {"bits_NP": torch.zeros(1, 1, dtype=torch.uint8)} if tensors is None else tensors
    save_file(tensors, path, metadata={"omnitwin": json.dumps(record)})


def assert_equal(one, other):
    for field in fields(PackedSet):
        left, right = getattr(one, field.name), getattr(other, field.name)
        if isinstance(left, torch.Tensor):
            assert left.dtype == right.dtype, field.name
            assert torch.equal(left, right), field.name
        else:
            assert left == right, field.name


def test_what_is_loaded_is_what_was_saved_bit_for_bit(tiny_set, saved):
    assert_equal(load_packed(saved), tiny_set)


def test_pixels_that_fill_no_whole_byte_come_back(tmp_path):
    odd = set_of(random_images(5, 3, 7), [2, 3])  # 21 pixels: 2 bytes and 5 bits
    save_packed(tmp_path / "odd.safetensors", odd)
    assert_equal(load_packed(tmp_path / "odd.safetensors"), odd)


def test_a_pixel_takes_one_bit(tiny_set, saved):
    begin, end = place_of(saved, "bits_NP")
    assert end - begin == 48 * 28 * 28 // 8


def test_equal_sets_give_equal_files(tiny_set, saved, tmp_path):
    save_packed(tmp_path / "again.safetensors", tiny_set)
    assert (tmp_path / "again.safetensors").read_bytes() == saved.read_bytes()


def test_the_label_names_alphabet_character_and_drawing(tiny_set):
    assert tiny_set.label(0) == "Synthetic 01/character01, drawing 1"
    assert tiny_set.label(5) == "Synthetic 01/character01, drawing 6"  # 6 drawers, so 6 rows a character
    assert tiny_set.label(47) == "Synthetic 02/character04, drawing 6"


def test_count_and_first_row_of_each_class_agree_with_counting():
    mixed = set_of(random_images(12, 4, 4), [2, 3, 7])
    assert mixed.count_C.tolist() == [2, 3, 7]
    assert mixed.first_C.tolist() == [0, 2, 5]
    assert len(mixed) == 12


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_one_damaged_pixel_byte_is_noticed(saved, share):
    begin, end = place_of(saved, "bits_NP")
    flip_byte(saved, begin + int(share * (end - begin)))
    with pytest.raises(DatasetCorrupt, match="damaged"):
        load_packed(saved)


@pytest.mark.parametrize("tensor", ["class_N", "drawer_N", "alphabet_C"])
def test_one_damaged_id_byte_is_noticed(saved, tensor):
    flip_byte(saved, place_of(saved, tensor)[0])
    with pytest.raises(DatasetCorrupt):
        load_packed(saved)


@pytest.mark.parametrize("kept", [0, 4, 100, 1_000, -1])
def test_a_truncated_file_is_refused_by_name(saved, kept):
    saved.write_bytes(saved.read_bytes()[:kept])
    with pytest.raises(DatasetCorrupt, match=r"set\.safetensors"):
        load_packed(saved)


def test_a_file_that_is_no_safetensors_is_refused(tmp_path):
    (tmp_path / "text.safetensors").write_text("just words " * 100)
    with pytest.raises(DatasetCorrupt, match=r"text\.safetensors is not a packed set"):
        load_packed(tmp_path / "text.safetensors")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DatasetCorrupt, match="is not a packed set"):
        load_packed(tmp_path / "none.safetensors")


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"omnitwin": "not JSON"}, {"omnitwin": "[1]"}])
def test_a_foreign_safetensors_file_is_refused(tmp_path, metadata):
    save_file({"weight": torch.zeros(3)}, tmp_path / "foreign.safetensors", metadata=metadata)
    with pytest.raises(DatasetCorrupt, match="is not a packed set"):
        load_packed(tmp_path / "foreign.safetensors")


@pytest.mark.parametrize("change", [{"format_version": 2}, {"format": "omnitwin-checkpoint"}])
def test_another_format_or_version_is_refused(saved, change):
    rewrite_record(saved, **change)
    with pytest.raises(DatasetCorrupt, match="not omnitwin-packed-set 1"):
        load_packed(saved)


def test_a_record_without_its_tensors_is_refused(saved):
    rewrite_record(saved, tensors={"other": torch.zeros(1)})
    with pytest.raises(DatasetCorrupt, match="cannot be read"):
        load_packed(saved)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"height": 10**9, "width": 10**9}, "its record does not fit its tensors"),
        ({"height": 1, "width": 1}, "its record does not fit its tensors"),
        ({"width": True}, "a wrong type"),
        ({"height": -8}, "a wrong type"),
        ({"class_names": ["one"]}, "its record does not fit its tensors"),
        ({"class_names": "names"}, "a wrong type"),
        ({"alphabet_names": [7]}, "a wrong type"),
        ({"alphabet_names": ["a", "b", "c", "d", "e"]}, "its record does not fit|classes that it does not name"),
        ({"name": None}, "a wrong type"),
    ],
)
def test_a_record_that_claims_what_its_tensors_do_not_hold_is_refused_before_they_are_read(saved, changes, said):
    rewrite_record(saved, tensors=load_file(saved), **changes)
    with pytest.raises(DatasetCorrupt, match=said):
        load_packed(saved)


@pytest.mark.parametrize("number", [10**9, -1])
def test_an_image_of_a_class_that_cannot_be_is_refused_although_its_checksum_is_right(saved, number):
    tensors = load_file(saved)
    tensors["class_N"][-1] = number
    rewrite_record(saved, tensors=tensors, crc32=checksum(tensors[name] for name in packed_module.TENSORS))
    with pytest.raises(DatasetCorrupt, match="of classes that it does not name"):
        load_packed(saved)


@pytest.mark.parametrize("bound", ["MOST_PIXELS", "MOST_IMAGES"])
def test_a_file_that_would_unpack_to_more_than_any_set_has_is_refused(saved, monkeypatch, bound):
    monkeypatch.setattr(packed_module, bound, 5)
    with pytest.raises(DatasetCorrupt, match="does not fit"):
        load_packed(saved)


@pytest.mark.parametrize("frame", ["whole", "ink"])
def test_squares_too_large_to_keep_are_framed_when_they_are_gathered_and_are_the_same(tiny_set, monkeypatch, frame):
    rows = torch.tensor([3, 0, 7])
    kept = tiny_set.framed(square(170, frame))
    monkeypatch.setattr(packed_module, "MOST_FRAMED", 0)
    made = tiny_set.framed(square(170, frame))
    assert made.nbytes == tiny_set.nbytes < kept.nbytes
    assert made.shape == kept.shape == (1, 170, 170)
    assert torch.equal(made.gather(rows), kept.gather(rows))
    some_C = torch.arange(len(tiny_set.class_names)) % 2 == 0
    assert torch.equal(made.of_classes(some_C).gather(rows), kept.of_classes(some_C).gather(rows))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the size of a file as Linux does")
def test_a_full_disk_is_cannot_write_and_leaves_nothing(tmp_path):
    code = """
import resource, sys
from pathlib import Path
from omnitwin.data import synthetic
from omnitwin.data.packed import save_packed
from omnitwin.errors import CannotWrite
tiny = synthetic.draw_set("training", alphabets=1, characters=2, drawers=2, size=105)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    save_packed(Path(sys.argv[1]), tiny)
except CannotWrite:
    sys.exit(0)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "set.safetensors")]
    subprocess.run(command, check=True, capture_output=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("factor", [2, 4, 7])
def test_a_smaller_image_is_the_mean_of_the_areas(tiny_set, factor):
    side = 28 // factor
    blocks = tiny_set.images_NHW.numpy().reshape(48, side, factor, side, factor)
    expected = 255 * blocks.mean(axis=(2, 4))
    small = tiny_set.framed(square(side))
    assert small.images_NHW.dtype == torch.uint8
    assert np.abs(small.images_NHW.numpy() - expected).max() <= 0.5 + 1e-4  # rounded to a whole grey level


def test_a_smaller_pixel_averages_exactly_what_it_covers_where_the_size_does_not_divide():
    row = torch.tensor([[[0, 1, 1], [0, 1, 1], [0, 1, 1]]], dtype=torch.uint8)
    # a cell of 1.5 pixels covers column 0, which is ink, and half of column 1: a third of it is paper
    assert set_of(row, [1]).framed(square(2)).images_NHW.tolist() == [[[85, 255], [85, 255]]]


def test_paper_stays_paper_and_ink_stays_ink_when_resized():
    plain = set_of(torch.stack([torch.ones(105, 105), torch.zeros(105, 105)]).to(torch.uint8), [1, 1])
    small = plain.framed(square(28))
    assert small.white == 255
    assert small.images_NHW[0].unique().tolist() == [255]
    assert small.images_NHW[1].unique().tolist() == [0]


def test_the_own_size_changes_nothing(tiny_set):
    assert_equal(tiny_set.framed(square(28)), tiny_set)


def test_resizing_keeps_what_the_images_show(tiny_set):
    small = tiny_set.framed(square(14))
    assert_equal(replace(small, images_NHW=tiny_set.images_NHW, white=1), tiny_set)


def test_many_images_are_resized_as_each_alone():
    many = set_of(random_images(2_500, 8, 8), [2_500])  # more than are averaged at once
    small = many.framed(square(4))
    for row in (0, 1_023, 1_024, 2_499):
        alone = set_of(many.images_NHW[row : row + 1], [1]).framed(square(4))
        assert torch.equal(alone.images_NHW[0], small.images_NHW[row])


def test_gathered_rows_are_one_channel_floats_with_ink_0_and_paper_1(tiny_set):
    rows_B = torch.tensor([7, 0, 7])
    images_B1HW = tiny_set.gather(rows_B)
    assert images_B1HW.shape == (3, 1, 28, 28)
    assert images_B1HW.dtype == torch.float32
    for place, row in enumerate(rows_B):
        assert np.array_equal(images_B1HW[place, 0].numpy(), tiny_set.images_NHW[row].numpy().astype(np.float32))


def test_gathered_grey_levels_are_shares_of_paper(tiny_set):
    small = tiny_set.framed(square(7))
    images_B1HW = small.gather(torch.arange(48))
    assert images_B1HW.shape == (48, 1, 7, 7)
    assert 0 <= images_B1HW.min() < images_B1HW.max() == 1
    assert torch.equal(images_B1HW[:, 0], small.images_NHW / 255)


def test_moving_to_a_device_keeps_everything(tiny_set):
    assert_equal(tiny_set.to(torch.device("cpu")), tiny_set)


def test_a_set_of_two_images_in_each_of_two_classes_is_pairable():
    check_pairable(set_of(random_images(4, 2, 2), [2, 2]))


def test_one_class_gives_no_dissimilar_pair():
    with pytest.raises(BadInput, match="1 class; pairs need at least 2") as refused:
        check_pairable(set_of(random_images(4, 2, 2), [4]))
    assert refused.value.line().endswith("Add images of another class.")


def test_a_class_of_two_images_beside_classes_of_one_is_pairable():
    found = set_of(random_images(4, 2, 2), [1, 2, 1])
    check_pairable(found)
    assert single_classes(found) == 2


def test_classes_of_one_image_alone_give_no_similar_pair():
    with pytest.raises(BadInput, match="has 2 images, so no similar pair can be drawn") as refused:
        check_pairable(set_of(random_images(3, 2, 2), [1, 1, 1]))
    assert refused.value.line().endswith("Add a second image to some classes.")


def test_the_fingerprint_is_that_of_the_pixels_however_they_lie_in_memory():
    images_NHW = random_images(3, 4, 5).numpy()
    strided = np.asfortranarray(images_NHW)
    assert packed_module.fingerprint(strided) == packed_module.fingerprint(images_NHW)
