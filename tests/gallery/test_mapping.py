"""Maps: principal components that do not flip, colours by folder or by group, thumbnails, and UMAP if it is there."""

import sys
from types import ModuleType

import numpy as np
import pytest
from drawn_things import THINGS, folder_of_things
from points import bunches
from sklearn.decomposition import PCA

from omnitwin.config import MapConfig
from omnitwin.errors import BadInput, CannotRun
from omnitwin.gallery import mapping
from omnitwin.gallery.mapping import map_gallery, principal


@pytest.mark.parametrize("at_once", [3, 10_000])
def test_places_are_the_principal_components_with_their_shares_of_the_variance(monkeypatch, at_once):
    monkeypatch.setattr(mapping, "AT_ONCE", at_once)
    embedding_ND = bunches(21)
    place_N2, shares = principal(embedding_ND)
    known = PCA(2, svd_solver="full").fit(embedding_ND.astype(np.float64))
    expected_N2 = known.transform(embedding_ND.astype(np.float64))
    for axis in range(2):
        sign = np.sign(place_N2[:, axis] @ expected_N2[:, axis])
        np.testing.assert_allclose(place_N2[:, axis], sign * expected_N2[:, axis], atol=1e-6)
    assert shares == pytest.approx(known.explained_variance_ratio_.tolist())


def test_a_map_is_not_mirrored_by_the_order_of_images():
    embedding_ND = bunches(22)
    order = np.random.default_rng(2).permutation(len(embedding_ND))
    np.testing.assert_allclose(principal(embedding_ND[order])[0], principal(embedding_ND)[0][order], atol=1e-9)


def test_the_largest_entry_of_each_direction_is_positive():
    embedding_ND = bunches(23)
    for turned in (embedding_ND, -embedding_ND):
        place_N2, _ = principal(turned)
        centred_ND = turned - turned.mean(0)
        for axis in range(2):
            direction_D = place_N2[:, axis] @ centred_ND  # along the principal direction
            assert direction_D[np.abs(direction_D).argmax()] > 0


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_and_equal_images_have_a_place_too(count):
    place_N2, shares = principal(np.repeat(bunches(24)[:1], count, axis=0))
    np.testing.assert_allclose(place_N2, 0, atol=1e-7)
    assert all(0 <= share <= 1 for share in shares)


def test_points_are_coloured_by_folder_and_by_group_where_all_lie_in_one(tmp_path):
    folder = folder_of_things(tmp_path / "all")
    report = map_gallery(MapConfig(place=folder))
    assert (report.coloured_by, report.kinds) == ("folder", tuple(sorted(THINGS)))
    assert [point.kind for point in report.points] == [point.file.parent.name for point in report.points]
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in folder.glob("*/*.png"):
        path.rename(flat / f"{path.parent.name} {path.name}")
    report = map_gallery(MapConfig(place=flat, min_probability=0.9))
    assert (report.coloured_by, len(report.kinds)) == ("group", 4)
    by_thing = {(point.file.name.split()[0], point.kind) for point in report.points}
    assert len(by_thing) == 4


def test_things_lie_in_bunches(tmp_path):
    report = map_gallery(MapConfig(place=folder_of_things(tmp_path / "all")))
    places = {thing: [] for thing in THINGS}
    for point in report.points:
        places[point.kind].append((point.x, point.y))
    within = max(np.ptp(np.array(each), axis=0).max() for each in places.values())
    middles = np.array([np.mean(each, axis=0) for each in places.values()])
    apart = min(np.linalg.norm(a - b) for a in middles for b in middles if (a != b).any())
    assert apart > within


@pytest.mark.parametrize(("pictures", "shown"), [(0, 0), (5, 5), (100, 12)])
def test_a_report_has_so_many_thumbnails_evenly_spread(tmp_path, pictures, shown):
    report = map_gallery(MapConfig(place=folder_of_things(tmp_path / "all"), pictures=pictures))
    pictured = [number for number, point in enumerate(report.points) if point.picture is not None]
    assert len(pictured) == shown
    if shown == 5:
        assert pictured == [0, 2, 4, 7, 9]


def test_umap_that_is_not_installed_is_named_before_any_work(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(CannotRun) as refused:
        map_gallery(MapConfig(place=tmp_path / "nowhere", method="umap"))
    assert "pip install 'omnitwin[map]'" in refused.value.line()


def test_umap_gets_the_embeddings_and_a_fixed_seed(monkeypatch, tmp_path):
    asked = {}

    class UMAP:
        def __init__(self, **options):
            asked.update(options)

        def fit_transform(self, embedding_ND):
            return embedding_ND[:, :2].astype(np.float32)

    module = ModuleType("umap")
    module.UMAP = UMAP
    monkeypatch.setitem(sys.modules, "umap", module)
    folder = folder_of_things(tmp_path / "all")
    report = map_gallery(MapConfig(place=folder, method="umap"))
    assert (asked["random_state"], asked["n_neighbors"]) == (0, 11)
    assert (report.method, report.shares, len(report.points)) == ("umap", None, 12)
    with pytest.raises(BadInput, match="umap needs 4 images or more, not 3"):
        map_gallery(MapConfig(place=folder / "bow", method="umap"))
