"""What decoding a file shows: size, colour or ink, marks of the picture, or why it cannot be read."""

import io
import os

import numpy as np
import pytest
from drawn_places import photo, signature, write
from PIL import Image
from scipy.fft import dctn

from omnitwin.images.facts import HASHED, ImageFacts, examine, facts_of, perceptual_hash
from omnitwin.images.kinds import HEIF, lacks_reader


def test_size_is_of_the_upright_picture(tmp_path):
    image = photo(1, (40, 30))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    image.save(tmp_path / "a.jpg", exif=exif)
    facts = examine(str(tmp_path / "a.jpg"))
    assert (facts.width, facts.height, facts.problem) == (30, 40, None)


def test_a_large_jpeg_2000_is_known_like_any_other_picture(tmp_path):
    Image.linear_gradient("L").resize((600, 400)).convert("RGB").save(tmp_path / "large.jp2")
    facts = examine(str(tmp_path / "large.jp2"))
    assert (facts.problem, facts.width, facts.height) == (None, 600, 400)


def test_a_box_is_cut_out_and_to_the_picture(tmp_path):
    path = write(tmp_path / "a.png", photo(1, (40, 30)))
    assert examine(str(path), (10, 5, 100, 25)) == facts_of(photo(1, (40, 30)).crop((10, 5, 40, 25)))


def test_a_box_outside_is_a_problem(tmp_path):
    path = write(tmp_path / "a.png", photo(1, (40, 30)))
    assert examine(str(path), (50, 0, 60, 10)).problem == "has 40 x 30 pixels, and its box lies outside"


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK", "LA", "1", "I;16", "I", "F"])
def test_every_mode_is_read(tmp_path, mode):
    image = Image.new("I;16", (20, 20)) if mode == "I;16" else photo(1).convert(mode)
    facts = facts_of(image)
    assert facts.problem is None
    assert len(facts.thumb) == 8 * 8 * 3
    assert facts.coloured == (mode in ("RGB", "P", "RGBA", "CMYK"))


def test_digest_depends_on_pixels_alone(tmp_path):
    image = photo(1)
    same = [
        examine(str(write(tmp_path / "a.png", image))),
        examine(str(write(tmp_path / "a.bmp", image))),
        examine(str(write(tmp_path / "b.png", image.convert("RGBA")))),
    ]
    assert len({facts.digest for facts in same}) == 1
    other = image.copy()
    other.putpixel((0, 0), (1, 2, 3))
    assert facts_of(other).digest != same[0].digest
    assert facts_of(image.resize((30, 40))).digest != same[0].digest


def test_a_grey_picture_has_the_digest_of_its_copy_in_colour_mode():
    grey = photo(1).convert("L")
    assert facts_of(grey).digest == facts_of(grey.convert("RGB")).digest


def test_sizes_with_the_same_pixels_in_a_row_differ():
    assert facts_of(Image.new("L", (2, 8))).digest != facts_of(Image.new("L", (8, 2))).digest


def test_transparent_pixels_count_as_white_whatever_colour_they_hide():
    hidden = Image.new("RGBA", (9, 9), (200, 30, 30, 0))
    assert facts_of(hidden).digest == facts_of(Image.new("RGB", (9, 9), "white")).digest


def test_hash_is_the_signs_of_the_lowest_cosines_against_their_median():
    grey_HW = np.random.default_rng(0).integers(0, 256, (HASHED, HASHED), dtype=np.uint8)
    low = dctn(grey_HW.astype(float), type=2)[:8, :8] / 4
    bits = "".join("01"[int(value > np.median(low))] for value in low.reshape(-1))
    assert perceptual_hash(grey_HW) == int(bits, 2)


@pytest.mark.parametrize("quality", [60, 90])
def test_hash_hardly_changes_by_compressing_and_halving(quality):
    image = photo("scene", (160, 120))
    file = io.BytesIO()
    image.resize((80, 60)).save(file, "JPEG", quality=quality)
    apart = facts_of(image).hash ^ facts_of(Image.open(file)).hash
    assert apart.bit_count() <= 6


@pytest.mark.parametrize("seed", range(10))
def test_ink_on_paper_is_told_from_photos(seed):
    assert facts_of(signature(seed)).ink
    assert not facts_of(photo(seed)).ink
    assert not facts_of(photo(seed).convert("L")).ink
    assert facts_of(photo(seed)).coloured
    assert not facts_of(signature(seed)).coloured


def test_blue_ink_is_ink_and_coloured():
    page = Image.merge("RGB", [signature(1), signature(1), Image.new("L", (120, 60), 235)])
    assert (facts_of(page).ink, facts_of(page).coloured) == (True, True)


def test_an_empty_page_is_no_ink():
    assert not facts_of(Image.new("L", (60, 60), 230)).ink


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.png", b"", "is an empty file"),
        ("a.jpg", b"not a picture", "is no image that Pillow can read"),
        ("gone.jpg", None, "does not exist"),
    ],
)
def test_what_cannot_be_read_is_a_problem_without_its_path(tmp_path, name, content, problem):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert examine(str(tmp_path / name)) == ImageFacts(problem=problem)


def test_a_truncated_file_is_a_problem(tmp_path):
    path = write(tmp_path / "a.jpg", photo(1, (200, 200)))
    path.write_bytes(path.read_bytes()[:-2000])
    assert "truncated" in (examine(str(path)).problem or "").lower()


@pytest.mark.skipif(os.name == "nt", reason="needs pipes")
def test_a_pipe_is_a_problem_and_does_not_wait(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    assert examine(str(tmp_path / "a.jpg")).problem == "cannot be read: it is a pipe"


@pytest.mark.skipif(not lacks_reader("a.heic"), reason="pillow-heif is here")
@pytest.mark.parametrize("ending", sorted(HEIF))
def test_heic_without_its_reader_says_what_to_install(tmp_path, ending):
    (tmp_path / f"a{ending}").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    problem = examine(str(tmp_path / f"a{ending}")).problem
    assert problem == "is HEIC, which needs pillow-heif: pip install 'omnitwin[heic]'"


def test_another_kind_of_picture_that_is_called_heic_is_read(tmp_path):
    photo(1).save(tmp_path / "a.heic", "JPEG")
    assert examine(str(tmp_path / "a.heic")).problem is None


@pytest.mark.skipif(lacks_reader("a.heic"), reason="needs pillow-heif")
def test_heic_with_its_reader_is_read(tmp_path):
    photo(1, (64, 48)).save(tmp_path / "a.heic", "HEIF")
    facts = examine(str(tmp_path / "a.heic"))
    assert (facts.width, facts.height, facts.problem) == (64, 48, None)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "CMYK"])
def test_blank_is_one_colour_all_over_in_every_mode(mode):
    page = Image.new("L", (60, 40), 255)
    assert facts_of(page.convert(mode)).blank
    page.putpixel((59, 39), 0)
    assert not facts_of(page.convert(mode)).blank
