"""What an image file may cost: a small file can ask for minutes of work, or for gigabytes.

Two kinds of limits. Before pixels are decoded, `limit` refuses what is known to cost much: pixels, sides, scans, tags.
While a file is read, MeteredFile counts reads, bytes and seconds, and refuses more than an honest image needs. All but
the seconds give the same answer on any machine; they are the last resort.

    with MeteredFile(open(path, "rb"), path) as file, Image.open(file) as image:
        limit(image, file)
        image.load()

Figures: Pillow 13, one core of a server. An honest image of MOST_PIXELS takes 0.5 to 3 s there.
"""

import os
import re
import struct
import time
from collections.abc import Iterator
from types import TracebackType
from typing import IO, TYPE_CHECKING, NoReturn, cast

from PIL import Image, ImageFile

from omnitwin.errors import BadImage
from omnitwin.images.codestream import asks_for_much, least_levels

if TYPE_CHECKING:
    from PIL.TiffImagePlugin import TiffImageFile

MOST_PIXELS = 1 << 26  # 8192 x 8192: decoding them takes up to 1.5 GB, in WebP; Pillow's own limit is a third higher
MOST_SIDE = 1 << 20  # pixels: 1 x 67 million take 1.2 GB, a pointer for each row
MOST_BYTES = 1 << 30  # of a file: MOST_PIXELS of RGBA in 16 bits are half of it
MOST_WHOLE = 1 << 26  # bytes that a format may read as one piece; noise in WebP takes 2.5 s
PYTHON_PIXELS = 1 << 21  # 1920 x 1080, for decoders written in Python: QOI takes 1 to 2 us a pixel, XPM up to 2
FORMAT_PIXELS = {"AVIF": 1 << 25}  # noise takes 0.16 us a pixel: 5 s
# Noise takes 90 ns a byte in AVIF, 190 in JPEG2000.
FORMAT_BYTES = {"AVIF": 1 << 25, "ICNS": 1 << 24, "ICO": 1 << 24, "JPEG2000": 1 << 25}
J2K_PIXELS = 1 << 22  # a larger JPEG 2000 is decoded at half, quarter ... its size: noise takes 0.43 us a pixel
J2K_WHOLE = 1 << 25  # pixels of a JPEG 2000 that has too few levels to be decoded at such a size
J2K_BYTES = 1 << 24  # of a JPEG 2000 that is decoded in full, or at more than J2K_PIXELS
# Ordinary progressive JPEGs have 6 to 14 scans; libtiff takes 100, libjpeg-turbo's fuzzers 500.
MOST_SCANS = 100
SCANNED_PIXELS = 1 << 30  # scans x pixels of a JPEG: 16 scans of MOST_PIXELS
ARITHMETIC_COST = 4  # an arithmetic scan of a JPEG counts as that many Huffman scans
MOST_WALKED = 1 << 28  # bytes of a JPEG in which scans are counted: noise of MOST_PIXELS takes 77 MB
MOST_SEGMENTS = 1 << 18  # of a JPEG: each takes a microsecond to find
OPENING_SEGMENTS = 1 << 14  # before the pixels of a JPEG
USUAL_HEADER_BYTES = 1 << 16
HEADER_BYTES = 1 << 25  # before the pixels of a JPEG: pictures and depth maps in XMP take some million
MOST_NOTES = 1 << 20  # bytes of EXIF: parsing it takes up to 0.5 s
TIFF_SCANS = "16"  # of each JPEG in a TIFF
TIFF_VALUES = 1 << 18  # of one tag of a TIFF: MOST_PIXELS in tiles of 16 x 16 have as many offsets
PRIVATE_TAG, PRIVATE_VALUES = 1 << 15, 1 << 22  # such tags are at most unpacked; fractions become objects
TIFF_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
TILED = {256, 257, 322, 323}  # the sizes of a TIFF and of its tiles
SPARE_TILES = 1 << 24  # pixels of a TIFF's tiles outside the image, besides some times the image: edges of large tiles
OPENING_BYTES = 1 << 27  # outside the pixels: notes, profiles, layers; Pillow copies them up to five times
PNG_PIXELS = MOST_PIXELS * 9  # bytes of a chunk of pixels
PNG_CHUNKS = 1 << 18  # finding one takes 1 to 2 us
MOST_TAGS = 1 << 16  # of a TIFF's first directory: more are not looked at
JPEG_PIECE = 1 << 14  # bytes that the JPEG decoder gets at a time, so that it is interrupted and stopped soon
FILL = b"\xff" * JPEG_PIECE  # may stand before a marker of a JPEG; the decoder looks at all of them with each piece
MOST_FILL = 64  # such pieces
TEXT_PIECE = 1 << 14  # bytes of plain-text PPM at a time: it cuts comments out of the piece, one by one
MOST_LINE = 1 << 20  # bytes of a line of text
OPENING_READS = 1 << 18  # before the pixels: 0.15 s in a JPEG's fill bytes; honest files take some dozens
OPENING_SECONDS = 3.0  # before the pixels: honest files take some thousandths
READS_PER_PIXEL = 2  # BMP in runs: two bytes for a run of at least one
MOST_REREAD = 4  # times the file's length that may be read
SECONDS = 20.0  # of this thread's CPU: slow laptops are up to five times slower than the figures here
EASE = "Save it as a PNG or JPEG of usual size."

J2K_HEAD = re.compile(rb"\xff\x4f\xff\x51.{4}(.{8})", re.DOTALL)  # SOC, SIZ, its length and profile, width and height
CHUNK = re.compile(rb"\w{4}")  # what Pillow takes for the name of a chunk of PNG
MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # a JPEG's marker that is neither fill nor restart
# Markers that Pillow takes to have nothing behind them.
NO_LENGTH = {*range(0xC0), 0xC8, 0xD8, 0xD9, *range(0xF0, 0xFE)}
START_OF_SCAN, END_OF_IMAGE, APP1 = 0xDA, 0xD9, 0xE1
FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xCA, 0xCB}
PROGRESSIVE, ARITHMETIC = {0xC2, 0xCA}, {0xC9, 0xCA}


class MeteredFile:
    """A file for Pillow to read, which refuses to be read for ever.

    It raises BadImage out of `read`. Decoders in C that call `read` themselves crash on that: `limit` gives them the
    plain file.
    """

    def __init__(self, file: IO[bytes], name: str, seconds: float = SECONDS) -> None:
        self.plain, self.name, self.seconds = file, name, seconds
        self.size = _size_of(file)
        self.whole = MOST_WHOLE
        self.piece: int | None = None  # bytes that a read returns at most
        self.fill_left = MOST_FILL
        self.reads_left = OPENING_READS
        self.bytes_left = OPENING_BYTES + 4 * MOST_LINE  # other formats look for their first line
        self._start_clock(min(seconds, OPENING_SECONDS))
        self.closed = False
        self.head_of_jpeg: tuple[int, int] | None = None  # what _limit_segments has found

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            size = self.size - self.plain.tell()
            if size > self.whole:
                self.refuse(f"has more than {self.whole:,} bytes, too many for its format")
            size = max(size, 0)
        size = min(size, self.size if self.piece is None else self.piece)
        self._count(size)
        content = self.plain.read(size)
        if content == FILL:
            self.fill_left -= 1
            if not self.fill_left:
                self.refuse("is padded without end")
        return content

    def readline(self, size: int | None = -1) -> bytes:
        size = MOST_LINE if size is None or size < 0 else min(size, MOST_LINE)
        content = self.plain.readline(size)
        self._count(len(content))
        return content

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self.plain.seek(offset, whence)

    def tell(self) -> int:
        return self.plain.tell()

    def fileno(self) -> int:
        return self.plain.fileno()

    def close(self) -> None:
        self.closed = True
        self.plain.close()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def __enter__(self) -> "MeteredFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def allow_pixels(self, pixels: int) -> None:
        """Start the counts again, for the decoding."""
        self.reads_left = OPENING_READS + READS_PER_PIXEL * pixels
        self.bytes_left = self.size * MOST_REREAD + MOST_WHOLE
        self._start_clock(self.seconds)

    def refuse(self, why: str, hint: str = EASE) -> NoReturn:
        raise BadImage(f"{self.name} {why}", hint)

    def _start_clock(self, seconds: float) -> None:
        self.started, self.limit_s = time.monotonic(), seconds
        self.end: float | None = None

    def _is_over_time(self) -> bool:
        """Return whether this thread has used its CPU time, which costs more to ask for than most files do to open.

        So the wall's clock is asked first: while it shows less than a tenth of the time, no more of the CPU is used.
        """
        if self.end is None:
            if time.monotonic() - self.started < self.limit_s / 10:
                return False
            self.end = time.thread_time() + self.limit_s * 9 / 10
        return time.thread_time() > self.end

    def _count(self, size: int) -> None:
        self.reads_left -= 1
        if size < 1024 and self.reads_left & 63 and self.reads_left > 0:
            return  # the clock costs more than such a read
        self.bytes_left -= size
        if self.reads_left <= 0 or self.bytes_left < 0 or self._is_over_time():
            self.refuse("takes too long to read: its content asks for far more work than its pixels")


def limit(image: ImageFile.ImageFile, file: MeteredFile) -> None:
    """Raise BadImage if decoding an opened image would cost too much, and prepare it so that it can be stopped.

    A large JPEG 2000 becomes smaller.
    """
    width, height = image.size
    pixels = width * height
    if max(width, height) > MOST_SIDE:
        file.refuse(f"is {width:,} x {height:,} pixels, and a side may have {MOST_SIDE:,}", "Cut it into pieces.")
    format, decoders = image.format or "", {tile[0] for tile in image.tile}
    most = min(FORMAT_PIXELS.get(format, MOST_PIXELS), PYTHON_PIXELS if decoders & set(Image.DECODERS) else MOST_PIXELS)
    if pixels > most:
        file.refuse(f"has more than {most:,} pixels, too many for {format}")
    most = FORMAT_BYTES.get(format, MOST_BYTES)
    if file.size > most:
        file.refuse(f"has more than {most:,} bytes, too many for {format}")
    if len(image.info.get("exif") or b"") > MOST_NOTES:
        file.refuse(f"has more than {MOST_NOTES:,} bytes of EXIF")
    file.allow_pixels(pixels)
    image.decodermaxblock = max(image.decodermaxblock, 8 * width)  # a row of any format: shorter pieces add up slowly
    if "jpeg" in decoders:
        image.decodermaxblock = JPEG_PIECE
        _limit_scans(image, file)
    elif format == "JPEG2000":
        _reduce(image, file)
        image.fp = file.plain
    elif format == "PNG":
        _limit_chunks(file)
    elif format == "TIFF":
        _limit_tiles(image, file)
        os.environ.setdefault("LIBTIFF_JPEG_MAX_ALLOWED_SCAN_NUMBER", TIFF_SCANS)
    elif format == "BLP" and _is_jpeg_in_blp(image):
        file.refuse("is a JPEG in a BLP, which is not read")
    elif format == "ICNS":
        _limit_icons(file)
    elif format in ("SGI", "QOI"):
        image.fp = file.plain  # SGI's decoder is C and calls read; QOI's reads byte by byte, up to its few pixels
    elif "ppm_plain" in decoders:
        file.piece = TEXT_PIECE


def limit_head(file: MeteredFile) -> None:
    """Raise BadImage if the head of a file costs much to open: Pillow makes objects of a TIFF's tags and of EXIF's."""
    head = file.plain.read(16)
    if head[:2] == b"\xff\xd8":
        file.head_of_jpeg = _limit_segments(file)
    elif len(head) == 16 and head[:2] in (b"II", b"MM"):
        _limit_tags(file, head)
    file.plain.seek(0)


def _limit_segments(file: MeteredFile) -> tuple[int, int]:
    """Return a JPEG's kind of frame and the number of components in its first scan, (0, 0) if its head is damaged."""
    for length in (USUAL_HEADER_BYTES, HEADER_BYTES):
        file.plain.seek(0)
        head = file.plain.read(length)
        frame = notes = 0
        for number, (marker, at) in enumerate(_markers(head)):
            if marker == START_OF_SCAN and at + 2 < len(head):
                return frame, head[at + 2]
            if marker in FRAMES:
                frame = marker
            if marker == APP1 and head.startswith(b"Exif", at + 2):
                notes += int.from_bytes(head[at : at + 2], "big")
            if notes > MOST_NOTES:
                file.refuse(f"has more than {MOST_NOTES:,} bytes of EXIF")
            if number > OPENING_SEGMENTS:
                file.refuse(f"has more than {OPENING_SEGMENTS:,} segments before its pixels")
    if len(head) == HEADER_BYTES:
        file.refuse(f"has more than {HEADER_BYTES:,} bytes before its pixels")
    return 0, 0


def _limit_tags(file: MeteredFile, head: bytes) -> None:
    order, big = "<" if head[:2] == b"II" else ">", head[2] == 43
    start, count, entry = ("8xQ", "Q", "HHQ8x") if big else ("4xI8x", "H", "HHI4x")
    file.plain.seek(min(struct.unpack(order + start, head)[0], file.size))
    number = file.plain.read(struct.calcsize(order + count))
    if len(number) < struct.calcsize(order + count):
        return
    width = struct.calcsize(order + entry)
    tags = file.plain.read(min(struct.unpack(order + count, number)[0], MOST_TAGS) * width)
    seen, notes = set(), 0
    for tag, kind, values in struct.iter_unpack(order + entry, tags[: len(tags) // width * width]):
        most = PRIVATE_VALUES if tag >= PRIVATE_TAG and kind not in (5, 10) else TIFF_VALUES
        if kind not in (1, 2, 7) and values > most:  # BYTE, ASCII and UNDEFINED stay bytes
            file.refuse(f"has a tag of {values:,} values")
        notes += values * TIFF_WIDTHS.get(kind, 0)
        if notes > OPENING_BYTES:  # tags that lie over each other, too: libtiff copies them all
            file.refuse(f"has more than {OPENING_BYTES:,} bytes of tags")
        if tag in TILED and tag in seen:
            file.refuse("says its size twice")
        seen.add(tag)
    file.bytes_left += notes  # Pillow opens a TIFF by reading its tags twice


def _limit_tiles(image: ImageFile.ImageFile, file: MeteredFile) -> None:
    """Raise BadImage if a TIFF's tiles are far larger than the image: each is decoded to its end, in one call."""
    tags = cast("TiffImageFile", image).tag_v2
    if 322 not in tags and 323 not in tags:
        return
    width, height = tags.get(322), tags.get(323)
    if not (isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0):
        file.refuse("has tiles of no size")
    area, number = width * height, -(-tags[256] // width) * -(-tags[257] // height)
    if area > MOST_PIXELS or area * number > min(4 * image.width * image.height, 2 * MOST_PIXELS) + SPARE_TILES:
        file.refuse(f"has tiles of {width:,} x {height:,} pixels, far more than its own")


def _limit_chunks(file: MeteredFile) -> None:
    """Raise BadImage if a PNG has much besides its pixels, before or behind them."""
    plain, before = file.plain, file.plain.tell()
    at, notes = 8, 0
    for _ in range(PNG_CHUNKS):
        plain.seek(at)
        head = plain.read(8)
        length, name = int.from_bytes(head[:4], "big"), head[4:]
        if len(head) < 8 or name == b"IEND" or not CHUNK.fullmatch(name):
            break
        if name in (b"IDAT", b"fdAT"):
            if length > PNG_PIXELS:
                file.refuse(f"has more than {PNG_PIXELS:,} bytes of pixels in a chunk")
        else:
            notes += length
        if notes > OPENING_BYTES:
            file.refuse(f"has more than {OPENING_BYTES:,} bytes besides its pixels")
        at += length + 12
    else:
        file.refuse(f"has more than {PNG_CHUNKS:,} chunks")
    plain.seek(before)


def _limit_scans(image: ImageFile.ImageFile, file: MeteredFile) -> None:
    """Raise BadImage if a JPEG has too many scans: each goes over all pixels, and may have but a few bytes."""
    plain, before = file.plain, file.plain.tell()
    frame, components = file.head_of_jpeg or _limit_segments(file)
    if frame in PROGRESSIVE or components != getattr(image, "layers", 0):  # else one scan holds all
        most = max(1, min(MOST_SCANS, SCANNED_PIXELS // (image.width * image.height)))
        if frame in ARITHMETIC:
            most = max(1, most // ARITHMETIC_COST)
        plain.seek(0)
        content = plain.read(MOST_WALKED)
        if content.count(b"\xff\xda") > most and _scans(content, most) > most:
            file.refuse(f"is a JPEG of more than {most} scans, too many for its size")
    plain.seek(before)


def _markers(content: bytes) -> Iterator[tuple[int, int]]:
    """Yield the markers of a JPEG as Pillow and libjpeg find them, with the places behind them."""
    at = 2
    while found := MARKER.search(content, at):
        marker, at = content[found.start() + 1], found.end()
        yield marker, at
        if marker not in NO_LENGTH:
            at += max(2, int.from_bytes(content[at : at + 2], "big"))


def _scans(content: bytes, most: int) -> int:
    scans = 0
    for number, (marker, _) in enumerate(_markers(content)):
        scans += marker == START_OF_SCAN
        if marker == END_OF_IMAGE:
            break
        if scans > most or number > MOST_SEGMENTS:
            return most + 1
    return scans


def _reduce(image: ImageFile.ImageFile, file: MeteredFile) -> None:
    file.plain.seek(0)
    levels = least_levels(file.plain.read(file.size))
    if levels is None:
        file.refuse("is a JPEG 2000 of tiny code blocks or precincts, or of very many layers or tiles")
    steps = 0
    pixels = image.width * image.height
    while pixels >> 2 * steps > J2K_PIXELS and steps < levels:
        steps += 1
    if pixels >> 2 * steps > J2K_WHOLE:
        file.refuse(f"is a JPEG 2000 of few resolutions, of which the least has more than {J2K_WHOLE:,} pixels")
    if file.size > J2K_BYTES and (not steps or pixels >> 2 * steps > J2K_PIXELS):
        file.refuse(f"has more than {J2K_BYTES:,} bytes, too many for its pixels")
    if steps:
        image.reduce = steps  # type: ignore[method-assign, assignment]


def _limit_icons(file: MeteredFile) -> None:
    """Raise BadImage if a JPEG 2000 among the icons of a file is larger than any icon."""
    plain, before = file.plain, file.plain.tell()
    plain.seek(0)
    content = plain.read(file.size)
    if asks_for_much(content):
        file.refuse("has a JPEG 2000 icon of tiny code blocks or precincts, or of very many layers or tiles")
    for width, height in (struct.unpack(">II", size) for size in J2K_HEAD.findall(content)):
        if width * height > J2K_PIXELS:
            file.refuse(f"has an icon of more than {J2K_PIXELS:,} pixels")
    plain.seek(before)


def _is_jpeg_in_blp(image: ImageFile.ImageFile) -> bool:
    args = image.tile[0].args
    return image.tile[0].codec_name == "BLP1" and isinstance(args, tuple) and args[0] == 0


def _size_of(file: IO[bytes]) -> int:
    before = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(before)
    return size
