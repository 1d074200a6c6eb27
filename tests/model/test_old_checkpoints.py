"""Checkpoints of every version there was (tests/fixtures/make.py) are read for ever, and answer as they did then."""

import gzip
import json
import re
from pathlib import Path

import pytest
from scripts import load_script

from omnitwin.answers import comparison
from omnitwin.config import CompareConfig
from omnitwin.model.checkpoint import load_checkpoint, save_checkpoint
from omnitwin.model.description import READABLE_VERSIONS, read_description

FIXTURES = Path(__file__).parent.parent / "fixtures"
TOLERANCE = 1e-5  # of a probability, between machines


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    """The folder that docs/drawings.py writes."""
    folder = tmp_path_factory.mktemp("drawings")
    load_script("docs/drawings.py").write_all(folder)
    return folder


@pytest.fixture(params=READABLE_VERSIONS)
def old(request, tmp_path):
    """A checkpoint of a version, and what the omnitwin that wrote it answered for it."""
    path = tmp_path / "old.safetensors"
    path.write_bytes(gzip.decompress((FIXTURES / f"checkpoint-v{request.param}.safetensors.gz").read_bytes()))
    return path, json.loads((FIXTURES / f"checkpoint-v{request.param}.json").read_text(encoding="utf-8"))


def answer(checkpoint, drawings, other):
    config = CompareConfig(first=drawings / "a.png", second=drawings / other, checkpoint=str(checkpoint))
    return comparison.compare(config)


def test_there_is_one_of_every_version():
    kept = [int(re.findall(r"v(\d+)", path.name)[0]) for path in FIXTURES.glob("checkpoint-v*.safetensors.gz")]
    assert sorted(kept) == sorted(READABLE_VERSIONS)


def test_each_is_of_the_version_in_its_name(old, request):
    path, _ = old
    length = int.from_bytes(path.read_bytes()[:8], "little")
    record = json.loads(json.loads(path.read_bytes()[8 : 8 + length])["__metadata__"]["omnitwin"])
    assert record["format_version"] == request.node.callspec.params["old"]


def test_it_answers_as_its_own_omnitwin_did(old, drawings):
    path, answers = old
    assert len(answers) == 3
    for other, probability in answers.items():
        assert answer(path, drawings, other).probability == pytest.approx(probability, abs=TOLERANCE)


def test_it_says_of_itself_what_it_knew_then_and_nothing_of_what_came_later(old, request):
    description = read_description(old[0])
    assert (description.recipe_name, description.iteration, description.threshold) == ("small", 7, 0.625)
    assert description.novelty is None
    calibrated = request.node.callspec.params["old"] >= 2
    assert description.calibration == ({"temperature": 2.0, "bias": 0.25} if calibrated else None)
    assert description.held_out == (("Angelic", "Futurama") if calibrated else ())
    if request.node.callspec.params["old"] < 5:
        assert (description.data, description.operating) == (None, None)
    else:
        assert description.data["place"] == "/own/drawings"
        newest = request.node.callspec.params["old"] >= 6
        assert description.operating.within == ("alphabet" if newest else "")
        assert (description.familiarity is not None) == newest
        assert (description.operating.target, description.operating.far_interval) == ("far=0.01", (0.005, 0.03))


def test_written_anew_it_still_answers_the_same(old, drawings, tmp_path):
    path, answers = old
    anew = tmp_path / "anew.safetensors"
    save_checkpoint(anew, *load_checkpoint(path))
    for other in answers:
        assert answer(anew, drawings, other).probability == answer(path, drawings, other).probability
