"""A network that answers through torch, as the ones in NumPy do: arrays in, arrays out."""

from dataclasses import dataclass
from pathlib import Path

import torch

from omnitwin.model.checkpoint import load_checkpoint
from omnitwin.model.description import Description
from omnitwin.model.numpy_twin import Array
from omnitwin.model.twin import TwinNetwork
from omnitwin.system.device import select_device

EMBED_AT_ONCE = 64  # images


@dataclass(frozen=True, eq=False)
class TorchNetwork:
    """A twin network on its device."""

    network: TwinNetwork
    device: torch.device

    @torch.inference_mode()
    def embed(self, images_BSS: Array) -> Array:
        """Embeddings (B, D) float32 of images (B, S, S) from 0 for ink to 1 for paper."""
        images_B1SS = torch.from_numpy(images_BSS).float()[:, None]
        parts = [self.network.embed(part.to(self.device)).cpu() for part in torch.split(images_B1SS, EMBED_AT_ONCE)]
        embeddings_BD: Array = torch.cat(parts).numpy()
        return embeddings_BD

    @torch.inference_mode()
    def score(self, left_BD: Array, right_BD: Array) -> Array:
        """Logits (B,) of the probability that each pair of embeddings shows the same thing."""
        left, right = (torch.from_numpy(side).to(self.device) for side in (left_BD, right_BD))
        logits_B: Array = self.network.score(left, right).cpu().numpy()
        return logits_B


def load_torch(path: Path, device: str) -> tuple[TorchNetwork, Description]:
    network, description = load_checkpoint(path)
    there = select_device(device)
    return TorchNetwork(network.to(there), there), description
