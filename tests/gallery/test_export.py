"""Embeddings in files of other programs are those of the network, bit for bit."""

import csv
import sys

import numpy as np
import pytest
from pictures import bundled, draw

import omnitwin
from omnitwin.config import EmbedConfig
from omnitwin.errors import BadInput
from omnitwin.gallery.export import embed_images


@pytest.fixture
def photos(tmp_path):
    folder = draw(tmp_path / "photos", "b.png", "a.png", "deep/ü,\n.png")
    (folder / "broken.png").write_text("no image")
    return folder


def embed(photos, output):
    return embed_images(EmbedConfig(places=(photos,), output=output, processes=0), verifier=bundled())


def test_npz_and_csv_hold_the_numbers_that_the_network_makes(photos, tmp_path):
    report = embed(photos, tmp_path / "e.npz")
    assert (report.images, report.features) == (3, 512)
    assert [image.file.name for image in report.unread] == ["broken.png"]
    paths = [photos / name for name in ("a.png", "b.png", "deep/ü,\n.png")]
    wanted = omnitwin.load("bundled").embed(paths)
    with np.load(tmp_path / "e.npz", allow_pickle=False) as file:
        assert file["embeddings"].tobytes() == wanted.tobytes()
        assert file["paths"].tolist() == [str(path) for path in paths]
        assert (file["width"].tolist(), file["height"].tolist()) == ([120] * 3, [60] * 3)
    embed(photos, tmp_path / "e.csv")
    with (tmp_path / "e.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [str(path) for path in paths]
    numbers = np.array([[row[f"e{place}"] for place in range(512)] for row in rows], np.float32)
    assert numbers.tobytes() == wanted.tobytes()


def test_parquet_says_what_to_install_and_other_endings_are_refused_before_the_work(photos, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr("omnitwin.gallery.export.find_spec", lambda name: None)
    with pytest.raises(BadInput, match="needs pyarrow") as refused:
        embed(photos, tmp_path / "e.parquet")
    assert "pip install pyarrow" in refused.value.line()
    with pytest.raises(BadInput, match="does not end like"):
        embed(photos, tmp_path / "e.txt")
    assert list(tmp_path.glob("e.*")) == []


def test_parquet_holds_a_row_an_image(photos, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not here")
    embed(photos, tmp_path / "e.parquet")
    table = parquet.read_table(tmp_path / "e.parquet")
    assert table.column_names == ["path", "sha256", "width", "height", "embedding"]
    assert table.num_rows == 3
    wanted = omnitwin.load("bundled").embed([photos / "a.png"])[0]
    assert np.array(table["embedding"][0].as_py(), np.float32).tobytes() == wanted.tobytes()
