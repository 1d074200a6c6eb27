"""The torch engine: a network or a baseline on its device, arrays in and arrays out, as NumpyTwin is."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import nn

from omnitwin.answers.verifier import TORCH, Verifier
from omnitwin.config import EvalConfig
from omnitwin.metrics.arrays import Array
from omnitwin.model import checkpoint
from omnitwin.model.baselines import BASELINES
from omnitwin.model.tensors import Tensors
from omnitwin.model.twin import TwinNetwork
from omnitwin.recipes import Network
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.system.device import select_device
from omnitwin.system.portions import images_at_once

EMBED_AT_ONCE = 64  # images
FROZEN = "frozen"  # the baseline that has weights, and a view of its own
EVEN = 0.5  # threshold of a baseline: of a probability fitted with as many similar as dissimilar pairs


class Model(Protocol):
    """The common part of TwinNetwork and the baselines: tensors in, tensors out. See their docstrings."""

    def embed(self, images_BCHW: torch.Tensor, /) -> torch.Tensor: ...
    def score(self, left_B: torch.Tensor, right_B: torch.Tensor, /) -> torch.Tensor: ...
    def prepare(self, embeddings_N: torch.Tensor, /) -> torch.Tensor: ...
    def score_all(self, left_A: torch.Tensor, right_B: torch.Tensor, /) -> torch.Tensor: ...


@dataclass(frozen=True, eq=False)
class TorchNetwork:
    """A model whose weights lie on the device."""

    model: Model
    device: torch.device

    def embed(self, images_BCHW: Array) -> Array:
        """Return embeddings (B, D) float32 of images from 0 (black, ink) to 1 (white, paper).

        Images of a single channel may come as (B, H, W).
        """
        return self._of(self.model.embed, images_BCHW)

    def features(self, images_BCHW: Array) -> Array:
        """Return the features (B, D) float32 of which a twin network makes embeddings."""
        assert isinstance(self.model, TwinNetwork)
        return self._of(self.model.features, images_BCHW)

    @torch.inference_mode()
    def scaled(self, features_BD: Array) -> Array:
        """Return the embeddings (B, D) that a twin network makes of features."""
        assert isinstance(self.model, TwinNetwork)
        embeddings_BD: Array = self.model.scaled(torch.from_numpy(features_BD).to(self.device)).cpu().numpy()
        return embeddings_BD

    @torch.inference_mode()
    def _of(self, look: Callable[[torch.Tensor], torch.Tensor], images_BCHW: Array) -> Array:
        images = torch.from_numpy(images_BCHW).float()
        at_once = images_at_once(EMBED_AT_ONCE, max(images_BCHW.shape[-2:]))
        whole = images[:, None] if images.dim() == 3 else images
        parts = [look(part.to(self.device)).cpu() for part in torch.split(whole, at_once)]
        embeddings_BD: Array = torch.cat(parts).numpy()
        return embeddings_BD

    @torch.inference_mode()
    def score(self, left_BD: Array, right_BD: Array) -> Array:
        """Return logits (B,) of the probability that each pair of embeddings shows the same thing."""
        left, right = (torch.from_numpy(side).to(self.device) for side in (left_BD, right_BD))
        logits_B: Array = self.model.score(left, right).cpu().numpy()
        return logits_B


def build_torch(tensors: Tensors, network: Network, device: str, encoder: nn.Module | None = None) -> TorchNetwork:
    """Return the network of checked tensors on a device (`cpu`, `cuda`, `mps`, `auto`)."""
    there = select_device(device)
    return TorchNetwork(checkpoint.build(tensors, network, encoder).to(there), there)


def on_device(verifier: Verifier, device: torch.device) -> Verifier:
    """Return a verifier that torch runs, with its network on a device. The given one stays where it is."""
    network = torch_network(verifier)
    if network.device == device:
        return verifier
    model = network.model  # a baseline has no weights to move
    moved = copy.deepcopy(model).to(device) if isinstance(model, nn.Module) else model
    return replace(verifier, network=TorchNetwork(moved, device))


def open_baseline(
    name: str,
    device: str = "cpu",
    *,
    encoder: str = EvalConfig.encoder,
    weights: str = EvalConfig.weights,
    offline: bool | None = None,
    reporter: Reporter = SILENT,
) -> Verifier:
    """Return a baseline by its name (config.BASELINES). Its scores are not logits before a calibration is fitted.

    encoder, weights, offline: of `frozen`; see model.frozen

    `dataclasses.replace(baseline, calibration=...)` gives it one.
    """
    there, view = select_device(device), None
    model: Model
    if name == FROZEN:
        from omnitwin.model.frozen import (
            frozen_baseline,
            frozen_view,
        )  # torchvision takes time, and is not always sound

        frozen = frozen_baseline(encoder, weights, offline, reporter).to(there)
        name, view, model = f"{FROZEN} {encoder}, {frozen.weights}", frozen_view(encoder), frozen
    else:
        model = BASELINES[name]()
    network = TorchNetwork(model, there)
    return Verifier(
        name=name,
        network=network,
        engine=TORCH,
        view=view,
        threshold=EVEN,
        probabilistic=False,
    )


def torch_network(verifier: Verifier) -> TorchNetwork:
    """Return the model of a verifier that torch runs, with its device. Open it with engine="torch"."""
    assert isinstance(verifier.network, TorchNetwork), f"{verifier.name} runs in {verifier.engine}"
    return verifier.network
