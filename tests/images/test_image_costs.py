"""A small file must not ask for much: what costs far more than its pixels is refused, in one line and soon."""

import gc
import os
import signal
import struct
import subprocess
import sys
import time
import warnings
import zlib
from contextlib import suppress
from random import Random

import costly
import numpy as np
import pytest
from PIL import Image

from omnitwin.errors import BadImage
from omnitwin.images import costs
from omnitwin.images.codestream import asks_for_much
from omnitwin.images.costs import MeteredFile
from omnitwin.images.views import read_any, read_image
from omnitwin.recipes import square

SECONDS = 2.0  # of CPU, at most, for what takes a fraction of one on a server


def refused(path, content, **how):
    """The line with which a file is refused, within SECONDS of CPU."""
    path.write_bytes(content)
    start = time.thread_time()
    with pytest.raises(BadImage) as error:
        read_image(path, square(105, "ink"), **how)
    assert time.thread_time() - start < SECONDS
    line = error.value.line()
    assert len(line.splitlines()) == 1
    assert str(path) in line
    assert error.value.exit_code == 2
    return line


@pytest.fixture
def path(tmp_path):
    return tmp_path / "image"


def test_a_progressive_jpeg_of_900_scans_is_refused(path):
    assert "more than 100 scans" in refused(path, costly.scans(Random(0), 900, 200))


def test_a_jpeg_of_some_scans_is_read_and_a_large_one_may_have_fewer(path):
    path.write_bytes(costly.scans(Random(0), 80, 200))
    read_image(path, square(105, "ink"))
    most = costs.SCANNED_PIXELS // 4000**2
    assert 14 < most < 90
    assert f"more than {most} scans" in refused(path, costly.scans(Random(0), 90, 4000))


@pytest.mark.parametrize("seed", range(3))
def test_a_jpeg_of_twenty_million_bytes_of_fill_is_refused(path, seed):
    refused(path, costly.fill(Random(seed), 20_000_000))


def test_a_jpeg_with_some_fill_is_read(path):
    path.write_bytes(costly.fill(Random(0), 3000))
    read_image(path, square(105, "ink"))


def test_a_qoi_of_sixteen_megabytes_is_refused_and_one_of_a_screen_is_read(path):
    assert "too many for QOI" in refused(path, costly.qoi(Random(0), 4096, 4096))
    path.write_bytes(costly.qoi(Random(0), 300, 200))
    read_image(path, square(105, "ink"))


def test_an_xpm_of_a_thousand_lines_is_read(path):
    colours = b'"X c #000000",\n". c #FFFFFF",\n'
    rows = b'"' + b"." * 400 + b"X" * 200 + b"." * 400 + b'",\n'
    path.write_bytes(b'/* XPM */\nstatic char * a[] = {\n"1000 1000 2 1",\n' + colours + rows * 1000 + b"};\n")
    seen = np.asarray(read_image(path, square(105)).image)
    assert (seen[:, 45:60] == 0).all()
    assert (seen[:, :40] == 255).all()


def test_a_file_that_is_too_long_is_refused_and_closed(path):
    Image.new("L", (40, 40), 255).save(path, format="PNG")
    os.truncate(path, costs.MOST_BYTES + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(BadImage, match="1,073,741,824 bytes"):
            read_image(path, square(105, "ink"))
        gc.collect()


def test_words_like_a_scan_within_a_note_or_behind_the_end_are_no_scans(path):
    picture = costly.written(Image.effect_noise((200, 200), 60), "JPEG", progressive=True)
    note = b"\xff\xfe\xff\x00" + (b"\xff\xda" * 40_000)[: 0xFF00 - 2]
    path.write_bytes(picture[:2] + note + picture[2:] + b"\xff\xda" * 1000)
    read_image(path, square(105, "ink"))


def test_reading_ends_when_the_seconds_are_spent(path):
    assert "takes too long" in refused(path, costly.written(Image.effect_noise((900, 900), 60), "JPEG"), seconds=0.0)


def test_a_ranking_leaves_a_costly_image_out_and_goes_on(tmp_path, capsys):
    from omnitwin.cli import main

    drawing = Image.new("L", (60, 60), 255)
    drawing.paste(0, (20, 10, 30, 50))
    for name in ("a.png", "b.png"):
        drawing.save(tmp_path / name)
    (tmp_path / "c.jpg").write_bytes(costly.scans(Random(0), 900, 200))
    words = ["omnitwin", "compare", str(tmp_path / "a.png"), str(tmp_path / "b.png"), str(tmp_path / "c.jpg")]
    before, sys.argv = sys.argv, words
    try:
        with pytest.raises(SystemExit) as ended:
            main()
    finally:
        sys.argv = before
    out, err = capsys.readouterr()
    assert ended.value.code in (0, None)
    assert "b.png" in out
    assert "more than 100 scans" in err


@pytest.mark.parametrize("kind", sorted(set(costly.COSTLY) - {"whole", "scans", "tiny_parts"}))
def test_costly_images_of_every_kind_end_soon(path, kind):
    for seed in range(3):
        path.write_bytes(costly.COSTLY[kind](Random(f"{kind} {seed}")))
        start = time.thread_time()
        with suppress(BadImage):
            read_image(path, square(105, "ink"))
        assert time.thread_time() - start < 5


def test_a_lazy_image_of_the_user_has_the_same_limits(path):
    path.write_bytes(costly.scans(Random(0), 900, 200))
    with Image.open(path) as image, pytest.raises(BadImage, match="more than 100 scans"):
        read_any(image, square(105, "ink"))


def test_a_refused_lazy_image_keeps_its_file(path):
    path.write_bytes(costly.scans(Random(0), 900, 200))
    with Image.open(path) as image:
        before = image.fp
        with pytest.raises(BadImage):
            read_any(image, square(105, "ink"))
        assert image.fp is before


def test_a_large_lazy_jpeg_2000_of_the_user_keeps_its_size_and_is_read_once_loaded(path):
    grey = Image.new("L", (3000, 2000), 255)
    grey.paste(0, (800, 400, 2000, 1000))
    grey.save(path, format="JPEG2000")
    with Image.open(path) as image:
        with pytest.raises(BadImage, match="not yet loaded") as refused:
            read_any(image, square(105, "ink"))
        assert "load()" in refused.value.hint
        image.load()
        assert image.size == grey.size
        read_any(image, square(105, "ink"))


@pytest.mark.parametrize(
    "format", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "PPM", "JPEG2000", "SGI", "TGA", "ICO"]
)
def test_the_meter_changes_no_pixel(path, format):
    noise = Image.effect_noise((250, 250), 60).convert("RGB")
    noise.save(path, format=format)
    with Image.open(path) as plain:
        plain.load()
    with MeteredFile(path.open("rb"), str(path)) as file, Image.open(file) as metered:
        costs.limit(metered, file)
        metered.load()
    assert np.array_equal(np.asarray(plain), np.asarray(metered))


def test_a_large_jpeg_2000_is_read_at_a_part_of_its_size(path):
    grey = Image.new("L", (4000, 2000), 255)
    grey.paste(0, (800, 400, 2400, 1000))
    grey.save(path, format="PNG")
    as_png = read_image(path, square(105, "ink"))
    grey.save(path, format="JPEG2000")
    assert grey.width * grey.height > costs.J2K_PIXELS
    assert np.abs(np.asarray(as_png.image, int) - np.asarray(read_image(path, square(105, "ink")).image)).mean() < 1


@pytest.mark.parametrize("how", ["blocks", "precincts", "layers"])
def test_a_jpeg_2000_of_tiny_parts_is_refused_before_openjpeg_makes_objects_of_them(path, how):
    refused(path, costly.tiny_parts(Random(0), how))


@pytest.mark.parametrize("piece", [b"\0\6ab", b"", b"\xff\xff" + bytes(65_533)])
def test_heads_of_a_jpeg_2000_are_counted_together_and_not_walked_again_and_again(piece):
    head = b"\xff\x4f\xff\x51"
    start = time.thread_time()
    asks_for_much((head + piece) * (20_000_000 // len(head + piece)))
    assert time.thread_time() - start < SECONDS


@pytest.mark.parametrize(
    "options", [{"codeblock_size": (32, 32)}, {"tile_size": (64, 64)}, {"precinct_size": (128, 128)}]
)
def test_a_jpeg_2000_of_usual_parts_is_read(path, options):
    Image.effect_noise((300, 300), 60).save(path, format="JPEG2000", **options)
    read_image(path, square(105, "ink"))


def test_postscript_within_an_iptc_file_starts_no_program(path):
    fields = [(3, 60, b"\1\0"), (3, 65, b"\1"), (3, 20, b"\0\x20"), (3, 30, b"\0\x20"), (3, 120, b"\5")]
    fields.append((8, 10, b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n"))
    parts = [struct.pack(">BBBH", 0x1C, record, tag, len(data)) + data for record, tag, data in fields]
    assert "is IPTC, which is not read" in refused(path, b"".join(parts))


def tiff_of(tags, size=(16, 16), behind=b""):
    """A raw grey TIFF of a few tags: (number, kind, count, value)."""
    usual = {256: (4, 1, size[0]), 257: (4, 1, size[1]), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1), 277: (3, 1, 1)}
    usual |= {tag: rest for tag, *rest in tags}
    entries = b"".join(struct.pack("<HHII", tag, *usual[tag]) for tag in sorted(usual))
    return (b"II*\0" + struct.pack("<IH", 8, len(usual)) + entries + bytes(4)).ljust(512, b"\0") + behind


STRIP = [(273, 4, 1, 512), (278, 4, 1, 16), (279, 4, 1, 256)]


@pytest.mark.parametrize(
    ("size", "tile"), [((64, 65_536), (1 << 20, 16)), ((16, 16), (1 << 20, 2032)), ((3000, 3000), (16, 1 << 22))]
)
def test_a_tiff_of_tiles_far_larger_than_itself_is_refused(path, size, tile):
    number = -(-size[0] // tile[0]) * -(-size[1] // tile[1])
    tags = [(259, 3, 1, 8), (322, 4, 1, tile[0]), (323, 4, 1, tile[1]), (324, 4, number, 512), (325, 4, number, 512)]
    assert "has tiles of" in refused(path, tiff_of(tags, size, struct.pack("<I", 512) * number))


@pytest.mark.parametrize("size", [(20, 30), (700, 900), (20, 3000)])
@pytest.mark.parametrize("tile", [16, 256, 1024])
def test_a_tiff_of_usual_tiles_is_read(path, size, tile):
    number = -(-size[0] // tile) * -(-size[1] // tile)
    pixels = zlib.compress(bytes(tile * tile // 2) + b"\xff" * (tile * tile // 2))
    offsets, lengths = struct.pack("<I", 512) * number, struct.pack("<I", len(pixels)) * number
    at = 512 + len(pixels) if number > 1 else 512
    after = at + len(offsets) if number > 1 else len(pixels)
    tags = [(259, 3, 1, 8), (322, 4, 1, tile), (323, 4, 1, tile), (324, 4, number, at), (325, 4, number, after)]
    path.write_bytes(tiff_of(tags, size, pixels + offsets + lengths))
    with Image.open(path) as image:
        assert image.getpixel((0, 0)) == 0
        assert image.getpixel((0, min(tile, size[1]) - 1)) == (255 if size[1] > tile // 2 else 0)
    read_image(path, square(105, "ink"))


def with_chunk(name, length, behind):
    """A PNG, and the place within it at which a chunk's content of that length is left out."""
    png = costly.written(Image.effect_noise((50, 50), 60), "PNG")
    at = png.index(b"IEND") - 4 if behind else 33
    return png[:at] + struct.pack(">I", length) + name, png[at:]


@pytest.mark.parametrize("name", b"iTXt zTXt iCCP tEXt eXIf tRNS PLTE acTL prVt a_1b".split())
@pytest.mark.parametrize("behind", [False, True])
def test_a_sparse_png_of_a_long_chunk_is_refused_before_it_is_copied(path, name, behind):
    head, rest = with_chunk(name, 900_000_000, behind)
    path.write_bytes(head)
    os.truncate(path, len(head) + 900_000_004)
    with path.open("ab") as file:
        file.write(rest)
    start = time.thread_time()
    with pytest.raises(BadImage, match=r"asks for far more|besides its pixels"):
        read_image(path, square(105, "ink"))
    assert time.thread_time() - start < SECONDS


def test_a_png_with_a_private_chunk_of_some_megabytes_is_read(path):
    for behind in (False, True):
        head, rest = with_chunk(b"prVt", 20_000_000, behind)
        content = head + bytes(20_000_000)
        path.write_bytes(content + struct.pack(">I", zlib.crc32(content[len(head) - 4 :])) + rest)
        read_image(path, square(105, "ink"))


@pytest.mark.parametrize("kind", [1, 2, 7])
def test_a_sparse_tiff_of_long_tags_is_refused_before_they_are_copied(path, kind):
    for tags in ([(65_000, kind, 900_000_000, 512)], [(65_000 + i, kind, 90_000_000, 512) for i in range(3)]):
        path.write_bytes(tiff_of([*STRIP, *tags]))
        os.truncate(path, 900_001_000)
        with pytest.raises(BadImage, match="bytes of tags"):
            read_image(path, square(105, "ink"))


def test_a_tiff_with_a_hundred_megabytes_of_layers_in_a_tag_is_read(path):
    path.write_bytes(tiff_of([*STRIP, (37_724, 7, 100_000_000, 1024)]))
    os.truncate(path, 100_001_024)
    read_image(path, square(105, "ink"))


def test_a_tiff_of_many_private_numbers_is_read(path):
    path.write_bytes(tiff_of([*STRIP, (65_000, 12, 300_000, 512)], behind=bytes(2_400_000)))
    read_image(path, square(105, "ink"))
    assert "a tag of" in refused(path, tiff_of([*STRIP, (65_000, 12, 5_000_000, 512)], behind=bytes(40_000_000)))
    assert "a tag of" in refused(path, tiff_of([*STRIP, (65_000, 5, 300_000, 512)], behind=bytes(2_400_000)))


def test_a_jpeg_with_ten_megabytes_of_extended_xmp_is_read(path):
    picture = costly.written(Image.effect_noise((200, 200), 60), "JPEG")
    piece = b"http://ns.adobe.com/xmp/extension/\0" + bytes(65_000)
    notes = (b"\xff\xe1" + struct.pack(">H", len(piece) + 2) + piece) * 160
    path.write_bytes(picture[:2] + notes + picture[2:])
    start = time.thread_time()
    read_image(path, square(105, "ink"))
    assert time.thread_time() - start < SECONDS
    assert "before its pixels" in refused(path, picture[:2] + notes * 4 + picture[2:])


@pytest.mark.parametrize("resolutions", [1, 2])
def test_a_large_jpeg_2000_of_few_resolutions_is_read_whole_or_as_small_as_it_goes(path, resolutions):
    grey = Image.new("L", (6000, 4000), 255)
    grey.paste(0, (1200, 800, 3600, 2000))
    grey.save(path, format="PNG")
    as_png = read_image(path, square(105, "ink"))
    grey.save(path, format="JPEG2000", num_resolutions=resolutions)
    assert np.abs(np.asarray(as_png.image, int) - np.asarray(read_image(path, square(105, "ink")).image)).mean() < 2


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_ends_the_decoding_of_a_jpeg_within_a_second(path):
    path.write_bytes(costly.scans(Random(0), 90, 1500))
    program = f"""
import time
from contextlib import suppress
from pathlib import Path
from omnitwin.images.views import read_image
from omnitwin.recipes import square
print(flush=True)
while True:
    try:
        read_image(Path({str(path)!r}), square(105, "ink"))
    except KeyboardInterrupt:
        print(time.monotonic())
        break
"""
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=dict(os.environ))
    assert child.stdout
    child.stdout.readline()
    time.sleep(0.3)
    sent = time.monotonic()
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=30)
    assert float(out) - sent < 1
