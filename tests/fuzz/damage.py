"""What can be done to any bytes, and to any JSON, that were sound before."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
HOSTILE_TEXTS = (
    "",
    " ",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "line\nbreak\r\n",
    "[bold red]markup[/]",
    "[/nothing]",
    "{0.__class__} %s %n",
    "\u202egnp.a",
    "\u2028\u2029\x85",
    "\ud800",
    "\x00",
    "../../etc/passwd",
    "a" * 5000,
    "ünïcödé 🂡 字",
    "-rf",
    "~nobody-at-all/x",
    "newest",
)
HOSTILE_NUMBERS = (0, -1, 1, 2, 10**9, -(10**9), 2**31, 2**63, 2**64, 10**400, -(10**400), 0.5, -0.5, 1e308, 1e-320)


def flip_bits(content: bytes, random: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 8, 64))):
        if changed:
            changed[_place(changed, random)] ^= 1 << random.randrange(8)
    return bytes(changed)


def overwrite(content: bytes, random: Random) -> bytes:
    """A few numbers of 1, 2 or 4 bytes, in either order, become extreme ones."""
    changed = bytearray(content)
    for _ in range(random.randint(1, 4)):
        width, order = random.choice((1, 2, 4)), random.choice(("little", "big"))
        place = _place(changed, random)
        number = random.choice(EXTREMES) % 256**width
        changed[place : place + width] = number.to_bytes(width, order)
    return bytes(changed)


def splice(content: bytes, random: Random) -> bytes:
    """A piece of it comes a second time, somewhere."""
    start, end = sorted(random.randint(0, len(content)) for _ in range(2))
    piece, place = content[start : min(end, start + 4096)], random.randint(0, len(content))
    return content[:place] + piece + content[place + random.choice((0, len(piece))) :]


def truncate(content: bytes, random: Random) -> bytes:
    return content[: random.randint(0, max(0, len(content) - 1))]


def append(content: bytes, random: Random) -> bytes:
    return content + random.choice((random.randbytes(random.randint(1, 2000)), content, b"\0" * 1000, b"\n"))


def cut_out(content: bytes, random: Random) -> bytes:
    start = _place(content, random)
    return content[:start] + content[start + random.randint(1, 64) :]


def blank_out(content: bytes, random: Random) -> bytes:
    start, length = _place(content, random), random.randint(1, 300)
    piece = bytes([random.choice((0, 0xFF))]) * min(length, max(0, len(content) - start))
    return content[:start] + piece + content[start + length :]


DAMAGES: tuple[Callable[[bytes, Random], bytes], ...] = (
    flip_bits,
    overwrite,
    splice,
    truncate,
    append,
    cut_out,
    blank_out,
)


def damage(content: bytes, random: Random) -> bytes:
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        content = random.choice(DAMAGES)(content, random)
    return content


def _place(content: bytes | bytearray, random: Random) -> int:
    """Half of the time among the first bytes, where formats say what they are."""
    return random.randrange(min(64, len(content)) if random.random() < 0.5 else len(content)) if content else 0


def any_text(random: Random) -> str:
    if random.random() < 0.6:
        return random.choice(HOSTILE_TEXTS)
    return "".join(
        chr(random.choice((random.randrange(32), random.randrange(32, 127), random.randrange(0x3000))))
        for _ in range(random.randint(1, 20))
    )


def any_value(random: Random, depth: int = 0) -> Any:
    """Any JSON value, and NaN and the infinities, which Python's reader takes for one."""
    kind = random.randrange(10 if depth < 3 else 7)
    if kind < 2:
        return random.choice(HOSTILE_NUMBERS)
    if kind == 2:
        return random.choice((float("nan"), float("inf"), float("-inf")))
    if kind == 3:
        return random.choice((None, True, False))
    if kind < 7:
        return any_text(random)
    if kind == 7:
        return [any_value(random, depth + 1) for _ in range(random.randrange(4))]
    if kind == 8:
        return {any_text(random): any_value(random, depth + 1) for _ in range(random.randrange(4))}
    return random.choice(([], {}, [[]], [0] * 1000))


def changed_record(record: dict[str, Any], random: Random) -> dict[str, Any]:
    """A record with some of its fields, or of those inside them, replaced, taken away or added."""
    record = json.loads(json.dumps(record))
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        inside = record
        while (
            parts := [part for part in inside.values() if isinstance(part, dict) and part]
        ) and random.random() < 0.5:
            inside = random.choice(parts)
        name = random.choice(sorted(inside)) if inside else "name"
        what = random.random()
        if what < 0.75:
            inside[name] = any_value(random)
        elif what < 0.9:
            inside.pop(name, None)
        else:
            inside[any_text(random)] = any_value(random)
    return record


def json_of(record: Any, random: Random) -> str:
    """A record as text; now and then as one that no reader likes."""
    text = json.dumps(record)
    what = random.randrange(30)
    if what == 0:
        return "[" * random.choice((900, 5000, 200_000))
    if what == 1:
        deep = random.choice((900, 5000, 100_000))
        return '{"a":' * deep + "1" + "}" * deep
    if what == 2:
        return text.replace(":", ": " + "9" * 5000 + ', "a":', 1) if ":" in text else "9" * 5000
    if what == 3:
        return text[:-1] + ", " + text[1:]  # every key twice
    if what == 4:
        return random.choice(("", "null", "[]", "0", '"word"', "{", "NaN", "\ufeff{}", "\x00"))
    if what == 5:
        return text[: random.randint(0, len(text))]
    return text
