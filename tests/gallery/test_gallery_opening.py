"""A gallery of a folder: every image below it once, by name, with what is known of the file."""

import hashlib

import numpy as np
import pytest
from drawn_things import drawing, folder_of_things
from PIL import Image

from omnitwin.answers.files import read
from omnitwin.answers.verifier import open_verifier
from omnitwin.errors import BadInput
from omnitwin.gallery.opening import gallery_of


@pytest.fixture(scope="module")
def verifier():
    return open_verifier("bundled")


def test_items_are_sorted_by_name_and_embedded_as_they_are_alone(tmp_path, verifier):
    folder_of_things(tmp_path)
    gallery = gallery_of(tmp_path, verifier)
    names = [item.name for item in gallery.items]
    assert names == sorted(names) == sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("*/*.png"))
    for place in (0, len(gallery) - 1):
        alone = verifier.embed([read(gallery.path(place), verifier)])
        np.testing.assert_allclose(gallery.embedding_ND[place], alone[0], atol=1e-4)  # an index keeps 16 bits
    item, path = gallery.items[0], gallery.path(0)
    assert item.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (item.size, item.mtime_ns) == (path.stat().st_size, path.stat().st_mtime_ns)


def test_the_size_is_that_of_the_upright_picture(tmp_path, verifier):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    drawing("star", 0).resize((60, 40)).save(tmp_path / "a.jpg", exif=exif)
    (item,) = gallery_of(tmp_path, verifier).items
    assert (item.width, item.height) == (40, 60)


def test_hidden_names_links_to_folders_and_second_names_of_a_file_are_left_out(tmp_path, verifier):
    folder = folder_of_things(tmp_path / "all", variants=1)
    (folder / ".hidden").mkdir()
    drawing("bow", 1).save(folder / ".hidden" / "a.png")
    drawing("bow", 1).save(folder / ".a.png")
    (folder / "notes.txt").write_text("no image")
    (folder / "again").symlink_to(folder / "star", target_is_directory=True)
    (folder / "arch" / "0 link.png").symlink_to("0.png")
    drawing("bow", 1).save(tmp_path / "elsewhere.png")
    (folder / "linked.png").symlink_to(tmp_path / "elsewhere.png")
    names = [item.name for item in gallery_of(folder, verifier).items]
    assert names == ["arch/0.png", "bow/0.png", "linked.png", "star/0.png", "wave/0.png"]


def test_files_that_cannot_be_read_are_named_and_images_that_cannot_be_judged_have_reasons(tmp_path, verifier):
    folder_of_things(tmp_path, variants=1)
    (tmp_path / "broken.png").write_bytes(b"no image")
    Image.new("L", (50, 50), 255).save(tmp_path / "blank.png")
    noise = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((300, 300)).save(tmp_path / "photo.png")
    gallery = gallery_of(tmp_path, verifier)
    assert [each.file.name for each in gallery.unread] == ["blank.png", "broken.png"]
    doubtful = {item.name: item.reasons for item in gallery.items if item.reasons}
    assert set(doubtful) == {"photo.png"}
    assert not any(reason.startswith("photo.png") for reason in doubtful["photo.png"])


def test_a_place_without_an_image_that_can_be_read_is_refused(tmp_path, verifier):
    with pytest.raises(BadInput, match="is no folder"):
        gallery_of(tmp_path / "nowhere", verifier)
    with pytest.raises(BadInput, match="holds no image files"):
        gallery_of(tmp_path, verifier)
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(BadInput, match="none of the images can be read") as refused:
        gallery_of(tmp_path, verifier)
    assert "broken.png" in refused.value.line()
