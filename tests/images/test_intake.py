"""Any image file becomes what a network was trained on: a size x size square, ink 0 on paper 255."""

import os
import sys

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, ImageDraw

from omnitwin.errors import BadImage
from omnitwin.images import costs, intake, values
from omnitwin.images.views import read_image
from omnitwin.recipes import square

SIZE = 28
PAPER, INK = 255, 0
# EXIF 2.3, tag 0x0112: where the stored image's first row and first column belong in what is seen
ORIENTATIONS = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}


def drawing():
    """A size x size two-level drawing, (28, 28) bool, True for paper; not symmetric in any way."""
    image = Image.new("1", (SIZE, SIZE), 1)
    pen = ImageDraw.Draw(image)
    pen.line((4, 5, 20, 9), fill=0, width=2)
    pen.arc((6, 8, 22, 24), 20, 200, fill=0)
    return np.asarray(image)


def levels(*, paper, ink, dtype=np.uint8):
    """The drawing with other levels."""
    return np.where(drawing(), paper, ink).astype(dtype)


def read(image, path, **options):
    image.save(path, **options)
    return read_image(path, square(SIZE))


def pixels(intake):
    return np.asarray(intake.image)


def refusal(path):
    """What is said, in one line that names the file, of a file that is no image."""
    with pytest.raises(BadImage) as refused:
        read_image(path, square(SIZE))
    line = refused.value.line()
    assert len(line.splitlines()) == 1
    assert str(path) in line
    assert refused.value.exit_code == 2
    return line


@pytest.fixture
def path(tmp_path):
    return tmp_path / "image.png"


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_a_black_and_white_image_of_the_right_size_comes_out_unchanged(path, mode):
    white = 65535 if mode == "I;16" else PAPER
    image = Image.fromarray(drawing())
    image = Image.fromarray(levels(paper=white, ink=0, dtype=np.uint16)) if mode == "I;16" else image.convert(mode)
    intake = read(image, path)
    with Image.open(path) as stored:
        assert stored.mode == mode
    assert (pixels(intake) == levels(paper=PAPER, ink=INK)).all()
    assert intake.notes == ()


def test_a_drawing_of_a_data_set_comes_out_unchanged(path, tiny_set):
    original = tiny_set.images_NHW[7].numpy()
    assert (pixels(read(Image.fromarray(original.astype(bool)), path)) == original * 255).all()


def test_result_is_grey_and_square_whatever_came_in(path):
    intake = read(Image.effect_noise((90, 50), 60).convert("RGB"), path)
    assert (intake.image.mode, intake.image.size) == ("L", (SIZE, SIZE))


@pytest.mark.parametrize(("orientation", "sides"), ORIENTATIONS.items())
def test_exif_orientation_is_honoured(path, orientation, sides):
    stored = np.full((SIZE, SIZE), PAPER, np.uint8)
    stored[:4, :14] = INK  # along the first row, from the first column
    seen = np.full((SIZE, SIZE), PAPER, np.uint8)
    rows, columns = (4, 14) if sides[0] in ("top", "bottom") else (14, 4)
    seen[slice(rows) if "top" in sides else slice(-rows, None), :] = INK
    seen[:, slice(columns, None) if "left" in sides else slice(None, -columns)] = PAPER
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert (pixels(read(Image.fromarray(stored), path, exif=exif)) == seen).all()


@pytest.mark.parametrize("hidden", [INK, 90, PAPER])
def test_what_is_transparent_shows_white_paper(path, hidden):
    opaque = np.where(drawing(), 0, 255)
    colours = levels(paper=hidden, ink=INK)
    image = Image.fromarray(np.dstack([colours, colours, colours, opaque]).astype(np.uint8))
    assert (pixels(read(image, path)) == levels(paper=PAPER, ink=INK)).all()


def test_a_transparent_colour_of_a_palette_shows_white_paper(path):
    image = Image.fromarray(np.where(drawing(), 0, 1).astype(np.uint8))
    image.putpalette([0, 0, 80, 0, 0, 0])  # what were greys are numbers of colours now
    assert (pixels(read(image, path, transparency=0)) == levels(paper=PAPER, ink=INK)).all()


def test_half_transparent_black_is_mid_grey(path):
    alpha = levels(paper=0, ink=255)
    alpha[20, 20] = 128
    black = np.zeros_like(alpha)
    assert pixels(read(Image.fromarray(np.dstack([black, black, black, alpha])), path))[20, 20] == 255 - 128


@pytest.mark.parametrize(
    ("colour", "luma"),  # ITU-R BT.601: 0.299 R + 0.587 G + 0.114 B
    [((255, 0, 0), 76), ((0, 255, 0), 150), ((0, 0, 255), 29), ((200, 100, 50), 124)],
)
def test_a_colour_becomes_the_grey_of_its_luma(path, colour, luma):
    image = Image.fromarray(drawing()).convert("RGB")
    image.putpixel((20, 20), colour)
    assert pixels(read(image, path))[20, 20] == pytest.approx(luma, abs=1)


def test_faint_ink_on_grey_paper_is_stretched_to_full_contrast(path):
    assert (pixels(read(Image.fromarray(levels(paper=180, ink=120)), path)) == levels(paper=PAPER, ink=INK)).all()


def test_light_ink_on_dark_is_turned_round_and_said(path):
    intake = read(Image.fromarray(levels(paper=0, ink=255)), path)
    assert (pixels(intake) == levels(paper=PAPER, ink=INK)).all()
    assert intake.notes == ("light ink on dark was turned round",)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
@pytest.mark.parametrize(("paper", "ink"), [(60_000, 1_000), (900, 100), (100, 900)])
def test_deep_greys_keep_their_drawing(tmp_path, dtype, paper, ink):
    intake = read(Image.fromarray(levels(paper=paper, ink=ink, dtype=dtype)), tmp_path / "deep.tiff")
    assert (pixels(intake) == levels(paper=PAPER, ink=INK)).all()


def test_a_sixteen_bit_scale_of_greys_keeps_its_order_and_is_not_cut_off(path):
    scale = np.linspace(65_535, 0, SIZE * SIZE).round().astype(np.uint16).reshape(SIZE, SIZE)
    grey = pixels(read(Image.fromarray(scale), path)).ravel().astype(int)
    assert (grey[0], grey[-1]) == (255, 0)
    assert (np.diff(grey) <= 0).all()
    assert np.diff(grey).min() == -1


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_image_of_one_level_is_blank_paper(path, level):
    intake = read(Image.new("L", (SIZE, SIZE), level), path)
    assert (pixels(intake) == PAPER).all()
    assert intake.blank


def test_a_wide_image_keeps_its_aspect_between_two_bands_of_paper(path):
    wide = Image.new("L", (2 * SIZE, SIZE), PAPER)
    ImageDraw.Draw(wide).rectangle((20, 4, 39, 23), fill=INK)  # 20 x 20
    expected = np.full((SIZE, SIZE), PAPER)
    expected[7 + 2 : 7 + 12, 10:20] = INK  # 10 x 10, below a band of 7 rows
    assert (pixels(read(wide, path)) == expected).all()


def test_a_high_image_keeps_its_aspect_between_two_bands_of_paper(path):
    high = Image.new("L", (SIZE, 4 * SIZE), PAPER)
    ImageDraw.Draw(high).rectangle((4, 40, 23, 59), fill=INK)  # 20 x 20
    expected = np.full((SIZE, SIZE), PAPER)
    expected[10:15, 10 + 1 : 10 + 6] = INK  # 5 x 5, with bands of 10 and 11 columns
    assert (pixels(read(high, path)) == expected).all()


def test_scaling_to_a_fraction_averages_what_each_pixel_covers(path):
    fine = np.full((4 * SIZE, 4 * SIZE), PAPER, np.uint8)
    fine[40:44, 40:44] = INK
    fine[80:84, 80:82] = INK
    coarse = pixels(read(Image.fromarray(fine), path))
    assert coarse[10, 10] == INK
    assert coarse[20, 20] == pytest.approx(127.5, abs=1)


def test_scaling_is_said(path):
    assert read(Image.fromarray(drawing()).resize((60, 40)), path).notes == ("60 x 40 was scaled to fit 28 x 28",)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on memory")
def test_an_image_of_one_column_is_handled_within_little_memory(path):
    import resource

    column = np.full((20_000, 1), PAPER, np.uint8)
    column[:5_000] = INK
    Image.fromarray(column).save(path)
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + 200 * 2**20, before[1]))  # its square would take 400 MB
    try:
        seen = pixels(read_image(path, square(SIZE)))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    expected = np.full((SIZE, SIZE), PAPER)
    expected[:7, 13] = INK
    assert (seen == expected).all()


def test_a_single_pixel_is_blank_paper(path):
    assert (pixels(read(Image.new("L", (1, 1), 0), path)) == PAPER).all()


def test_the_first_picture_of_an_animation_is_read(tmp_path):
    frames = [Image.fromarray(levels(paper=paper, ink=255 - paper)) for paper in (255, 0)]
    intake = read(frames[0], tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert (pixels(intake) == levels(paper=PAPER, ink=INK)).all()


def test_the_ending_of_the_name_does_not_matter(tmp_path):
    intake = read(Image.fromarray(drawing()), tmp_path / "drawing.dat", format="PNG")
    assert (pixels(intake) == levels(paper=PAPER, ink=INK)).all()


def test_a_missing_file_does_not_exist(tmp_path):
    assert "does not exist" in refusal(tmp_path / "missing.png")


def test_a_folder_is_no_image(tmp_path):
    assert "folder" in refusal(tmp_path)


def test_an_empty_file_is_called_empty(path):
    path.touch()
    assert "empty" in refusal(path)


def test_a_text_file_is_no_image(path):
    path.write_text("just words\n")
    assert "no image" in refusal(path)


@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "tiff", "webp"])
def test_a_truncated_file_is_refused(tmp_path, ending):
    path = tmp_path / f"image.{ending}"
    Image.effect_noise((100, 100), 100).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refusal(path)


def test_a_changed_byte_in_a_png_is_refused(path):
    Image.effect_noise((100, 100), 100).save(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    refusal(path)


@pytest.mark.parametrize("side", [11, 13, 17])  # Pillow warns above its own limit, and refuses above twice that limit
def test_more_pixels_than_are_read_are_refused_with_the_limit(path, monkeypatch, side):
    Image.new("1", (side, side)).save(path)
    for module in (intake, costs):
        monkeypatch.setattr(module, "MOST_PIXELS", 100)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 130)
    assert "100 pixels" in refusal(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are POSIX's")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    assert "pipe" in refusal(tmp_path / "pipe.png")


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="a device of POSIX systems")
def test_a_device_that_never_ends_is_refused_and_not_read(tmp_path):
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    assert "device" in refusal(tmp_path / "zero.png")


def test_what_libtiff_says_of_a_damaged_file_does_not_reach_the_terminal(tmp_path, capfd):
    picture = Image.effect_noise((60, 48), 100)
    picture.save(tmp_path / "a.tif", compression="tiff_lzw")
    content = bytearray((tmp_path / "a.tif").read_bytes())
    content[20:200] = b"\xff" * 180
    (tmp_path / "a.tif").write_bytes(content)
    capfd.readouterr()
    refusal(tmp_path / "a.tif")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "F", "I;16"])
def test_a_picture_comes_out_the_same_in_strips_as_in_one_piece(tmp_path, monkeypatch, mode):
    grey = Image.effect_noise((60, 48), 100)
    path = tmp_path / "picture.tif"
    (grey.convert("I").convert(mode) if mode == "I;16" else grey.convert(mode)).save(path)
    whole = read_image(path, square(60))
    monkeypatch.setattr(values, "STRIP", 7 * 60)
    assert read_image(path, square(60)).image.tobytes() == whole.image.tobytes()


@pytest.mark.parametrize("name", ["drawing.eps", "drawing.png"])
def test_postscript_is_refused_and_no_program_is_started_for_it(tmp_path, monkeypatch, name):
    Image.new("L", (SIZE, SIZE)).save(tmp_path / name, format="EPS")
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_: pytest.fail("Ghostscript was started"))
    assert "EPS" in refusal(tmp_path / name)


def test_a_line_break_in_a_name_does_not_break_the_line(tmp_path):
    with pytest.raises(BadImage) as refused:
        read_image(tmp_path / "two\nlines.png", square(SIZE))
    assert len(refused.value.line().splitlines()) == 1


def test_a_name_that_no_file_system_takes_is_refused(tmp_path):
    refusal(tmp_path / ("n" * 300))


def test_a_file_that_is_no_image_and_vanishes_while_it_is_read_is_a_bad_image(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"half")
    identify = Image.open

    def identify_late(file):
        path.unlink()
        return identify(file)

    monkeypatch.setattr(Image, "open", identify_late)
    with pytest.raises(BadImage, match="no image that Pillow can read"):
        read_image(path, square(28))
