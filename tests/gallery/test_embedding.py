"""Embedding many files: few pictures at a time, a full disk told in one line, progress to the last file."""

from contextlib import contextmanager

import pytest
from pictures import bundled, draw, index
from PIL import Image

from omnitwin.answers.verifier import Verifier
from omnitwin.errors import BadInput, CannotWrite
from omnitwin.gallery.embedding import Embedded, Wanted, embed_files, gallery_of
from omnitwin.gallery.finding import find
from omnitwin.gallery.indexes import list_indexes
from omnitwin.reports.answers import UnreadImage
from omnitwin.reports.progress import SILENT


@pytest.fixture
def photos(tmp_path):
    return draw(tmp_path / "photos", *(f"{number:02d}.png" for number in range(11)))


def wanted(photos):
    return [Wanted(name=file.name, path=file.path) for file in find([photos]).files]


class Counting:
    """A reporter that counts what it is told."""

    def __init__(self):
        self.told, self.done = [], 0
        self.note = self.warn = SILENT.note
        self.training = SILENT.training

    @contextmanager
    def task(self, label, total, unit):
        self.told.append((label, total, unit))
        yield self.advance

    def advance(self, count):
        self.done += count


@pytest.mark.parametrize("at_once", [1, 4, 256])
def test_no_more_pictures_wait_than_are_embedded_together(photos, monkeypatch, at_once):
    sizes, look = [], Verifier.look
    monkeypatch.setattr(Verifier, "look", lambda self, images: sizes.append(len(images)) or look(self, images))
    outcomes = list(embed_files(wanted(photos), bundled(), processes=0, at_once=at_once))
    assert sum(sizes) == len(outcomes) == 11
    assert max(sizes) == min(at_once, 11)
    assert all(file.name == outcome.item.name for file, outcome in outcomes)


def test_how_many_are_embedded_together_changes_no_bit(photos):
    runs = [
        [outcome.embedding_D.tobytes() for _, outcome in embed_files(wanted(photos), bundled(), processes=0, at_once=n)]
        for n in (1, 4, 256)
    ]
    assert runs[0] == runs[1] == runs[2]


def test_progress_counts_every_file_also_those_that_cannot_be_read(photos):
    (photos / "03.png").write_bytes(b"")
    reporter = Counting()
    outcomes = [outcome for _, outcome in embed_files(wanted(photos), bundled(), reporter, processes=0)]
    assert (reporter.told, reporter.done) == ([("Reading images", 11, "images")], 11)
    assert sum(isinstance(outcome, Embedded) for outcome in outcomes) == 10
    (unread,) = (outcome for outcome in outcomes if isinstance(outcome, UnreadImage))
    assert unread == UnreadImage(
        file=photos / "03.png",
        problem=f"{photos / '03.png'} is an empty file. Give a PNG, JPEG or any other image file.",
    )


def test_a_blank_image_is_unread_as_in_a_ranking(photos):
    Image.new("L", (60, 60), 255).save(photos / "03.png")
    gallery = gallery_of(find([photos]), bundled(), processes=0)
    assert len(gallery) == 10
    assert ["it is blank" in image.problem for image in gallery.unread] == [True]


def test_a_full_disk_ends_in_one_line_and_leaves_no_index(photos, monkeypatch):
    monkeypatch.setattr(
        "omnitwin.gallery.embedding.read_record", lambda *task: {"unwritten": "No space left on device"}
    )
    with pytest.raises(CannotWrite, match="No space left on device"):
        index(photos)
    assert list_indexes().indexes == ()


def test_images_that_all_cannot_be_read_make_no_gallery(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.png").write_text("no image")
    for make in (index, lambda place: gallery_of(find([place]), bundled(), processes=0)):
        with pytest.raises(BadInput, match="none of the images can be read"):
            make(folder)
