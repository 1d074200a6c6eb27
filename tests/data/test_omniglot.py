import hashlib
import io
import os
import re
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch
from omniglot_like import (
    CHARACTERS,
    pixels_of,
    png,
    with_damaged_member,
    with_one_pixel_changed,
    write_folder,
    write_zip,
)
from PIL import Image

from omnitwin.data import omniglot
from omnitwin.data.omniglot import decode, set_of_zip
from omnitwin.errors import DatasetCorrupt

STEM = "images_background"
SOME = f"{STEM}/{CHARACTERS[1]}/0002_07.png"


def nothing(count):
    pass


@pytest.fixture
def training(fake_omniglot):
    return fake_omniglot.sets["training"]


@pytest.fixture
def files(fake_omniglot):
    """A copy of the training set's files, to be spoilt."""
    return dict(fake_omniglot.files["training"])


@pytest.fixture
def refuse(training, tmp_path):
    """refuse(files, culprit): both the zip and the folder of the files are refused by a message with the culprit."""

    def call(files, culprit, folder_too=True):
        with pytest.raises(DatasetCorrupt, match=re.escape(culprit)) as of_zip:
            decode(write_zip(tmp_path / "spoilt.zip", files), training, nothing)
        assert "spoilt.zip" in str(of_zip.value)
        if folder_too:
            with pytest.raises(DatasetCorrupt, match=re.escape(culprit)):
                decode(write_folder(tmp_path / "spoilt", files) / STEM, training, nothing)

    return call


@pytest.mark.parametrize("source", ["zip_of", "folder_of"])
def test_drawings_come_in_the_order_of_their_paths_with_their_ids(fake_omniglot, training, source):
    packed = decode(getattr(fake_omniglot, source)("training"), training, nothing)
    in_order = sorted(fake_omniglot.files["training"])
    expected_NHW = np.stack([pixels_of(fake_omniglot.files["training"][name]) for name in in_order])
    assert np.array_equal(packed.images_NHW.numpy(), expected_NHW)
    assert packed.images_NHW.dtype == torch.uint8
    assert packed.class_names == CHARACTERS
    assert packed.group_names == ("Alpha_(first)", "Beta")
    assert packed.class_N.tolist() == [0] * 20 + [1] * 20 + [2] * 20
    assert packed.source_N.tolist() == [*range(1, 21)] * 3
    assert packed.group_C.tolist() == [0, 0, 1]
    assert (packed.name, packed.white, packed.fingerprint) == ("omniglot/training", 1, training.fingerprint)


def test_a_label_leads_back_to_the_file(fake_omniglot, training):
    packed = decode(fake_omniglot.zip_of("training"), training, nothing)
    for row, name in enumerate(sorted(fake_omniglot.files["training"])):
        _, alphabet, character, file = name.split("/")
        assert packed.label(row) == f"{alphabet}/{character}, drawing {int(file[5:7])}"


def test_progress_counts_every_drawing_once(fake_omniglot, training):
    counts = []
    decode(fake_omniglot.zip_of("training"), training, counts.append)
    assert sum(counts) == 60


def test_a_zip_is_known_by_the_folder_inside_it(fake_omniglot, tmp_path):
    for name in ("training", "test"):
        renamed = tmp_path / f"{name}.zip"
        renamed.write_bytes(fake_omniglot.zip_of(name).read_bytes())
        assert set_of_zip(renamed) is fake_omniglot.sets[name]
    assert set_of_zip(write_zip(tmp_path / "other.zip", {"photos/a.png": png()})) is None
    assert set_of_zip(write_zip(tmp_path / "empty.zip", {})) is None


def test_two_grey_or_palette_levels_are_read_as_black_and_white(fake_omniglot, training, tmp_path, files):
    for mode, name in zip("LP", sorted(files), strict=False):
        content = io.BytesIO()
        Image.open(io.BytesIO(files[name])).convert(mode).save(content, format="PNG")
        files[name] = content.getvalue()
    assert decode(write_zip(tmp_path / "grey.zip", files), training, nothing).fingerprint == training.fingerprint


def test_files_that_are_no_png_are_passed_over(training, tmp_path, files):
    path = write_zip(tmp_path / "more.zip", {**files, "README.txt": b"words", f"{STEM}/.DS_Store": b"\0"})
    assert len(decode(path, training, nothing)) == 60


def test_a_drawing_of_another_size_is_named(refuse, files):
    refuse({**files, SOME: png(size=(104, 105))}, f"{SOME} is 104 x 105, not 105 x 105")


def test_a_drawing_in_colour_is_named(refuse, files):
    content = io.BytesIO()
    Image.new("RGB", (105, 105)).save(content, format="PNG")
    refuse({**files, SOME: content.getvalue()}, f"{SOME} has pixel format RGB")


@pytest.mark.parametrize("content", [b"", b"words", b"\x89PNG\r\n\x1a\n", png()[:60], b"GIF89a" + png()], ids=range(5))
def test_a_drawing_that_is_no_png_is_named(refuse, files, content):
    refuse({**files, SOME: content}, f"{SOME} is not a PNG image")


def test_another_image_format_under_the_name_of_png_is_refused(refuse, files):
    content = io.BytesIO()
    Image.new("L", (105, 105)).save(content, format="BMP")
    refuse({**files, SOME: content.getvalue()}, f"{SOME} is not a PNG image")


def test_a_missing_drawing_is_missed_by_its_character(refuse, files):
    del files[SOME]
    refuse(files, f"{CHARACTERS[1]} has 19 drawings")


def test_a_drawing_there_twice_is_refused(refuse, files):
    refuse({**files, f"{STEM}/{CHARACTERS[1]}/0009_07.png": files[SOME]}, f"{CHARACTERS[1]} has 21 drawings")


def test_a_missing_character_is_counted(refuse, files):
    refuse({name: files[name] for name in files if CHARACTERS[1] not in name}, "2 characters and 40 drawings")


def test_a_further_character_shows_in_the_counts(refuse, files):
    more = {name.replace("Beta", "Gamma"): content for name, content in files.items() if "Beta" in name}
    refuse({**files, **more}, "holds 3 alphabets, 4 characters and 80 drawings")


@pytest.mark.parametrize(
    "name",
    [
        f"{STEM}/Beta/character01/name.png",
        f"{STEM}/Beta/0001_01.png",
        f"{STEM}/Beta/character01/deeper/0001_01.png",
    ],
)
def test_a_name_of_another_pattern_is_named(refuse, files, name):
    del files[SOME]
    refuse({**files, name: png()}, name)


def test_the_other_set_is_refused(fake_omniglot):
    with pytest.raises(DatasetCorrupt, match="images_background/"):
        decode(fake_omniglot.zip_of("training"), fake_omniglot.sets["test"], nothing)


def test_one_changed_pixel_changes_the_fingerprint_and_is_refused(refuse, files, training):
    refuse(with_one_pixel_changed(files), f"not {training.fingerprint[:12]}")


def test_two_drawings_swapped_change_the_fingerprint(refuse, files, training):
    other = SOME.replace("_07", "_08")
    refuse({**files, SOME: files[other], other: files[SOME]}, f"not {training.fingerprint[:12]}")


@pytest.mark.parametrize(
    "name", ["../0001_01.png", f"{STEM}/../../0001_01.png", "/0001_01.png", "\\0001_01.png", "..\\0001_01.png", ".."]
)
def test_a_path_that_leads_out_of_the_zip_is_named(refuse, files, name):
    refuse({**files, name: png()}, f"unsafe path: {name!r}", folder_too=False)


def test_two_dots_within_a_name_lead_nowhere(training, tmp_path, files):
    path = write_zip(tmp_path / "dots.zip", {**files, "notes..txt": b"words"})
    assert len(decode(path, training, nothing)) == 60


def test_a_zip_of_too_many_entries_is_refused_before_any_is_read(refuse, files, monkeypatch):
    monkeypatch.setattr(omniglot, "MOST_MEMBERS", 59)
    monkeypatch.setattr(omniglot, "decode_png", lambda *arguments: pytest.fail("an entry was read"))
    refuse(files, "60 entries, more than 59", folder_too=False)


def test_an_entry_too_large_for_a_drawing_is_named_unread(refuse, files):
    refuse({**files, SOME: bytes((1 << 16) + 1)}, f"{SOME!r} has 65,537 bytes", folder_too=False)


def test_a_zip_too_large_is_refused_unopened(training, tmp_path):
    with (tmp_path / "large.zip").open("wb") as file:
        file.truncate((1 << 26) + 1)  # a hole, which takes no space
    with pytest.raises(DatasetCorrupt, match=r"large\.zip has more than 64 MiB"):
        decode(tmp_path / "large.zip", training, nothing)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.999])
def test_a_truncated_zip_is_refused_by_name(fake_omniglot, training, tmp_path, share):
    content = fake_omniglot.zip_of("training").read_bytes()
    (tmp_path / "half.zip").write_bytes(content[: int(share * len(content))])
    with pytest.raises(DatasetCorrupt, match=r"half\.zip is not a sound zip file"):
        decode(tmp_path / "half.zip", training, nothing)


def test_a_file_that_is_no_zip_is_refused_by_name(training, tmp_path):
    (tmp_path / "words.zip").write_text("just words")
    with pytest.raises(DatasetCorrupt, match=r"words\.zip is not a sound zip file"):
        decode(tmp_path / "words.zip", training, nothing)
    with pytest.raises(DatasetCorrupt, match=r"words\.zip is not a sound zip file"):
        set_of_zip(tmp_path / "words.zip")


def test_a_zip_with_a_damaged_entry_is_refused(fake_omniglot, training, tmp_path):
    (tmp_path / "damaged.zip").write_bytes(with_damaged_member(fake_omniglot.zip_of("training")))
    with pytest.raises(DatasetCorrupt, match=r"damaged\.zip"):
        decode(tmp_path / "damaged.zip", training, nothing)


def test_an_encrypted_zip_is_refused(fake_omniglot, training, tmp_path):
    content = bytearray(fake_omniglot.zip_of("training").read_bytes())
    with zipfile.ZipFile(fake_omniglot.zip_of("training")) as archive:
        first, directory = archive.infolist()[0].header_offset, archive.start_dir
    content[first + 6] |= 1  # general purpose flag, bit 0: encrypted (APPNOTE 4.4.4), in the entry's own header
    content[directory + 8] |= 1  # and in the directory
    (tmp_path / "secret.zip").write_bytes(content)
    with pytest.raises(DatasetCorrupt, match=r"secret\.zip"):
        decode(tmp_path / "secret.zip", training, nothing)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_packed_otherwise_than_the_official_ones_is_refused(training, files, tmp_path, method):
    with zipfile.ZipFile(tmp_path / "other.zip", "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    with pytest.raises(DatasetCorrupt, match=r"other\.zip.*method"):
        decode(tmp_path / "other.zip", training, nothing)


def test_a_name_in_no_encoding_is_refused(training, files, tmp_path):
    content = bytearray(write_zip(tmp_path / "names.zip", files).read_bytes())
    place = content.find(b"PK\x01\x02")  # of the first entry in the list of all (APPNOTE 4.3.12)
    content[place + 9] |= 0x08  # says that the name is UTF-8 (APPNOTE 4.4.4, bit 11)
    content[place + 46] = 0xFF
    (tmp_path / "names.zip").write_bytes(content)
    with pytest.raises(DatasetCorrupt, match=r"names\.zip"):
        decode(tmp_path / "names.zip", training, nothing)


def test_a_member_that_lies_about_its_size_is_not_unpacked_whole(training, files, tmp_path):
    files[SOME] = b"\0" * (1 << 28)
    content = bytearray(write_zip(tmp_path / "bomb.zip", files).read_bytes())
    del files[SOME]
    for header, size in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):  # APPNOTE 4.3.7, 4.3.12
        place = content.find(SOME.encode(), 0 if header == b"PK\x03\x04" else content.rfind(SOME.encode()))
        start = content.rfind(header, 0, place)
        content[start + size : start + size + 4] = (300).to_bytes(4, "little")
    (tmp_path / "bomb.zip").write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(DatasetCorrupt, match=r"bomb\.zip"):
            decode(tmp_path / "bomb.zip", training, nothing)
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()


def test_a_drawing_that_says_it_is_huge_is_refused_without_a_warning(refuse, files):
    files[SOME] = png((9500, 9500))  # above what Pillow warns of, below what it refuses
    assert len(files[SOME]) < omniglot.LARGEST_PNG
    refuse(files, "9500 x 9500")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are POSIX's")
def test_a_pipe_among_the_files_of_a_folder_is_refused_and_not_waited_for(training, files, tmp_path):
    folder = write_folder(tmp_path, files) / STEM
    (tmp_path / SOME).unlink()
    os.mkfifo(tmp_path / SOME)
    with pytest.raises(DatasetCorrupt, match="pipe"):
        decode(folder, training, nothing)


def test_an_empty_folder_is_refused(training, tmp_path):
    (tmp_path / STEM).mkdir()
    with pytest.raises(DatasetCorrupt, match="0 alphabets, 0 characters and 0 drawings"):
        decode(tmp_path / STEM, training, nothing)


def test_the_official_counts_are_those_of_the_paper():
    """Lake et al. 2015: 1,623 characters of 50 alphabets by 20 people, 30 alphabets for background."""
    training, test = omniglot.SETS["training"], omniglot.SETS["test"]
    assert (training.characters, test.characters) == (964, 659)
    assert (training.alphabets, test.alphabets) == (30, 20)
    assert (training.images, test.images) == (19_280, 13_180)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "file", "alphabets", "characters", "images", "fingerprint"),
    [
        (
            "training",
            "images_background.zip",
            30,
            964,
            19_280,
            "5136181e46a5c4481987a003a75de2f4cf3f818021561dc11172103e93786500",
        ),
        (
            "test",
            "images_evaluation.zip",
            20,
            659,
            13_180,
            "7d185baeb97389a40b707202ec2d5748c285d5bc14f99203039b1f1532988399",
        ),
    ],
)
def test_the_real_set_has_its_counts_and_fingerprint(real_data, name, file, alphabets, characters, images, fingerprint):
    packed = decode(real_data / file, omniglot.SETS[name], nothing)
    assert len(packed.group_names) == alphabets
    assert len(packed.class_names) == characters
    assert packed.images_NHW.shape == (images, 105, 105)
    assert hashlib.sha256(packed.images_NHW.numpy().tobytes()).hexdigest() == fingerprint
    assert packed.count_C.unique().tolist() == [20]


@pytest.mark.realdata
def test_no_alphabet_is_in_both_real_sets(real_data):
    alphabets = []
    for file in ("images_background.zip", "images_evaluation.zip"):
        with zipfile.ZipFile(real_data / file) as archive:
            alphabets.append({name.split("/")[1] for name in archive.namelist() if name.endswith(".png")})
    assert not alphabets[0] & alphabets[1]


@pytest.mark.realdata
def test_a_real_set_that_is_not_one_of_the_two_is_refused(real_data):
    with pytest.raises(DatasetCorrupt, match=r"'images_background_small1/.*' is not images_background/"):
        decode(real_data / "images_background_small1.zip", omniglot.SETS["training"], nothing)
