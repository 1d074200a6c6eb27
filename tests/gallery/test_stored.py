"""The file of an index: what was written is read, and no other file, however damaged, is taken for one."""

import json
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hostile import HOSTILE
from pictures import draw, index

from omnitwin.errors import BadInput
from omnitwin.gallery import reading
from omnitwin.gallery.gallery import Item
from omnitwin.gallery.stored import Head, Stored, read_head, read_stored, units, write_stored

HEAD = Head(
    root="/photos\udcff\n",
    places=("/photos\udcff\n", "/b"),
    exclude=("*.gif",),
    weights_sha256="ab" * 32,
    network="bundled",
    seeing=2,
    updated=1.5,
)


def stored(names, features=4):
    random = Random(1)
    items = [
        Item(
            name=name,
            sha256=f"{number:064x}",
            size=random.randrange(1 << 40),
            mtime_ns=random.randrange(-(10**9), 1 << 62),
            width=number + 1,
            height=7,
            reasons=("no one drawing", "unlike any image")[: number % 3],
        )
        for number, name in enumerate(names)
    ]
    half_ND = np.random.default_rng(2).normal(size=(len(names), features)).astype(np.float16)
    return Stored(head=HEAD, items=items, half_ND=half_ND, unread=(("broken\udcff\n.png", "it is\nbroken"),))


def test_what_was_written_is_read_whatever_the_names_are(tmp_path):
    names = sorted(name.replace("/", "") for name in HOSTILE.values())
    written = stored(names)
    write_stored(tmp_path / "index.safetensors", written)
    found = read_stored(tmp_path / "index.safetensors")
    assert found.head == replace(HEAD, images=len(names)) == read_head(tmp_path / "index.safetensors")
    assert list(found.items) == written.items
    assert found.half_ND.tobytes() == written.half_ND.tobytes()
    assert found.unread == written.unread


def test_embeddings_are_of_length_1_again_when_they_are_read():
    half_ND = stored(["a", "b", "c"]).half_ND
    wanted = half_ND.astype(np.float64)
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    assert units(half_ND).dtype == np.float32
    assert np.abs(units(half_ND) - wanted).max() < 1e-7


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("stored") / "index.safetensors"
    write_stored(path, stored([f"{number}.png" for number in range(5)]))
    return path.read_bytes()


@pytest.mark.parametrize("seed", range(8))
def test_a_file_that_is_damaged_anywhere_is_refused_in_one_line(content, tmp_path, seed):
    random, path, refused = Random(seed), tmp_path / "index.safetensors", []
    for _ in range(60):
        damaged = bytearray(content)
        for _ in range(random.choice((1, 1, 5))):
            damaged[random.randrange(len(damaged))] = random.randrange(256)
        if random.random() < 0.3:
            del damaged[random.randrange(len(damaged)) :]
        path.write_bytes(damaged)
        try:
            found = read_stored(path)
        except BadInput as error:
            refused.append(error.line())
        else:  # the record says something else, or nothing was damaged
            assert len(found.items) == 5
    assert len(refused) > 40
    assert [line for line in refused if "\n" in line] == []


RECORDS = {
    "another format": {"format": "omnitwin-twin"},
    "a newer version": {"format_version": 2},
    "a relative root": {"root": "photos"},
    "no words": {"places": [1]},
    "no number": {"images": True},
    "other images": {"images": 4},
    "reasons that are none": {"reasons": [["a"], [3]]},
    "fewer reasons": {"reasons": []},
    "another checksum": {"crc32": 0},
}


@pytest.mark.parametrize("change", RECORDS.values(), ids=RECORDS)
def test_a_record_that_cannot_be_is_refused(content, tmp_path, change):
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"]["omnitwin"] = json.dumps(json.loads(header["__metadata__"]["omnitwin"]) | change)
    new = json.dumps(header).encode()
    path = tmp_path / "index.safetensors"
    path.write_bytes(len(new).to_bytes(8, "little") + new + content[8 + length :])
    with pytest.raises(BadInput, match="cannot be used"):
        read_stored(path)


def test_links_and_folders_are_no_index(content, tmp_path):
    (tmp_path / "a").write_bytes(content)
    (tmp_path / "link").symlink_to("a")
    for name, reason in (("link", "it is a link to a"), ("", "it is a folder")):
        with pytest.raises(BadInput, match=reason):
            read_stored(tmp_path / name)
    with pytest.raises(BadInput, match="is no index"):
        read_stored(tmp_path / "nowhere")


def test_a_file_that_changes_while_it_is_read_is_not_taken(tmp_path, monkeypatch):
    folder = draw(tmp_path / "photos", "a.png", "b.png")
    seen = reading._seen

    def changing(path, view):
        if path.endswith("b.png"):
            (folder / "b.png").write_bytes((folder / "a.png").read_bytes() + b"more")
        return seen(path, view)

    monkeypatch.setattr(reading, "_seen", changing)
    report = index(folder)
    assert (report.images, [image.problem for image in report.unread]) == (
        1,
        [f"{folder / 'b.png'} changed while it was read."],
    )
