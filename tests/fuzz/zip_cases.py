"""Zips given to `download --from`: tricks with paths, links, sizes, methods and entries, and any damage.

Whatever is refused must leave nothing below the folder that omnitwin keeps its data in.
"""

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from random import Random

from damage import HOSTILE_TEXTS, damage
from harness import Case, Outcome, lasting_folder
from omniglot_like import FakeOmniglot, write_fake_omniglot
from PIL import Image

Files = dict[str, bytes]
NAMES = ("training", "test", "official runs")
TRICKS = (
    "../{}",
    "/{}",
    "\\{}",
    "C:\\{}",
    "..\\..\\{}",
    "a/../../{}",
    "./{}",
    "{}\0.png",
    "{}/",
    "//server/share/{}",
    "con/{}",
    "{}\n.png",
    "\x1b[31m{}",
    "[bold]{}",
    "{}" + "n" * 3000 + ".png",
    "\u202e{}",
)


def zip_case(random: Random, folder: Path) -> Case:
    """One zip, spoilt; or a folder of all three, of which one is."""
    fake = fake_omniglot()
    name = random.choice(NAMES)
    whole = random.random() < 0.2 or name == "official runs"
    stem = fake.stem_of(name)
    zips = folder / "zips"
    zips.mkdir()
    if whole:
        for other in NAMES:
            os.link(fake.zip_of(other), zips / f"{fake.stem_of(other)}.zip")
    path = zips / f"{stem}.zip"
    path.unlink(missing_ok=True)
    path.write_bytes(random.choice(WAYS)(random, fake.zip_of(name).read_bytes(), dict(fake.files[name])))
    source = zips if whole else path
    quiet = random.choice(((), ("--quiet",), ("--json",)))
    home = Path(os.environ["OMNITWIN_HOME"])
    words = ("download", "--from", str(source), *quiet, *random.choice(((), ("--force",))))
    others = {fake.stem_of(other) for other in NAMES if whole and other != name}
    return Case(words=words, check=lambda outcome: _left(outcome, home, others))


def folder_case(random: Random, folder: Path) -> Case:
    """An unpacked set with a few of its files spoilt, gone, or links to elsewhere."""
    fake = fake_omniglot()
    name = random.choice(NAMES[:2])
    root = folder / fake.stem_of(name)
    for number, (path, content) in enumerate(fake.files[name].items()):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        if number != 7:
            os.link(fake.folders / path, folder / path)
            continue
        what = random.randrange(6)
        if what == 0:
            (folder / path).symlink_to(random.choice(("/dev/zero", "nowhere", os.path.basename(path), "/etc/passwd")))
        elif what == 1:
            os.mkfifo(folder / path)
        elif what == 2:
            (folder / path).mkdir()
        elif what == 3:
            (folder / path).write_bytes(_png_of(random))
        else:
            (folder / path).write_bytes(damage(content, random))
    if random.random() < 0.3:
        (root / "Loop").symlink_to(root)
    home = Path(os.environ["OMNITWIN_HOME"])
    return Case(words=("download", "--quiet", "--from", str(root)), check=lambda outcome: _left(outcome, home, set()))


@cache
def fake_omniglot() -> FakeOmniglot:
    """Written once a process; kinds.do_little_work has the program take it for the real one."""
    return write_fake_omniglot(lasting_folder())


def _left(outcome: Outcome, home: Path, others: set[str]) -> str | None:
    """What is below the folder after a refusal, but for the sets that are sound."""
    there = [path for path in home.rglob("*") if path.is_file() or path.is_symlink()]
    if outcome.code == 0:
        return None if any(path.suffix == ".safetensors" for path in there) else "nothing was packed"
    left = [path.name for path in there if path.name.split(".")[0] not in others]
    return f"left behind: {left}" if left else None


def _zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED, **how: object) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method, **how) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo("x")
            info.filename, info.compress_type = name, method  # as it is: ZipInfo itself would cut a name at a NUL
            archive.writestr(info, data)
    return content.getvalue()


def _sound(random: Random, content: bytes, files: Files) -> bytes:
    return content


def _damaged(random: Random, content: bytes, files: Files) -> bytes:
    return damage(content, random)


def _damaged_at_the_end(random: Random, content: bytes, files: Files) -> bytes:
    """In the list of what is in it, where sizes, methods, flags and places are."""
    place = content.rfind(b"PK\5\6")
    start = random.choice((place, struct.unpack_from("<I", content, place + 16)[0]))
    return content[:start] + damage(content[start:], random)


def _tricky_name(random: Random, content: bytes, files: Files) -> bytes:
    name = random.choice(sorted(files))
    data = files.pop(name) if random.random() < 0.5 else files[name]
    return _zipped({**files, random.choice(TRICKS).replace("{}", name): data})


def _hostile_name(random: Random, content: bytes, files: Files) -> bytes:
    text = random.choice(HOSTILE_TEXTS).replace("\ud800", "?") or "x"
    folder = next(iter(files)).split("/")[0]
    return _zipped({**files, random.choice((f"{folder}/{text}/character01/0001_01.png", f"{text}.png", text)): b"data"})


def _name_of_no_encoding(random: Random, content: bytes, files: Files) -> bytes:
    """The flag says UTF-8 and the bytes are none."""
    changed = bytearray(content)
    place = changed.find(b"PK\1\2")
    for _ in range(random.randint(1, 3)):
        changed[place + 9] |= 0x08
        changed[place + 46 + random.randrange(5)] = 0xFF
        place = changed.find(b"PK\1\2", place + 1)
    return bytes(changed)


def _changed_entries(random: Random, content: bytes, change: Callable[[bytearray, int, int], None]) -> bytes:
    """change(content, local header, central header) is asked of an entry or of all."""
    changed = bytearray(content)
    places, place = [], changed.find(b"PK\1\2")
    while place >= 0:
        places.append(place)
        place = changed.find(b"PK\1\2", place + 1)
    for one in places if random.random() < 0.3 else [random.choice(places)]:
        change(changed, struct.unpack_from("<I", changed, one + 42)[0], one)
    return bytes(changed)


def _encrypted(random: Random, content: bytes, files: Files) -> bytes:
    def change(changed: bytearray, local: int, central: int) -> None:
        changed[local + 6] |= 1
        changed[central + 8] |= 1

    return _changed_entries(random, content, change)


def _unknown_method(random: Random, content: bytes, files: Files) -> bytes:
    method = random.choice((1, 6, 9, 12, 14, 93, 95, 97, 99, 65535))

    def change(changed: bytearray, local: int, central: int) -> None:
        struct.pack_into("<H", changed, local + 8, method)
        struct.pack_into("<H", changed, central + 10, method)

    return _changed_entries(random, content, change)


def _other_method(random: Random, content: bytes, files: Files) -> bytes:
    other = _zipped(files, random.choice((zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)))
    return other if random.random() < 0.5 else damage(other, random)


def _greedy_dictionary(random: Random, content: bytes, files: Files) -> bytes:
    """LZMA that asks for 4 GiB to unpack a drawing."""
    changed = bytearray(_zipped(files, zipfile.ZIP_LZMA))
    place = changed.find(b"\x09\x04\x05\x00\x5d")
    struct.pack_into("<I", changed, place + 5, 0xFFFFFFFF)
    return bytes(changed)


def _lying_sizes(random: Random, content: bytes, files: Files) -> bytes:
    size = random.choice((0, 1, 100, 65_536, 65_537, 2**31, 2**32 - 1))

    def change(changed: bytearray, local: int, central: int) -> None:
        for place in random.choice(
            ((local + 22, central + 24), (central + 24,), (local + 18, central + 20), (central + 20,))
        ):
            struct.pack_into("<I", changed, place, size)

    return _changed_entries(random, content, change)


def _deep_bomb(random: Random, content: bytes, files: Files) -> bytes:
    """A member said to have few bytes that unpacks to a hundred million, or to three times a thousand million."""
    name = random.choice(sorted(files))
    big = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = big.compress(b"\0" * (1 << 20)) + big.flush(
        zlib.Z_FULL_FLUSH
    )  # which stands for itself, any number of times
    packed = piece * random.choice((100, 3000)) + big.flush()
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for other, data in {**files, name: packed}.items():
            archive.writestr(zipfile.ZipInfo(other), data)
    changed = bytearray(made.getvalue())
    central = changed.rfind(name.encode()) - 46
    local = struct.unpack_from("<I", changed, central + 42)[0]
    for method, size in ((local + 8, local + 22), (central + 10, central + 24)):
        struct.pack_into("<H", changed, method, zipfile.ZIP_DEFLATED)
        struct.pack_into("<I", changed, size, 300)
    return bytes(changed)


def _overlapping(random: Random, content: bytes, files: Files) -> bytes:
    """All entries point at one and the same data."""
    first = struct.unpack_from("<I", content, content.find(b"PK\1\2") + 42)[0]

    def change(changed: bytearray, local: int, central: int) -> None:
        struct.pack_into("<I", changed, central + 42, random.choice((first, first + 1, len(content), 2**32 - 1)))

    return _changed_entries(random, content, change)


def _linked(random: Random, content: bytes, files: Files) -> bytes:
    """Members that would be links or devices, were they unpacked."""
    mode = random.choice((0o120777, 0o010666, 0o020666, 0o040755))

    def change(changed: bytearray, local: int, central: int) -> None:
        changed[central + 5] = 3  # made on Unix
        struct.pack_into("<I", changed, central + 38, mode << 16)

    return _changed_entries(random, content, change)


def _many(random: Random, content: bytes, files: Files) -> bytes:
    folder = next(iter(files)).split("/")[0]
    count = random.choice((3000, 3000, 3000, 100_001))
    ending = random.choice((".png", ".txt", "/"))
    return _zipped(
        {**files, **{f"{folder}/A/c/{number:06d}_01{ending}": b"" for number in range(count)}}, zipfile.ZIP_STORED
    )


def _twice(random: Random, content: bytes, files: Files) -> bytes:
    import warnings

    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(random.choice((2, 3))):
            for name, data in files.items():
                archive.writestr(zipfile.ZipInfo(name), data)
    return made.getvalue()


def _nested(random: Random, content: bytes, files: Files) -> bytes:
    folder = next(iter(files)).split("/")[0]
    return _zipped({random.choice((f"{folder}.zip", f"{folder}/inner.png", f"{folder}/inner.zip", "x.png")): content})


def _other_layout(random: Random, content: bytes, files: Files) -> bytes:
    change = random.choice(
        (
            lambda name: name.split("/", 1)[-1],
            lambda name: f"more/{name}",
            lambda name: name.replace("/", "\\"),
            lambda name: name.upper(),
            lambda name: name.replace(".png", ".gif"),
            lambda name: name.replace("_0", "_1"),
            lambda name: name.replace("images_background", "images_evaluation"),
        )
    )
    return _zipped({change(name): data for name, data in files.items()})


def _other_contents(random: Random, content: bytes, files: Files) -> bytes:
    """Drawings of another size or form, hostile PNGs, lists that are none."""
    for name in random.sample(sorted(files), random.choice((1, 1, 3))):
        files[name] = _png_of(random) if name.endswith(".png") else _list_of(random, files[name])
    return _zipped(files)


def _other_lists(random: Random, content: bytes, files: Files) -> bytes:
    for name in [name for name in files if name.endswith(".txt")]:
        files[name] = _list_of(random, files[name])
    return _zipped(files)


def _list_of(random: Random, content: bytes) -> bytes:
    text = content.decode()
    return random.choice(
        (
            b"",
            b"\xff\xfe\x00",
            b"\x1b[31m one two\n",
            text.upper().encode(),
            text.replace("run01", "../run01").encode(),
            (text * 2).encode(),
            text.replace(" ", "  three ").encode(),
            "\n".join(reversed(text.splitlines())).encode(),
            b"a b\n" * 10_000,
            damage(content, random),
        )
    )


def _png_of(random: Random) -> bytes:
    size = random.choice(((105, 105), (104, 105), (1, 1), (9000, 9000), (10_000, 10_000)))
    mode = random.choice(("1", "L", "P", "RGB", "RGBA", "I;16"))
    return _written(mode if size[0] < 9000 else "1", size, random.choice(("PNG", "PNG", "GIF", "TIFF")))


@cache
def _written(mode: str, size: tuple[int, int], format: str) -> bytes:
    content = io.BytesIO()
    image = Image.new(mode, size, 1)
    image.convert("L").save(content, format=format) if mode == "RGBA" and format == "GIF" else image.save(
        content, format=format
    )
    return content.getvalue()


def _bomb_inside(random: Random, content: bytes, files: Files) -> bytes:
    from image_cases import _png_bomb

    name = random.choice([name for name in files if name.endswith(".png")])
    return _zipped({**files, name: _png_bomb(random)[:60_000]})


WAYS = (
    _sound,
    _damaged,
    _damaged,
    _damaged,
    _damaged_at_the_end,
    _damaged_at_the_end,
    _tricky_name,
    _hostile_name,
    _name_of_no_encoding,
    _encrypted,
    _unknown_method,
    _other_method,
    _greedy_dictionary,
    _lying_sizes,
    _lying_sizes,
    _deep_bomb,
    _overlapping,
    _linked,
    _many,
    _twice,
    _nested,
    _other_layout,
    _other_contents,
    _other_lists,
    _bomb_inside,
)
