"""The features of a network of others, from a file made here, compared by cosine."""

import pytest
import torch
import torchvision
from photos import photos
from safetensors.torch import save_file
from torch.nn import functional as F

from omnitwin.config import EvalConfig
from omnitwin.errors import BadInput, CannotRun
from omnitwin.exams.evaluation import evaluate
from omnitwin.model.frozen import frozen_baseline, frozen_view

ENCODER = "shufflenet_v2_x0_5"  # the smallest of torchvision's


@pytest.fixture
def theirs():
    torch.manual_seed(0)
    return torchvision.models.get_model(ENCODER).eval()


@pytest.fixture
def weights(theirs, tmp_path):
    save_file({name: tensor.contiguous() for name, tensor in theirs.state_dict().items()}, tmp_path / "own.safetensors")
    return str(tmp_path / "own.safetensors")


def test_the_score_is_the_cosine_of_what_their_network_gives_its_classifier(theirs, weights):
    images = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    theirs.fc = torch.nn.Identity()
    seen = torchvision.models.get_model_weights(ENCODER).DEFAULT.transforms()
    mean, std = (torch.tensor(numbers).view(3, 1, 1) for numbers in (seen.mean, seen.std))
    baseline = frozen_baseline(ENCODER, weights)
    with torch.inference_mode():
        features = theirs((images - mean) / std)
        embeddings = baseline.embed(images)
        scores = baseline.score(embeddings[:2], embeddings[2:])
        every = baseline.score_all(baseline.prepare(embeddings), embeddings)
    torch.testing.assert_close(scores, F.cosine_similarity(features[:2], features[2:]), rtol=0, atol=1e-5)
    torch.testing.assert_close(every[[0, 1], [2, 3]], scores, rtol=0, atol=1e-5)
    torch.testing.assert_close(every, every.T, rtol=0, atol=1e-5)


def test_a_picture_is_seen_as_the_weights_were_trained_in_colour_with_its_aspect():
    view = frozen_view(ENCODER)
    assert (view.height, view.width, view.channels, view.frame) == (224, 224, 3, "photo")
    assert frozen_view("vit_h_14").height == 518  # takes no other
    with pytest.raises(BadInput, match="no encoder is called 'resnet51'"):
        frozen_view("resnet51")


def test_it_takes_the_exams_as_other_baselines_do_and_its_report_names_the_file(weights):
    images = {"training": photos(3, 3, 3, height=32, width=48), "test": photos(2, 3, 2, height=32, width=48)}
    config = EvalConfig(exams=("all-pairs",), baseline="frozen", encoder=ENCODER, weights=weights, dataset=images)
    report = evaluate(config)
    assert report.baseline == f"frozen {ENCODER}, own.safetensors"
    assert report.network is None
    assert report.exams[0].n == 21


def test_without_a_network_of_its_own_it_says_which_file_to_fetch(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("OMNITWIN_OFFLINE", "1")
    with pytest.raises(CannotRun, match="the network is forbidden") as refused:
        evaluate(EvalConfig(baseline="frozen", dataset="synthetic"))
    assert "/models/mobilenet_v2-7ebf99e0.pth elsewhere" in refused.value.line()


@pytest.mark.parametrize("given", [{"encoder": "resnet50"}, {"weights": "mine.safetensors"}])
def test_its_options_are_refused_beside_anything_else(given):
    with pytest.raises(BadInput, match="belongs to the baseline frozen"):
        EvalConfig(baseline="pixels", **given)
