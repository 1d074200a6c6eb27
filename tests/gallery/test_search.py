"""The search is exact: the same images as by comparing all one by one, in every size of blocks, ties by name."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn_places import draw_place, photo, write
from pictures import bundled, draw, index

import omnitwin
from omnitwin.answers.verifier import open_verifier
from omnitwin.config import SearchConfig
from omnitwin.errors import BadInput
from omnitwin.gallery.asking import search_images
from omnitwin.gallery.gallery import Gallery, Item
from omnitwin.gallery.search import QUERIES, search
from omnitwin.model.checkpoint import save_checkpoint
from omnitwin.model.description import Description
from omnitwin.model.twin import build_twin
from omnitwin.recipes import FAST


def units(seed, count, features):
    values = np.random.default_rng(seed).normal(size=(count, features)).astype(np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def gallery_of(embedding_ND):
    facts = {"sha256": "0" * 64, "size": 1, "mtime_ns": 1, "width": 1, "height": 1}
    items = tuple(Item(name=f"{number:06d}.png", **facts) for number in range(len(embedding_ND)))
    return Gallery(root=Path("/photos"), items=items, embedding_ND=embedding_ND, weights_sha256="0" * 64)


def slowly(gallery, query_QD, top):
    """Sort all images by their product in 64 bits, equal ones by name."""
    places = []
    for query_D in query_QD.astype(np.float64):
        products = [float((row.astype(np.float64) * query_D).sum()) for row in gallery.embedding_ND]
        places.append(sorted(range(len(gallery)), key=lambda place: (-products[place], place))[:top])
    return places


@pytest.mark.parametrize("block", [1, 7, 64, 1000, 4096])
@pytest.mark.parametrize("top", [1, 10, 600])
def test_the_search_finds_what_comparing_all_one_by_one_finds(block, top):
    gallery, query_QD = gallery_of(units(1, 500, 32)), units(2, 20, 32)
    found = search(gallery, query_QD, top, block)
    assert found.place_QK.tolist() == slowly(gallery, query_QD, top)
    assert (np.diff(found.product_QK) <= 0).all()


@pytest.mark.parametrize("block", [3, 50, 1000])
def test_images_of_equal_and_nearly_equal_embeddings_come_in_the_order_of_product_and_name(block):
    """In 32 bits, products of equal rows may differ by their place in a block, and unequal ones be equal."""
    few = units(3, 4, 256)
    many = few[np.random.default_rng(4).integers(0, 4, 300)]
    many[::7] = np.nextafter(many[::7], np.float32(2))
    gallery, query_QD = gallery_of(many), units(5, 3, 256)
    assert search(gallery, query_QD, 25, block).place_QK.tolist() == slowly(gallery, query_QD, 25)


def test_more_queries_than_are_multiplied_at_once_are_answered_alike():
    gallery, query_QD = gallery_of(units(6, 100, 8)), units(7, QUERIES + 5, 8)
    together = search(gallery, query_QD, 3)
    for number in (0, QUERIES - 1, QUERIES, QUERIES + 4):
        alone = search(gallery, query_QD[number : number + 1], 3)
        assert alone.place_QK[0].tolist() == together.place_QK[number].tolist()
        assert alone.product_QK[0].tolist() == together.product_QK[number].tolist()


@pytest.fixture
def photos(tmp_path):
    return draw(tmp_path / "photos", *(f"{letter}.png" for letter in "abcdefgh"))


@pytest.fixture
def query(tmp_path):
    return draw(tmp_path, "query.png") / "query.png"


def ask(*queries, **options):
    return search_images(SearchConfig(queries=queries, processes=0, **options), verifier=options.pop("verifier", None))


def test_probabilities_and_order_are_those_of_compare(photos, query):
    index(photos)
    found = ask(query).queries[0].found
    ranked = omnitwin.load("bundled").rank(query, photos).ranked
    assert [image.file for image in found] == [image.file for image in ranked]
    for ours, theirs in zip(found, ranked, strict=True):
        assert ours.probability == pytest.approx(theirs.probability, abs=1e-3)
        assert (ours.rank, ours.verdict, ours.reasons) == (theirs.rank, theirs.verdict, theirs.reasons)


def test_a_folder_without_an_index_gives_the_very_answers_of_its_index(photos, query):
    index(photos)
    by_index, by_folder = ask(query, index="photos"), ask(query, folders=(photos,))
    assert by_folder.queries == by_index.queries
    assert (by_folder.images, by_folder.gallery) == (8, photos)


def test_an_index_is_searched_without_its_files(photos, query, tmp_path):
    report = index(photos)
    before = ask(query)
    photos.rename(tmp_path / "away")
    assert ask(query).queries == before.queries
    assert ask(query, index=str(report.folder)).queries == before.queries


def test_an_image_does_not_find_itself_but_its_copies(photos, tmp_path):
    (photos / "copy of a.png").write_bytes((photos / "a.png").read_bytes())
    index(photos)
    (tmp_path / "link.png").symlink_to(photos / "a.png")
    for query in (photos / "a.png", tmp_path / "link.png"):
        found = ask(query, top=8).queries[0].found
        assert found[0].file == photos / "copy of a.png"
        assert photos / "a.png" not in [image.file for image in found]
        assert [image.rank for image in found] == list(range(1, 9))


def test_the_index_remembers_its_network_and_refuses_another(photos, query, tmp_path):
    copy = tmp_path / "mine.safetensors"
    copy.write_bytes(bundled().path.read_bytes())
    omnitwin.index(photos, twin=copy, processes=0)
    assert ask(query).network.checkpoint == copy
    other = replace(bundled(), sha256="0" * 64)
    with pytest.raises(BadInput, match="made with other weights") as refused:
        search_images(SearchConfig(queries=(query,)), verifier=other)
    assert "--rebuild" in refused.value.line()
    copy.unlink()
    with pytest.raises(BadInput, match=r"the network of .* cannot be used"):
        ask(query)
    assert ask(query, checkpoint="bundled").queries[0].found  # the same weights


def test_a_query_that_cannot_be_read_costs_no_other_and_none_at_all_is_refused(photos, query, tmp_path):
    index(photos)
    report = ask(tmp_path / "nowhere.png", query)
    assert [each.query for each in report.queries] == [query]
    assert [each.file for each in report.unread] == [tmp_path / "nowhere.png"]
    with pytest.raises(BadInput, match=r"nowhere\.png does not exist"):
        ask(tmp_path / "nowhere.png")


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_a_network_that_sees_colours_is_searched_with_by_either_engine(tmp_path, engine):
    torch.manual_seed(0)
    recipe = FAST.changed(encoder="strong", image_size=16, image_width=24, channels=3, frame="photo")
    facts = {"iteration": 1, "precision": "fp32", "dataset": "things/training", "fingerprint": "f" * 64}
    described = Description.of_recipe(recipe, metrics={}, **facts)
    save_checkpoint(tmp_path / "mine.safetensors", build_twin(described.network).eval(), described)
    verifier = open_verifier(str(tmp_path / "mine.safetensors"), engine=engine)
    folder = draw_place(tmp_path / "things", {"a": 6, "b": 6})
    index(folder, verifier=verifier, at_once=5)
    query = write(tmp_path / "query.png", photo("another"))
    report = search_images(SearchConfig(queries=(query,), top=12, pictures=True), verifier=verifier)
    (answer,) = report.queries
    ranked = omnitwin.Twin(verifier).rank(query, [folder / "a", folder / "b"]).ranked
    assert report.engine == engine
    assert {image.file: image.probability for image in answer.found} == pytest.approx(
        {image.file: image.probability for image in ranked}, abs=2e-3
    )
    assert answer.picture.channels == answer.found[0].picture.channels == 3


@pytest.mark.parametrize(
    "bad", [{"top": 0}, {"least": 1.5}, {"least": float("nan")}, {"index": "a", "folders": ("b",)}]
)
def test_words_that_mean_nothing_are_refused(bad):
    with pytest.raises(BadInput):
        SearchConfig(queries=(Path("a.png"),), **bad)


def test_which_index_is_meant_is_asked_only_if_there_are_several(photos, query):
    with pytest.raises(BadInput, match="there is no index to search"):
        ask(query)
    index(photos)
    assert ask(query).images == 8
    index(photos, name="other")
    with pytest.raises(BadInput, match="there are 2 indexes: other, photos"):
        ask(query)
    with pytest.raises(BadInput, match="is a folder without an index"):
        ask(query, index=str(photos))
    with pytest.raises(BadInput, match="no index is called nothing"):
        ask(query, index="nothing")
