"""Weights of others are what their name says, or are refused; what was read once is not needed again."""

import hashlib
import io
import pickle

import pytest
import torch
from safetensors.torch import save_file
from torchvision import models

from omnitwin.errors import BadInput, CannotRun, DownloadFailed
from omnitwin.model import pretrained
from omnitwin.model.backbones import BackboneEncoder
from omnitwin.model.pretrained import Pretrained, bring, read_pretrained
from omnitwin.recipes import Network

NETWORK = Network(encoder="shufflenet_v2_x0_5", image_size=32, channels=3, head="distance")


def theirs(seed=0):
    """The tensors of torchvision's own network with random weights, its classifier among them."""
    torch.manual_seed(seed)
    return models.shufflenet_v2_x0_5(weights=None).state_dict()


def hashed(folder, tensors, stem="shufflenetv2_x0.5", spoil=0):
    """Write a file as torchvision names its own. spoil: number of first digits of the name's hash that are wrong."""
    content = io.BytesIO()
    torch.save(tensors, content)
    digits = hashlib.sha256(content.getvalue()).hexdigest()[:10]
    wrong = "".join(f"{15 - int(digit, 16):x}" for digit in digits[:spoil]) + digits[spoil:]
    path = folder / f"{stem}-{wrong}.pth"
    path.write_bytes(content.getvalue())
    return path


@pytest.fixture(autouse=True)
def at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("OMNITWIN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("OMNITWIN_OFFLINE", raising=False)


def test_torchvisions_file_becomes_the_backbone_of_a_twin(tmp_path):
    tensors = theirs()
    found = bring(NETWORK, str(hashed(tmp_path, tensors)))
    loaded = read_pretrained(NETWORK, found)
    assert loaded.keys() == {f"encoder.backbone.{name}" for name in tensors if not name.startswith("fc.")}
    assert all(torch.equal(tensor, tensors[name.removeprefix("encoder.backbone.")]) for name, tensor in loaded.items())


def test_the_features_are_torchvisions(tmp_path):
    tensors = theirs()
    encoder = BackboneEncoder(NETWORK).eval()
    found = read_pretrained(NETWORK, bring(NETWORK, str(hashed(tmp_path, tensors))))
    encoder.backbone.load_state_dict({name.removeprefix("encoder.backbone."): each for name, each in found.items()})
    network = models.shufflenet_v2_x0_5(weights=None)
    network.load_state_dict(tensors)
    network.fc = torch.nn.Identity()
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        normalised = (images - encoder.mean) / encoder.std
        torch.testing.assert_close(encoder.look(images), network.eval()(normalised))


def test_a_file_that_is_not_what_its_name_says_is_refused_each_time_even_after_a_good_one(tmp_path):
    good = hashed(tmp_path, theirs())
    bring(NETWORK, str(good))
    good.write_bytes(good.read_bytes()[:-1] + b"x")
    for _ in range(2):
        with pytest.raises(BadInput, match="is not what its name says"):
            bring(NETWORK, str(good))
    with pytest.raises(BadInput, match="is not what its name says"):
        bring(NETWORK, str(hashed(tmp_path, theirs(), spoil=10)))


def test_a_file_without_a_hash_in_its_name_that_is_no_safetensors_is_refused_unread(tmp_path):
    path = tmp_path / "mine.pth"
    path.write_bytes(b"anything")
    with pytest.raises(BadInput, match="its name does not end in a SHA-256") as refused:
        bring(NETWORK, str(path))
    assert "safetensors" in refused.value.hint


class Trap:
    """A pickle that would make a file when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_no_code_in_a_file_runs_though_its_name_fits(tmp_path):
    content = pickle.dumps({"conv1.weight": Trap(str(tmp_path / "sprung"))})
    path = tmp_path / f"evil-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    path.write_bytes(content)
    with pytest.raises(BadInput, match="cannot be read as weights"):
        bring(NETWORK, str(path))
    assert not (tmp_path / "sprung").exists()


def test_safetensors_take_any_name(tmp_path):
    tensors = theirs(1)
    save_file(tensors, tmp_path / "mine.safetensors")
    loaded = read_pretrained(NETWORK, bring(NETWORK, str(tmp_path / "mine.safetensors")))
    assert torch.equal(loaded["encoder.backbone.conv1.0.weight"], tensors["conv1.0.weight"])


def test_weights_of_another_network_are_refused_with_a_tensor_that_is_wrong(tmp_path):
    others = models.mobilenet_v3_small(weights=None).state_dict()
    with pytest.raises(BadInput, match="does not hold the weights of shufflenet_v2_x0_5"):
        bring(NETWORK, str(hashed(tmp_path, others)))
    wider = models.shufflenet_v2_x1_0(weights=None).state_dict()
    with pytest.raises(BadInput, match="does not hold the weights of shufflenet_v2_x0_5"):
        bring(NETWORK, str(hashed(tmp_path, wider)))


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    tensors = theirs()
    tensors["conv1.0.weight"][0, 0, 0, 0] = float("nan")
    with pytest.raises(BadInput, match="not finite"):
        bring(NETWORK, str(hashed(tmp_path, tensors)))


def test_what_was_converted_is_enough_when_the_file_is_gone_and_a_damaged_one_is_refused(tmp_path):
    path = hashed(tmp_path, theirs())
    found = bring(NETWORK, str(path))
    path.unlink()
    before = read_pretrained(NETWORK, found)
    converted = next(pretrained.backbones_folder().glob("*.safetensors"))
    content = bytearray(converted.read_bytes())
    content[-5] ^= 1
    converted.write_bytes(content)
    with pytest.raises(CannotRun, match="it is damaged"):
        read_pretrained(NETWORK, found)
    converted.unlink()
    with pytest.raises(CannotRun, match=r"cannot be read from .*: No such file"):
        read_pretrained(NETWORK, found)
    assert before


def as_default(monkeypatch, path, url="https://example.org/models"):
    """Let torchvision's default weights be a file."""

    class Weights:
        class DEFAULT:
            pass

    known = models.get_model_weights(NETWORK.encoder)
    Weights.DEFAULT.url, Weights.DEFAULT.transforms = f"{url}/{path.name}", known.DEFAULT.transforms
    monkeypatch.setattr(models, "get_model_weights", lambda name: Weights)


@pytest.mark.parametrize("folder", ["home/cache/backbones", "torch/hub/checkpoints"])
def test_default_weights_are_taken_from_our_folder_and_from_torchvisions(tmp_path, monkeypatch, folder):
    (tmp_path / folder).mkdir(parents=True)
    path = hashed(tmp_path / folder, theirs())
    as_default(monkeypatch, path)
    found = bring(NETWORK, "default", offline=True)
    assert found.name == path.name
    path.unlink()
    assert bring(NETWORK, "default", offline=True) == found  # what was converted is found by the name's hash


def test_default_weights_that_are_missing_offline_are_asked_for_with_address_name_and_folder(tmp_path, monkeypatch):
    as_default(monkeypatch, tmp_path / "shufflenetv2_x0.5-f707e7126e.pth")
    with pytest.raises(CannotRun) as refused:
        bring(NETWORK, "default", offline=True)
    line = refused.value.line()
    assert "https://example.org/models/shufflenetv2_x0.5-f707e7126e.pth" in line
    assert f"put shufflenetv2_x0.5-f707e7126e.pth into {pretrained.backbones_folder()}" in line
    monkeypatch.setenv("OMNITWIN_OFFLINE", "1")
    with pytest.raises(CannotRun, match="OMNITWIN_OFFLINE"):
        bring(NETWORK, "default")


def test_a_download_that_fails_says_where_to_put_the_file(tmp_path, monkeypatch):
    as_default(monkeypatch, tmp_path / "shufflenetv2_x0.5-f707e7126e.pth", "http://127.0.0.1:1")
    monkeypatch.setattr("omnitwin.system.fetch.ATTEMPTS", 1)
    with pytest.raises(DownloadFailed) as refused:
        bring(NETWORK, "default")
    assert str(pretrained.backbones_folder()) in refused.value.hint


def test_what_was_fetched_is_checked_by_its_name_and_kept_converted_only(tmp_path, monkeypatch):
    path = hashed(tmp_path, theirs())
    as_default(monkeypatch, path)

    def fetch(url, target, largest, started, note):
        target.with_suffix(".part").write_bytes(path.read_bytes())
        return type("Fetched", (), {"part": target.with_suffix(".part")})

    monkeypatch.setattr(pretrained, "fetch", fetch)
    found = bring(NETWORK, "default", offline=False)
    assert found == Pretrained(name=path.name, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    assert [each.suffix for each in pretrained.backbones_folder().iterdir()] == [".safetensors"]
    as_default(monkeypatch, tmp_path / "other-0123456789.pth")
    with pytest.raises(BadInput, match="is not what its name says"):
        bring(NETWORK, "default", offline=False)
    assert [each.suffix for each in pretrained.backbones_folder().iterdir()] == [".safetensors"]


@pytest.mark.parametrize("path", ["", "missing.pth", "."])
def test_a_path_that_is_no_file_is_refused(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="cannot be read"):
        bring(NETWORK, path)
