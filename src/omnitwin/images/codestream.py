"""What the heads of a JPEG 2000 ask of its decoder: OpenJPEG makes objects of all code blocks and precincts at once.

Pillow's picture of 8192 x 8192 pixels with code blocks of 4 x 4 pixels, a file of some hundred bytes, takes 5 GB.
Markers and fields: ISO/IEC 15444-1, annex A.
"""

from collections.abc import Iterator

HEAD = b"\xff\x4f\xff\x51"  # SOC, SIZ
COD, COC, SOT, SOD = 0x52, 0x53, 0x90, 0x93
LEAST_BLOCK = 8  # log2 of a code block's pixels: 16 x 16; usual ones are 64 x 64 or 32 x 32
LEAST_PRECINCT = 5  # log2 of a precinct's side in pixels of the full size: 32; usual ones are 128, 256 or everything
MOST_LAYERS = 256  # usual files have 1 to 20
MOST_SEGMENTS = 1 << 17  # of all codestreams of a file: the heads of as many tiles
MOST_FIELDS = 512  # bytes of a segment that are looked at; a COD has up to 265


def asks_for_much(content: bytes) -> bool:
    """Return whether any codestream in a file has tiny code blocks or precincts, or very many layers or tile parts.

    The segments of all codestreams are counted together: each head may begin a walk over all segments behind it.
    """
    left, at = MOST_SEGMENTS, content.find(HEAD)
    while at >= 0:
        for marker, fields in _segments(content, at + 2):
            left -= 1
            if not left or (marker in (COD, COC) and _is_costly(marker, fields)):
                return True
        at = content.find(HEAD, at + 1)
    return False


def _segments(content: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Yield marker and content of all segments: those of the main head, then those of each tile part's."""
    part, length = at, 0
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == SOD:
            if not length:  # the last part, to the end
                return
            at, length = part + length, 0
            continue
        size = int.from_bytes(content[at + 2 : at + 4], "big")
        fields = content[at + 4 : at + 2 + min(size, MOST_FIELDS)]
        yield marker, fields
        if marker == SOT:
            part, length = at, int.from_bytes(fields[2:6], "big")
        at += 2 + max(2, size)


def _is_costly(marker: int, fields: bytes) -> bool:
    if marker == COD:
        style, layers, rest = fields[:1], int.from_bytes(fields[2:4], "big"), fields[5:]
    else:  # of one component, whose number has a byte: up to 256 components
        style, layers, rest = fields[1:2], 0, fields[2:]
    if len(rest) < 5 or layers > MOST_LAYERS:
        return True
    block = (rest[1] & 15) + 2 + (rest[2] & 15) + 2
    precincts = reversed(rest[5 : 6 + rest[0]]) if style[0] & 1 else ()  # of the full size, half of it, a quarter ...
    tiny = any(min(side & 15, side >> 4) + halved < LEAST_PRECINCT for halved, side in enumerate(precincts))
    return tiny or block < LEAST_BLOCK
