"""Other libraries' networks as encoders: known by name without their library, and of a known layout."""

import sys
from dataclasses import replace

import pytest
import torch
from torch import nn
from torchvision import models

from omnitwin.errors import BadInput, CannotRun
from omnitwin.model import anatomy, backbones
from omnitwin.model.checkpoint import layout, load_checkpoint, save_checkpoint
from omnitwin.model.description import Description
from omnitwin.model.encoders import has_depthwise
from omnitwin.model.twin import build_twin
from omnitwin.recipes import EMBEDDING, FAST, TORCHVISION, Network, is_foreign, sides_of

LIGHT = ("shufflenet_v2_x0_5", "squeezenet1_1", "mnasnet0_5", "regnet_y_400mf", "mobilenet_v3_small")


def network(encoder="shufflenet_v2_x0_5", size=32, **fields):
    return Network(encoder=encoder, image_size=size, head="distance", **{"channels": 3, **fields})


def test_the_names_are_those_of_torchvision():
    assert sorted(TORCHVISION) == sorted(models.list_models(module=models))


def test_no_encoder_takes_smaller_images_than_torchvision_says():
    for name, sides in TORCHVISION.items():
        least = models.get_model_weights(name).DEFAULT.meta["min_size"]
        if not name.startswith("swin"):  # which pads its windows: torchvision says the size that it was trained on
            assert (sides.only or sides.least,) * 2 == tuple(least), name


@pytest.mark.parametrize("name", LIGHT)
def test_the_layout_is_known_before_the_network_is_built_and_is_what_is_built(name):
    assert anatomy.layout(network(name)) == layout(build_twin(network(name)).state_dict())


@pytest.mark.parametrize("name", LIGHT)
def test_an_embedding_has_a_length_of_1_and_a_gradient_for_every_weight(name):
    oblong = network(name, sides_of(name).least + 13, image_width=40)
    twin = build_twin(oblong).train()
    embeddings = twin.embed(torch.rand(4, 3, oblong.view.height, oblong.view.width))
    assert embeddings.shape == (4, EMBEDDING)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(4))
    (embeddings * torch.randn(4, EMBEDDING)).sum().backward()
    assert all(parameter.grad is not None for parameter in twin.encoder.parameters())


@pytest.mark.parametrize(
    ("name", "depthwise"), [("shufflenet_v2_x0_5", True), ("mobilenet_v3_small", True), ("squeezenet1_1", False)]
)
def test_networks_that_convolve_channels_by_themselves_are_known(name, depthwise):
    assert has_depthwise(build_twin(network(name))) == depthwise


def test_a_convolution_in_groups_of_several_channels_is_no_such_one():
    assert not has_depthwise(nn.Sequential(nn.Conv2d(8, 8, 3, groups=4), nn.Conv2d(1, 1, 3)))
    assert has_depthwise(nn.Sequential(nn.Conv2d(8, 16, 3, groups=8)))


def test_the_features_are_those_of_torchvisions_own_network_on_normalised_pixels():
    twin = build_twin(network("squeezenet1_1", 64)).eval()
    theirs = models.squeezenet1_1(weights=None).eval()
    theirs.features.load_state_dict(twin.encoder.backbone.features.state_dict())
    images = torch.rand(3, 3, 64, 64)
    seen = models.SqueezeNet1_1_Weights.DEFAULT.transforms()
    normalised = (images - torch.tensor(seen.mean).view(3, 1, 1)) / torch.tensor(seen.std).view(3, 1, 1)
    with torch.inference_mode():
        torch.testing.assert_close(twin.encoder.look(images), theirs.features(normalised).mean((2, 3)))


def test_a_grey_image_is_seen_as_one_with_equal_colours():
    grey, colour = (build_twin(network(channels=channels)).eval() for channels in (1, 3))
    colour.load_state_dict(grey.state_dict())
    images = torch.rand(3, 1, 32, 32)
    with torch.inference_mode():
        assert torch.equal(grey.embed(images), colour.embed(images.expand(-1, 3, -1, -1)))


def test_a_held_backbone_gets_no_gradient_and_keeps_its_statistics_until_it_is_let_go():
    encoder = build_twin(network()).train().encoder
    before = {name: tensor.clone() for name, tensor in encoder.backbone.state_dict().items()}
    encoder.hold(True)
    encoder(torch.rand(4, 3, 32, 32)).sum().backward()
    assert all(parameter.grad is None for parameter in encoder.backbone.parameters())
    assert encoder.out.weight.grad is not None
    assert all(torch.equal(tensor, before[name]) for name, tensor in encoder.backbone.state_dict().items())
    encoder.hold(False)
    encoder(torch.rand(4, 3, 32, 32)).sum().backward()
    assert all(parameter.grad is not None for parameter in encoder.backbone.parameters())


def test_batch_norms_of_pretrained_weights_keep_their_statistics_in_training():
    encoder = build_twin(network()).encoder
    encoder.pretrained = True
    encoder.train()
    norms = [part for part in encoder.backbone.modules() if isinstance(part, nn.BatchNorm2d)]
    assert norms
    assert not any(norm.training for norm in norms)
    assert encoder.norm.training


def test_a_checkpoint_answers_by_itself_with_the_normalisation_in_it(tmp_path):
    twin = build_twin(network()).eval()
    twin.encoder.mean.fill_(0.25)
    recipe = replace(FAST, network=network())
    facts = {"iteration": 1, "precision": "fp32", "dataset": "mine", "fingerprint": "f" * 64, "metrics": {}}
    save_checkpoint(tmp_path / "weights.safetensors", twin, Description.of_recipe(recipe, **facts))
    loaded, _ = load_checkpoint(tmp_path / "weights.safetensors")
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(loaded.embed(images), twin.embed(images))


def test_resnet18_for_a_single_channel_is_the_encoder_that_it_was():
    assert "encoder.0.conv1.weight" in anatomy.layout(network("resnet18", channels=1))
    assert is_foreign(network("resnet18"))


def test_an_unknown_name_is_told_with_close_ones():
    with pytest.raises(BadInput, match=r"no encoder is called 'resnet5'") as refused:
        network("resnet5")
    assert "resnet50" in refused.value.hint


def test_a_network_of_one_size_refuses_every_other():
    with pytest.raises(BadInput, match="vit_b_16 takes 224 x 224 pixels, not 96 x 96"):
        network("vit_b_16", 96)


def test_timm_is_asked_for_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(CannotRun) as refused:
        backbones.layout(network("timm:resnet10t"))
    assert "pip install 'omnitwin[timm]'" in refused.value.line()
