"""Image files that ask for far more work or memory than their bytes: one maker a kind, each drawn from a seed."""

import io
import struct
import zlib
from collections.abc import Callable
from functools import cache
from random import Random

from PIL import Image

ROOM = (64, 600, 1500, 4000, 8192)  # sides
MOST = 20_000_000  # bytes of a file, about


def written(image: Image.Image, format: str, **how: object) -> bytes:
    content = io.BytesIO()
    image.save(content, format=format, **how)
    return content.getvalue()


@cache
def _jpeg(side: int, mode: str = "L", progressive: bool = True) -> bytes:
    spots = Image.effect_noise((min(side, 512),) * 2, 60).resize((side, side)).convert(mode)
    return written(spots, "JPEG", progressive=progressive, quality=30)


def _segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content


def scans(random: Random, count: int | None = None, side: int | None = None) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    whole = _jpeg(side or random.choice(ROOM[1:]))
    last = whole[whole.rindex(b"\xff\xda") : -2]
    if side is None and random.random() < 0.5:  # a scan that says nothing: each block ends at once
        last = last[:10] + b"\0" * 20
    count = count or min(random.choice((20, 101, 900, 3000)), MOST // len(last))
    return whole[:-2] + last * count + whole[-2:]


def tables_between_scans(random: Random) -> bytes:
    whole = _jpeg(600)
    last = whole[whole.rindex(b"\xff\xda") : -2]
    note = _segment(0xFE, b"\xff\xda" * random.randrange(100)) * random.choice((1, 1000))
    return whole[:-2] + (note + last) * random.choice((5, 200)) + whole[-2:]


def fill(random: Random, count: int | None = None) -> bytes:
    """A JPEG with bytes of fill before a marker: in the head, before the scan, or where the image ends."""
    whole = _jpeg(64, progressive=random.random() < 0.5)
    place = random.choice((2, whole.index(b"\xff\xda"), len(whole) - 2))
    filler = b"\xff" if count else random.choice((b"\xff", b"\xff", b"\0", b"\xff\xff\xd0", b"\xff\0"))
    return whole[:place] + filler * (count or random.choice((1000, 1 << 21, MOST)) // len(filler)) + whole[place:]


def segments(random: Random) -> bytes:
    """A JPEG with very many notes: comments, EXIF that Pillow joins, colour profiles."""
    whole = _jpeg(64)
    note = random.choice(
        (
            _segment(0xFE, b""),
            _segment(0xE1, b"Exif\0\0" + b"II*\0\x08\0\0\0" + bytes(random.choice((0, 1000, 60_000)))),
            _segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(random.choice((1, 60_000)))),
            _segment(0xED, b"Photoshop 3.0\0" + b"8BIM\0\0\0\0\0\0\0\0" * 3000),
            _segment(0xDB, (b"\0" + b"\1" * 64) * 900),
        )
    )
    return whole[:2] + note * min(MOST // len(note), random.choice((100, 20_000, 5_000_000))) + whole[2:]


def rationals(random: Random) -> bytes:
    """A JPEG whose EXIF has a resolution of very many values, of which Pillow makes objects."""
    pieces = random.choice((4, 100, 250))
    values = pieces * 65_000 // 8 - 20
    head = b"II*\0\x08\0\0\0" + struct.pack("<HHHIIHHIII", 2, 0x11A, 5, values, 40, 0x128, 3, 1, 2, 0)
    exif = head.ljust(40, b"\0") + b"\1\0\0\0\1\0\0\0" * values
    parts = [b"Exif\0\0" + exif[at : at + 65_000] for at in range(0, len(exif), 65_000)]
    whole = _jpeg(64)
    return whole[:2] + b"".join(_segment(0xE1, part) for part in parts) + whole[20:]


def qoi(random: Random, width: int | None = None, height: int | None = None) -> bytes:
    """A QOI, which Pillow decodes in Python: runs, differences, colours."""
    width, height = width or random.choice(ROOM), height or random.choice(ROOM)
    piece, pixels = random.choice(
        ((b"\xfd", 62), (b"\x6a\x55", 2), (b"\xa0\x88", 1), (b"\xff\1\2\3\4", 1), (b"\xc0", 1))
    )
    head = b"qoif" + struct.pack(">II", width, height) + bytes((random.choice((3, 4)), 0))
    return head + piece * min(width * height // pixels + 1, (1 << 24) // len(piece))


def plain_text(random: Random) -> bytes:
    """PPM, XBM or XPM: numbers and comments as text."""
    side = random.choice(ROOM)
    what = random.randrange(5)
    if what == 0:
        return f"P1\n{side} {side}\n".encode() + b"1" * min(side * side, 1 << 24)
    if what == 1:
        return f"P3\n{side} {side}\n255\n".encode() + b"1 " * min(3 * side * side, 1 << 23)
    if what == 2:
        return f"P2\n{side} {side}\n255\n".encode() + random.choice((b"#\n", b"# " * 500 + b"\n1 ")) * 20_000
    if what == 3:
        body = b"0x00, " * min(side * side // 8, 1 << 21)
        notes = b"/* a */\n" * random.choice((0, 1_000_000))
        return notes + f"#define a_width {side}\n#define a_height {side}\nstatic char a_bits[] = {{\n".encode() + body
    colours = b"".join(b'"%c c #%06d",\n' % (48 + number, number) for number in range(40))
    head = f'/* XPM */\nstatic char * a[] = {{\n"{side} {side} 40 1",\n'.encode()
    line = b'"' + b"X" * random.choice((side, MOST)) + b'",\n'
    return head + colours + line * max(1, min(side, (1 << 24) // len(line)))


def odd_depth(random: Random) -> bytes:
    """PPM and PGM whose brightest value is not 255, BMP in runs, DDS in odd masks: decoded in Python."""
    side = random.choice(ROOM)
    what = random.randrange(3)
    if what == 0:
        return f"P6\n{side} {side}\n100\n".encode() + b"\x07" * min(3 * side * side, 1 << 24)
    if what == 1:
        head = struct.pack("<2sIIIIiiHHIIIIII", b"BM", 0, 0, 14 + 40 + 1024, 40, side, side, 1, 8, 1, 0, 0, 0, 256, 0)
        return head + bytes(1024) + random.choice((b"\1\7", b"\0\2\0\0", b"\xff\7")) * 4_000_000
    content = bytearray(written(Image.new("RGBA", (64, 64)), "DDS"))
    struct.pack_into("<II", content, 12, side, side)
    struct.pack_into("<IIIII", content, 88, 16, 0xF800, 0x7E0, 0x1F, 0)
    return bytes(content) + b"\7" * min(2 * side * side, 1 << 24)


def fits(random: Random) -> bytes:
    """A FITS whose pixels are packed by gzip, unpacked in Python."""
    side = random.choice(ROOM)
    cards = [f"SIMPLE  = {'T':>20}", "BITPIX  =                    8", "NAXIS   =                    0", "END"]
    table = ["XTENSION= 'BINTABLE'", "BITPIX  =                    8", "NAXIS   =                    2"]
    table += ["NAXIS1  =                    0", "NAXIS2  =                    0", f"ZIMAGE  = {'T':>20}"]
    table += ["ZCMPTYPE= 'GZIP_1  '", "ZBITPIX =                    8", "ZNAXIS  =                    2"]
    table += [f"ZNAXIS1 = {side:20d}", f"ZNAXIS2 = {side:20d}", "END"]
    heads = [("".join(card.ljust(80) for card in part)).ljust(2880).encode() for part in (cards, table)]
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(heads) + packer.compress(bytes(side * side * 4)) + packer.flush()


def chunks(random: Random) -> bytes:
    """A PNG with very many chunks, or text that grows when it is unpacked; or pixels of which nothing is drawn."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    side = random.choice(ROOM)
    depth, colour = random.choice(((1, 0), (16, 6), (8, 6), (16, 2)))
    rows = zlib.compressobj(9)
    data = b"".join(rows.compress(bytes(1 << 20)) for _ in range((side * side * 8 >> 20) + 1)) + rows.flush()
    note = random.choice(
        (
            chunk(b"tEXt", b"a\0b"),
            chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1 << 20))),
            chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(1 << 22))),
            chunk(b"IDAT", b""),
            chunk(b"eXIf", b"MM\0+\0\x08\0\0" + struct.pack(">QQ", 16, 1 << 20) + bytes(1 << 21)),
        )
    )
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, random.choice((0, 1))))
    notes = note * min(MOST // len(note), random.choice((1, 50, 2_000_000)))
    return b"\x89PNG\r\n\x1a\n" + head + notes + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def tiff(random: Random) -> bytes:
    """A TIFF of very many strips, of strips in one place, of a chain or a ring of directories, of long tags."""
    side = random.choice(ROOM)
    count = random.choice((1, side, 300_000, 3_000_000))
    form, width = random.choice(((1, 1), (3, 2), (4, 4), (5, 8), (12, 8)))
    pixels = 8192 if random.random() < 0.5 else 400_000
    rows = random.choice((1, side, 16))
    tags = [(256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, 8), (259, 3, 1, random.choice((1, 1, 8, 5, 7)))]
    tags += [(262, 3, 1, 1), (273, form, count, 512 if count > 1 else 100), (277, 3, 1, 1), (278, 4, 1, rows)]
    tags += [(279, form, count, 512), (700, 5, random.choice((1, 1, 1, 500_000)), 512)]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    following = random.choice((0, 8, 512))
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", following)
    return head.ljust(512, b"\0") + random.choice((b"\0", b"\1", b"\x64\0\0\0")) * max(count * width // 4, pixels)


def sides(random: Random) -> bytes:
    """A picture a pixel wide or high."""
    width, height = random.choice(((1, 1 << 26), (1 << 26, 1), (1, 1 << 20), (1 << 20, 64), (3, 1 << 21)))
    kind = random.choice((b"P5", b"P6", b"Pf", b"P4"))
    last = b"" if kind == b"P4" else b"-1\n" if kind == b"Pf" else b"255\n"
    return kind + f"\n{width} {height}\n".encode() + last + b"\x07" * min(width * height * 3, 1 << 24)


def extensions(random: Random) -> bytes:
    """A GIF with very many comments, or colours that begin anew with each code."""
    whole = written(Image.new("P", (64, 64)), "GIF")
    place = 13 + 3 * (2 << (whole[10] & 7)) if whole[10] & 0x80 else 13
    note = random.choice(
        (
            b"!\xfe\0",
            b"!\xfe" + b"\1a" * 100 + b"\0",
            b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0",
            b"!\xfe\xff" + b"a" * 255 + b"\0",
        )
    )
    return whole[:place] + note * min(MOST // len(note), random.choice((100, 5_000_000))) + whole[place:]


def inside(random: Random) -> bytes:
    """An image inside another: a JPEG of many scans in a BLP, a JPEG 2000 in an ICNS, anything in an IPTC."""
    what = random.randrange(3)
    if what == 0:
        content = scans(random, 900, 600)
        head = b"BLP1" + struct.pack("<iIIIii", 0, 0, 600, 600, 5, 0) + struct.pack("<16I", 28 + 128 + 4, *[0] * 15)
        return head + struct.pack("<16I", len(content), *[0] * 15) + struct.pack("<I", 0) + content
    if what == 1:
        content = _few("JPEG2000", random.choice((512, 4000)))
        icon = b"ic09" + struct.pack(">I", len(content) + 8) + content
        return b"icns" + struct.pack(">I", len(icon) + 8) + icon
    fields = [(3, 60, b"\1\0"), (3, 65, b"\1"), (3, 20, b"\x02\x58"), (3, 30, b"\x02\x58"), (3, 120, b"\5")]
    content = scans(random, 900, 600)
    parts = [struct.pack(">BBBH", 0x1C, record, tag, len(data)) + data for record, tag, data in fields]
    parts += [
        b"\x1c\x08\x0a" + struct.pack(">H", len(p)) + p
        for p in (content[i : i + 32000] for i in range(0, len(content), 32000))
    ]
    return b"".join(parts)


@cache
def _few(format: str, side: int) -> bytes:
    how: dict[str, object] = {"WEBP": {"method": 0}, "AVIF": {"speed": 10}, "TIFF": {"compression": "lzma"}}.get(
        format, {}
    )
    return written(Image.new("RGB", (side, side), "white"), format, **how)


def tiny_parts(random: Random, how: str = "") -> bytes:
    """A JPEG 2000 that says of its pixels that they come in tiny blocks or precincts, or in very many layers."""
    content = bytearray(_few("JPEG2000", 2048 if how else random.choice((2048, 8192))))
    place, how = content.index(b"\xff\x52"), how or random.choice(("blocks", "precincts", "layers"))
    if how == "blocks":
        content[place + 10 : place + 12] = b"\0\0"
    elif how == "layers":
        content[place + 6 : place + 8] = b"\xff\xff"
    else:
        length, count = int.from_bytes(content[place + 2 : place + 4], "big"), content[place + 9] + 1
        content[place + 4] |= 1
        content[place + 2 : place + 4] = (length + count).to_bytes(2, "big")
        content[place + 2 + length : place + 2 + length] = b"\0" + b"\x11" * (count - 1)
    return bytes(content)


def heads(random: Random, count: int | None = None) -> bytes:
    """A JPEG 2000 or an ICNS with very many heads, each the beginning of all segments behind it."""
    head = b"\xff\x4f\xff\x51"
    piece = random.choice(
        (head, head + b"\0\6ab", head + b"\0\2" + b"\xff\x64\0\2" * 100, head + b"\xff\xff" + bytes(65_533))
    )
    content = _few("JPEG2000", 64) + piece * (count or random.choice((8000, 15_000_000)) // len(piece))
    if random.random() < 0.7:
        return content
    icon = b"ic09" + struct.pack(">I", len(content) + 8) + content
    return b"icns" + struct.pack(">I", len(icon) + 8) + icon


def whole(random: Random) -> bytes:
    """Nothing in very many pixels, in formats that are decoded in one piece."""
    format, side = random.choice(
        (("WEBP", 8192), ("JPEG2000", 8192), ("JPEG2000", 2048), ("AVIF", 4096), ("TIFF", 8192), ("SGI", 4096))
    )
    content = _few(format, side)
    return content + bytes(random.choice((0, 1 << 25)))


COSTLY: dict[str, Callable[[Random], bytes]] = {
    make.__name__: make
    for make in (
        scans,
        tables_between_scans,
        fill,
        segments,
        rationals,
        qoi,
        plain_text,
        odd_depth,
        fits,
        chunks,
        tiff,
        sides,
        extensions,
        inside,
        tiny_parts,
        heads,
        whole,
    )
}
