"""Files given to `compare`: every format that Pillow writes or reads, spoilt; bombs; what is no file; hostile names."""

import io
import os
import struct
import zlib
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
from damage import EXTREMES, HOSTILE_TEXTS, damage
from harness import Case, Outcome, lasting_folder
from PIL import Image, ImageDraw, PngImagePlugin

from omnitwin.images.intake import MOST_PIXELS, _unheard_libtiff

MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "LAB", "HSV", "I", "F")
MODES += ("I;16", "I;16B", "I;16L")
SIDES = ((60, 48), (1, 1), (1, 300), (300, 1), (3, 2), (105, 105))
LONG = (20_000, 1), (1, 20_000)
MOST = MOST_PIXELS  # what has more is refused
NAMES = (
    b"a\x1b[31mb.png",
    b"two\nlines.png",
    b"[bold]markup[bold].png",
    b"\xff\xfe\x80.png",
    b"-q.png",
    b"--json",
    b" .png",
    b"a" * 240 + b".png",
    "\u202egnp.exe".encode(),
    b"tab\there.png",
    b"%s{0}.png",
    b"~",
    b"a.png\\b.png",
    b".png",
    b".hidden.png",
)


def image_case(random: Random, folder: Path) -> Case:
    """Two files, or one with several or with a folder of them, of which some are hostile."""
    drawing = folder / "drawing.png"
    drawing.write_bytes(_drawing())
    hostile = _hostile_file(random, folder / "hostile")
    way = random.random()
    options = random.choice(((), (), ("--quiet",), ("--json",), ("--show-input",), ("--exit-zero",)))
    options += random.choice(((), (), ("--checkpoint", str(_photo_network()))))
    if way < 0.7:
        pair = [str(hostile), str(drawing)]
        random.shuffle(pair)
        return Case(words=("compare", *options, "--", *pair), codes=(0, 1, 2, 4))
    if way < 0.85:
        more = [str(drawing), str(hostile), str(_hostile_file(random, folder / "another"))]
        random.shuffle(more)
        return Case(words=("compare", *options, "--", *more), codes=(0, 2), several=True, shown="--json" in options)
    for number in range(random.randrange(4)):
        _hostile_file(random, folder / "many", of_folder=True, name=f"{number}{random.choice(_endings())}".encode())
    (folder / "many").mkdir(exist_ok=True)
    words = ("compare", *options, "--", str(drawing), str(folder / "many"))
    return Case(words=words, codes=(0, 2), several=True, shown="--json" in options)


def bomb_case(random: Random, folder: Path) -> Case:
    """A small file that says, or becomes, a huge image: read up to a number of pixels, else refused."""
    drawing, bomb = folder / "drawing.png", folder / "bomb"
    drawing.write_bytes(_drawing())
    bomb.write_bytes(random.choice(BOMBS)(random))
    pair = [str(bomb), str(drawing)]
    random.shuffle(pair)
    network = random.choice(((), (), ("--checkpoint", str(_photo_network()))))
    return Case(words=("compare", "--quiet", *network, *pair), codes=(0, 1, 2, 4))


@cache
def _photo_network() -> Path:
    """The weights of an untrained network that sees photos in colour, wider than high; not to be changed."""
    from omnitwin.model.checkpoint import save_checkpoint
    from omnitwin.model.description import Description
    from omnitwin.model.twin import build_twin
    from omnitwin.recipes import FAST

    recipe = FAST.changed(encoder="strong", image_size=24, image_width=40, channels=3, frame="photo")
    facts = {"iteration": 1, "precision": "fp32", "dataset": "things", "fingerprint": "f" * 64}
    described = Description.of_recipe(recipe, metrics={}, **facts)
    path = lasting_folder() / "photo.safetensors"
    save_checkpoint(path, build_twin(described.network).eval(), described)
    return path


def odd_place_case(random: Random, folder: Path) -> Case:
    """What is no regular file must be refused at once: a pipe that nobody writes to, a device that never ends."""
    drawing = folder / "drawing.png"
    drawing.write_bytes(_drawing())
    place = random.choice(ODD_PLACES)(folder)
    words = random.choice(
        (
            ("compare", str(place), str(drawing)),
            ("compare", str(drawing), str(place)),
            ("compare", "--quiet", str(drawing), str(place), str(drawing.parent / "missing.png")),
            ("compare", "--checkpoint", str(place), str(drawing), str(drawing)),
            ("use", str(place)),
            ("eval", "--quiet", "--data", "synthetic", "--checkpoint", str(place)),
            ("download", "--quiet", "--from", str(place)),
            ("train", "--quiet", "--dry-run", "--resume", str(place)),
            ("report", "--quiet", str(place)),
        )
    )
    return Case(words=words, codes=(2, 3), several=True, check=_refused)


def _refused(outcome: Outcome) -> str | None:
    return None if outcome.code in (2, 3) else "taken for a file"


def _hostile_file(random: Random, folder: Path, of_folder: bool = False, name: bytes | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    if name is None:
        name = random.choice(NAMES) if random.random() < 0.3 else b"image" + random.choice(_endings()).encode()
    path = Path(os.fsdecode(os.path.join(os.fsencode(folder), name)))
    path.write_bytes(_content(random))
    return path


def _content(random: Random) -> bytes:
    what = random.random()
    if what < 0.05:
        return random.choice((b"", b"words\n", random.randbytes(random.randint(1, 3000)), b"\0" * 4096, _a_zip()))
    if what < 0.2:
        return random.choice(_made_up())(random)
    if what < 0.3:
        return _decorated(random)
    content = random.choice(_sound())
    if what < 0.4:
        return content
    if content.startswith(b"\x89PNG") and what < 0.5:
        return _shuffled_chunks(content, random)
    return damage(content, random)


@cache
def _endings() -> tuple[str, ...]:
    Image.init()
    return tuple(sorted(Image.registered_extensions()))


@cache
def _drawing() -> bytes:
    image = Image.new("1", (105, 105), 1)
    ImageDraw.Draw(image).rectangle((45, 20, 60, 85), fill=0)
    return _written(image, "PNG")


def _written(image: Image.Image, format: str, **how: object) -> bytes:
    content = io.BytesIO()
    image.save(content, format=format, **how)
    return content.getvalue()


def _picture(mode: str, size: tuple[int, int]) -> Image.Image:
    grey = Image.new("L", size, 230)
    width, height = size
    ImageDraw.Draw(grey).rectangle((width // 3, height // 4, width // 2, height * 3 // 4), fill=20)
    if mode == "F":
        return grey.convert("F")
    if mode.startswith("I;16"):
        return grey.convert("I").convert("I;16") if mode == "I;16" else Image.new(mode, size, 7)
    if mode in ("La", "RGBa"):
        return grey.convert({"La": "LA", "RGBa": "RGBA"}[mode]).convert(mode)
    if mode == "LAB":
        return Image.merge("LAB", (grey, grey, grey))
    if mode == "PA":
        return grey.convert("P").convert("PA")
    return grey.convert("RGB").convert(mode) if mode in ("HSV", "YCbCr", "CMYK", "RGBX") else grey.convert(mode)


@cache
def _sound() -> tuple[bytes, ...]:
    with _unheard_libtiff():  # it tells of what it cannot write as well
        return tuple(_all_sound())


def _all_sound() -> list[bytes]:
    """Every format that this Pillow writes, in every mode in which it does, in several sizes; animations; tRNS."""
    Image.init()
    found: list[bytes] = []
    for format in sorted(Image.SAVE):
        for mode in MODES:
            for size in SIDES if mode in ("L", "RGBA") else SIDES[:1]:
                try:
                    found.append(_written(_picture(mode, size), format))
                except Exception:  # not in this mode or size, or not without a further library
                    continue
    frames = [_picture("RGB", SIDES[0]).rotate(30 * turn) for turn in range(3)]
    for format in ("GIF", "WEBP", "PNG", "TIFF", "AVIF"):
        try:
            found.append(_written(frames[0], format, save_all=True, append_images=frames[1:]))
        except Exception:
            continue
    found.append(_written(_picture("P", SIDES[0]), "PNG", transparency=bytes(range(256))))
    found.append(_written(_picture("P", SIDES[0]), "PNG", transparency=3))
    found.append(_written(_picture("L", SIDES[0]), "PNG", transparency=230))
    found.append(_written(_picture("RGB", SIDES[0]), "PNG", transparency=(230, 230, 230)))
    found.append(_written(_picture("RGB", SIDES[0]), "JPEG", progressive=True))
    for compression in (
        "raw",
        "packbits",
        "tiff_lzw",
        "tiff_deflate",
        "jpeg",
        "group3",
        "group4",
        "tiff_adobe_deflate",
    ):
        for mode in ("1", "L", "RGB", "F", "I;16"):
            try:
                found.append(_written(_picture(mode, SIDES[0]), "TIFF", compression=compression))
            except Exception:
                continue
    found += [_written(_picture("L", size), "PNG") for size in LONG]
    return found


def _decorated(random: Random) -> bytes:
    """A sound picture with hostile notes in it: EXIF, text, colour profile; or numbers that are none."""
    what = random.randrange(5)
    picture = _picture(random.choice(("L", "RGB", "RGBA")), SIDES[0])
    if what == 0:
        exif = Image.Exif()
        exif[0x0112] = random.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 65535))
        exif[0x010E] = random.choice(HOSTILE_TEXTS).replace("\ud800", "")
        return _written(picture, random.choice(("PNG", "WEBP", "TIFF")), exif=exif)
    if what == 1:
        exif = b"Exif\0\0" + damage(
            bytes(Image.Exif().tobytes()[6:] or b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6"), random
        )
        return _written(picture.convert("RGB"), "JPEG", exif=exif)
    if what == 2:
        notes = PngImagePlugin.PngInfo()
        bomb = b"\0" * random.choice((100, 1 << 20, 1 << 24))
        notes.add(b"zTXt", b"key\0\0" + zlib.compress(bomb, 9))
        notes.add(b"iTXt", b"key\0\1\0\0\0" + zlib.compress(bomb, 9))
        notes.add_text("Comment", random.choice(HOSTILE_TEXTS).encode("latin-1", "replace").decode("latin-1"))
        return _written(picture, "PNG", pnginfo=notes)
    if what == 3:
        return _written(
            picture, random.choice(("PNG", "TIFF", "WEBP")), icc_profile=random.randbytes(random.randint(0, 500))
        )
    levels = np.full((48, 60), 1.0, np.float32)
    levels[random.randrange(48), :] = random.choice((np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-45))
    levels[:, random.randrange(60)] = random.choice((np.nan, np.inf, -np.inf, 3e38, -3e38, 0.0))
    return _written(Image.fromarray(levels), "TIFF")


def _a_zip() -> bytes:
    return b"PK\x05\x06" + b"\0" * 18


def _chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    found, place = [], 8
    while place + 8 <= len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        found.append((content[place + 4 : place + 8], content[place + 8 : place + 8 + length]))
        place += 12 + length
    return found


def _png(chunks: list[tuple[bytes, bytes]]) -> bytes:
    parts = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _shuffled_chunks(content: bytes, random: Random) -> bytes:
    """Chunks of a PNG in another order, some twice or damaged, with checksums that are right again."""
    chunks = _chunks(content)
    for _ in range(random.randint(1, 3)):
        place = random.randrange(len(chunks))
        name, data = chunks[place]
        what = random.randrange(4)
        if what == 0:
            chunks.insert(random.randrange(len(chunks) + 1), chunks[place])
        elif what == 1:
            chunks[place] = (name, damage(data, random))
        elif what == 2:
            random.shuffle(chunks)
        else:
            chunks[place] = (
                random.choice((b"fdAT", b"acTL", b"fcTL", b"tRNS", b"PLTE", b"iCCP", b"eXIf", b"IEND")),
                data,
            )
    return _png(chunks)


# What Pillow opens and does not write: headers by hand, their numbers drawn.


def _number(random: Random) -> int:
    return random.choice((1, 8, 60, 200, *EXTREMES))


def _cur(random: Random) -> bytes:
    icon = _written(_picture("RGBA", (32, 32)), "ICO", sizes=[(32, 32)], bitmap_format="bmp")
    return damage(icon[:2] + b"\2\0" + icon[4:], random) if random.random() < 0.8 else icon[:2] + b"\2\0" + icon[4:]


def _dcx(random: Random) -> bytes:
    page = _written(_picture("L", SIDES[0]), "PCX")
    offsets = [random.choice((12, 12, 0, _number(random))) for _ in range(random.randrange(3))]
    return struct.pack("<I", 0x3ADE68B1) + b"".join(struct.pack("<I", one) for one in (*offsets, 0)) + page


def _fits(random: Random) -> bytes:
    axes = random.choice((1, 2, 3, 0, -1, 99))
    cards = ["SIMPLE  =                    T", f"BITPIX  = {random.choice((8, 16, 32, -32, -64, 7)):20d}"]
    cards += [f"NAXIS   = {axes:20d}", f"NAXIS1  = {_number(random):20d}", f"NAXIS2  = {_number(random):20d}", "END"]
    return "".join(card.ljust(80) for card in cards).ljust(2880).encode() + random.randbytes(60 * 48)


def _fli(random: Random) -> bytes:
    width, height = random.choice(((60, 48), (_number(random), _number(random))))
    head = struct.pack("<IHHHHHHI", 500, random.choice((0xAF11, 0xAF12)), 3, width % 65536, height % 65536, 8, 3, 10)
    chunk = struct.pack("<IHH8x", 100, 0xF1FA, 1) + struct.pack("<IH", 50, random.choice((4, 11, 12, 13, 15, 16)))
    return head.ljust(128, b"\0") + chunk + random.randbytes(400)


def _ftex(random: Random) -> bytes:
    head = struct.pack("<4si2i2i", b"FTEX", 0x10000, _number(random) % 2**31, _number(random) % 2**31, 1, 1)
    return head + struct.pack("<2ii", random.choice((0, 1, 2)), 40, _number(random) % 2**31) + random.randbytes(3000)


def _gbr(random: Random) -> bytes:
    head = struct.pack(
        ">IIIII", 28 + 10, random.choice((1, 2)), _number(random), _number(random), random.choice((1, 4, 3))
    )
    return head + b"GIMP" + struct.pack(">I", 10) + b"a brush\0\0\0" + random.randbytes(60 * 48)


def _sun(random: Random) -> bytes:
    head = struct.pack(
        ">8I",
        0x59A66A95,
        _number(random),
        _number(random),
        random.choice((1, 4, 8, 24, 32)),
        0,
        _number(random) % 7,
        random.choice((0, 1)),
        random.choice((0, 768, 4096)),
    )
    return head + random.randbytes(4000)


def _psd(random: Random) -> bytes:
    head = struct.pack(
        ">4sH6xHIIHH",
        b"8BPS",
        1,
        random.choice((1, 3, 4, 60000)),
        _number(random),
        _number(random),
        random.choice((1, 8, 16)),
        random.choice((0, 1, 2, 3, 4)),
    )
    return (
        head
        + struct.pack(">III", 0, 0, random.choice((0, 0xFFFFFFF0)))
        + struct.pack(">H", random.choice((0, 1)))
        + random.randbytes(4000)
    )


def _xpm(random: Random) -> bytes:
    sizes = f"{_number(random)} {_number(random)} {random.choice((2, 0, 999999999))} {random.choice((1, 2))}"
    head = f'/* XPM */\nstatic char * a[] = {{\n"{sizes}",\n'
    return head.encode() + b'"  c #FFFFFF",\n". c #00000",\n' + b'"' + b" ." * 30 + b'",\n' * 48 + b"};\n"


def _thumb(random: Random) -> bytes:
    return (
        b"P7 332\n#XVVERSION:1\n#END_OF_COMMENTS\n"
        + f"{_number(random)} {_number(random)} 255\n".encode()
        + random.randbytes(2000)
    )


def _pixar(random: Random) -> bytes:
    head = bytearray(b"\200\350\000\000".ljust(1024, b"\0"))
    struct.pack_into("<HH", head, 416, _number(random) % 65536, _number(random) % 65536)
    struct.pack_into("<HH", head, 424, 14, 2)
    return bytes(head) + random.randbytes(3 * 60 * 48)


def _pcd(random: Random) -> bytes:
    return b"\0" * 2048 + b"PCD_" + random.randbytes(random.choice((100, 1534, 9000)))


def _mpeg(random: Random) -> bytes:
    return b"\0\0\1\xb3" + random.randbytes(50)


def _mcidas(random: Random) -> bytes:
    words = [random.choice((0, 1, 2, 60, _number(random) % 2**31)) for _ in range(64)]
    return struct.pack(">64i", 0, 4, *words[2:]) + random.randbytes(4000)


def _imt(random: Random) -> bytes:
    return f"*\nwidth {_number(random)}\nheight {_number(random)}\nn 0\n\x0c".encode() + random.randbytes(4000)


def _iptc(random: Random) -> bytes:
    fields = [
        (3, 60, b"\1\0"),
        (3, 65, b"\0"),
        (3, 20, struct.pack(">H", 60)),
        (3, 30, struct.pack(">H", 48)),
        (3, 120, b"\1"),
        (8, 10, random.randbytes(3000)),
    ]
    parts = [struct.pack(">BBBH", 0x1C, record, tag, len(data)) + data for record, tag, data in fields]
    return damage(b"".join(parts), random)


def _dds(random: Random) -> bytes:
    content = bytearray(_written(_picture("RGBA", SIDES[0]), "DDS"))
    content[84:88] = random.choice((b"DXT1", b"DXT3", b"DXT5", b"BC4U", b"BC5S", b"DX10", b"ATI1", random.randbytes(4)))
    return damage(bytes(content), random)


def _pnm(random: Random) -> bytes:
    kind = random.choice(("P1", "P2", "P3", "P4", "P5", "P6", "Pf", "PF", "P0CMYK", "PyRGBA", "Py", "P7"))
    numbers = f"{_number(random)} {_number(random)} {random.choice((1, 255, 65535, -1, 0, 'nan', 'inf', 1e400))}"
    return f"{kind}\n# words\n{numbers}\n".encode() + random.choice(
        (random.randbytes(4000), b"1 0 " * 1000, b"9" * 4000)
    )


def _xbm(random: Random) -> bytes:
    return (
        f"#define a_width {_number(random)}\n#define a_height {_number(random)}\nstatic char a_bits[] = {{\n".encode()
        + b"0x00, " * 400
    )


def _made_up() -> tuple:
    return (
        _cur,
        _dcx,
        _fits,
        _fli,
        _ftex,
        _gbr,
        _sun,
        _psd,
        _xpm,
        _thumb,
        _pixar,
        _pcd,
        _mpeg,
        _mcidas,
        _imt,
        _iptc,
        _dds,
        _pnm,
        _xbm,
    )


# Bombs: few bytes that say, or become, very many pixels.


def _huge(random: Random) -> tuple[int, int]:
    """Width and height just within what is read, just above, or far above it."""
    side = int(MOST**0.5)
    return random.choice(
        (
            (side, side),
            (side + 1, side + 1),
            (MOST // 20, 20),
            (1, 1_000_000),
            (1_000_000, 2),
            (30_000, 30_000),
            (65_535, 65_535),
            (2**31 - 1, 2**31 - 1),
            (2**31 - 1, 1),
        )
    )


def _png_bomb(random: Random) -> bytes:
    width, height = _huge(random)
    depth, colour = random.choice(((1, 0), (8, 0), (16, 0), (8, 2), (16, 2), (8, 4), (16, 4), (8, 6), (16, 6), (8, 3)))
    row = 1 + (width * depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour] + 7) // 8
    rows = zlib.compressobj(9)
    data = b""
    if row * height < 1 << 30 and random.random() < 0.7:  # all of it is there
        piece = b"\0" * min(row * height, 1 << 20)
        data = b"".join(rows.compress(piece) for _ in range(row * height // len(piece) + 1))
    data += rows.flush()
    palette = [(b"PLTE", b"\0\0\0\xff\xff\xff")] if colour == 3 else []
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, random.choice((0, 0, 1)))
    return _png([(b"IHDR", head), *palette, (b"IDAT", data), (b"IEND", b"")])


def _gif_bomb(random: Random) -> bytes:
    content = bytearray(_written(_picture("P", SIDES[0]), "GIF"))
    width, height = (min(65_535, one) for one in _huge(random))
    struct.pack_into("<HH", content, 6, width, height)
    if random.random() < 0.5:
        place = content.find(b",", 13 + 3)
        struct.pack_into("<HH", content, place + 5, width, height)
    return bytes(content)


def _tiff_bomb(random: Random) -> bytes:
    """One strip of zeros for all of the picture, in few or many bits a pixel."""
    width, height = _huge(random)
    bits, samples, kind = random.choice(
        ((1, 1, 1), (8, 1, 1), (16, 1, 1), (32, 1, 3), (32, 1, 2), (8, 3, 1), (8, 4, 1))
    )
    size = width * height * bits * samples // 8
    data = b"\0" * 1000
    if size < 1 << 29:
        packer = zlib.compressobj(9)
        piece = b"\0" * min(size, 1 << 20)
        data = b"".join(packer.compress(piece) for _ in range(size // len(piece) + 1)) + packer.flush()
    tags = [(256, 4, width), (257, 4, height), (259, 3, random.choice((8, 8, 5, 1))), (262, 3, 2 if samples > 1 else 1)]
    tags += [(258, 3, bits), (273, 4, 1000), (277, 3, samples), (278, 4, height), (279, 4, len(data)), (339, 3, kind)]
    if samples == 4:
        tags.append((338, 3, 2))
    entries = b"".join(
        struct.pack("<HHI", tag, form, 1)
        + (struct.pack("<I", value % 2**32) if form == 4 else struct.pack("<HH", value, 0))
        for tag, form, value in sorted(tags)
    )
    head = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    return head.ljust(1000, b"\0") + data


@cache
def _few_bytes(format: str, mode: str, side: int) -> bytes:
    """Nothing at all in side x side, as that format packs it."""
    return _written(Image.new(mode, (side, side), "white"), format)


def _packed_bomb(random: Random) -> bytes:
    format, side = random.choice(
        (("JPEG2000", 5000), ("WEBP", 8192), ("JPEG", 8192), ("AVIF", 2000), ("GIF", 8192), ("BMP", 5000))
    )
    mode = "1" if format == "BMP" else "P" if format == "GIF" else "RGB"
    content = _few_bytes(format, "L" if mode == "P" else mode, side)
    return content if random.random() < 0.7 else damage(content, random)


def _j2k_bomb(random: Random) -> bytes:
    """A JPEG 2000 whose size, and maybe tile, is said to be huge."""
    content = bytearray(_written(_picture("RGB", SIDES[0]), "JPEG2000", no_jp2=True))
    place = content.find(b"\xff\x51") + 6
    width, height = _huge(random)
    struct.pack_into(">II", content, place, width, height)
    if random.random() < 0.5:
        struct.pack_into(">II", content, place + 16, width, height)
    return bytes(content)


def _header_bomb(random: Random) -> bytes:
    """Formats whose pixels are as they are in the file: a size that the file does not have."""
    format, place, form = random.choice(
        (
            ("BMP", 18, "<ii"),
            ("TGA", 12, "<HH"),
            ("PCX", 8, "<HH"),
            ("SGI", 6, ">HH"),
            ("QOI", 4, ">II"),
            ("DDS", 12, "<II"),
            ("ICO", 6, "<BB"),
            ("MSP", 4, "<HH"),
            ("WEBP", 24, "<HH"),
            ("JPEG", 163, ">HH"),
        )
    )
    content = bytearray(_written(_picture("1" if format == "MSP" else "RGB", SIDES[0]), format))
    limit = {"i": 2**31 - 1, "H": 65_535, "I": 2**32 - 1, "B": 255}[form[1]]
    struct.pack_into(form, content, place, *(min(limit, one) for one in _huge(random)))
    return bytes(content)


BOMBS = (_png_bomb, _png_bomb, _gif_bomb, _tiff_bomb, _tiff_bomb, _packed_bomb, _j2k_bomb, _header_bomb)


# What a name can stand for besides a file.


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.png")
    return folder / "pipe.png"


def _socket(folder: Path) -> Path:
    import socket

    here = os.getcwd()
    os.chdir(folder)  # a socket's name is short
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind("socket.png")
    finally:
        os.chdir(here)
    return folder / "socket.png"


def _broken_link(folder: Path) -> Path:
    (folder / "link.png").symlink_to(folder / "nowhere.png")
    return folder / "link.png"


def _link_to_itself(folder: Path) -> Path:
    (folder / "loop.png").symlink_to("loop.png")
    return folder / "loop.png"


def _link_to_a_device(folder: Path) -> Path:
    (folder / "zero.png").symlink_to("/dev/zero")
    return folder / "zero.png"


def _empty_folder(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def _folder_of_odd_places(folder: Path) -> Path:
    (folder / "odd").mkdir()
    for make in (_pipe, _broken_link, _link_to_itself, _link_to_a_device):
        make(folder / "odd")
    return folder / "odd"


def _named(text: str):
    return lambda folder: Path(text)


ODD_PLACES = (
    _pipe,
    _socket,
    _broken_link,
    _link_to_itself,
    _link_to_a_device,
    _empty_folder,
    _folder_of_odd_places,
    *map(
        _named,
        ("/dev/zero", "/dev/null", "/dev/random", "/proc/self/mem", "/proc/self/pagemap", "n" * 300, "a/" * 3000),
    ),
)
