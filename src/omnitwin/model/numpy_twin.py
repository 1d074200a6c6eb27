"""The twin network in NumPy: it answers before torch would have been imported.

It runs encoders of blocks with the head `distance`. Embeddings and scores equal torch's but for rounding. Channels come
last, so that the 3 x 3 places under a convolution are three runs of numbers in memory: copied, then one matrix product.

B images, H x W places, C channels before and O after, D features
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from omnitwin.metrics.arrays import Array
from omnitwin.model.anatomy import BLOCKS, for_blocks, layout, member_prefixes
from omnitwin.model.description import FORMAT, Description, describe, opened, record_of
from omnitwin.model.tensors import Tensors, read_tensors
from omnitwin.recipes import Network
from omnitwin.system.portions import portions

EMBED_AT_ONCE = 16  # images, whose maps stay in the processor's cache
VARIANCE_EPSILON = 1e-5  # of torch's BatchNorm2d
QUIET = np.errstate(all="ignore")  # as torch does: Verifier refuses a probability that is not a number
LEAST_LENGTH = 1e-12  # of an embedding that is scaled to length 1, as in torch's normalize


def runs_in_numpy(network: Network) -> bool:
    """Return whether NumpyTwin can run a network."""
    return network.encoder in BLOCKS and network.head == "distance"


@dataclass(frozen=True, eq=False)
class Convolution:
    """A 3 x 3 convolution padded with zeros, (B, H, W, C) -> (B, H, W, O).

    weight_KO: weights as one matrix, K = 9 C
    bias_O: None for no bias
    """

    weight_KO: Array
    bias_O: Array | None = None

    def __call__(self, x_BHWC: Array) -> Array:
        batch, height, width, channels = x_BHWC.shape
        padded = np.zeros((batch, height + 2, width + 2, channels), np.float32)
        padded[:, 1:-1, 1:-1] = x_BHWC
        rows = padded.reshape(batch, height + 2, -1)
        seen_BHW3R = sliding_window_view(rows, (3, 3 * channels), axis=(1, 2))[:, :, ::channels]
        # one product an image, so that its result depends on no other image of the batch
        y: Array = seen_BHW3R.reshape(batch, height * width, -1) @ self.weight_KO
        if self.bias_O is not None:
            y += self.bias_O
        return y.reshape(batch, height, width, -1)


@dataclass(frozen=True, eq=False)
class Block:
    """Convolution, max-pool, scale and shift (batch norm), ReLU; then residual pairs of convolutions.

    The scale comes after the pool and is not folded into the weights: a negative scale would turn maxima into minima.
    """

    convolution: Convolution
    scale_O: Array
    shift_O: Array
    residual: tuple[tuple[Convolution, Convolution], ...]

    def __call__(self, x_BHWC: Array) -> Array:
        x = max_pool(self.convolution(x_BHWC)) * self.scale_O
        x += self.shift_O
        relu(x)
        for first, second in self.residual:
            x = x + second(relu(first(x)))
            relu(x)
        return x


@dataclass(frozen=True, eq=False)
class Encoder:
    """Blocks, then a linear map to the features, (B, H, W, C) -> (B, D)."""

    blocks: tuple[Block, ...]
    out_KD: Array
    pooled: bool = False

    def __call__(self, x_BHWC: Array) -> Array:
        x = x_BHWC
        for block in self.blocks:
            x = block(x)
        if self.pooled:
            x = x.mean((1, 2))
        features_BD: Array = (x.reshape(len(x), 1, -1) @ self.out_KD)[:, 0]
        return features_BD


@dataclass(frozen=True, eq=False)
class NumpyTwin:
    """One encoder for both images, and a score that falls with the squared distance of their embeddings.

    members: encoders side by side; their features, each scaled to length 1, are in a row in an embedding
    """

    members: tuple[Encoder, ...]
    scale: np.float32
    bias: np.float32
    frame: str = "whole"

    @QUIET
    def embed(self, images_BCHW: Array) -> Array:
        """Return embeddings (B, D) float32 of length 1 for images from 0 (black, ink) to 1 (white, paper).

        Images of a single channel may come as (B, H, W).
        """
        return self.scaled(self.features(images_BCHW))

    @QUIET
    def features(self, images_BCHW: Array) -> Array:
        """Return features (B, D) float32, which scaled turns into embeddings."""
        parts = portions(len(images_BCHW), EMBED_AT_ONCE, max(images_BCHW.shape[-2:]))
        return np.concatenate([self._features(images_BCHW[part]) for part in parts])

    @QUIET
    def scaled(self, features_BD: Array) -> Array:
        """Return embeddings (B, D) of length 1."""
        members = len(self.members)
        units = [_of_length_1(part_BD) for part_BD in np.split(features_BD, members, axis=1)]
        embeddings_BD: Array = np.concatenate(units, 1) / np.sqrt(np.float32(members))
        return embeddings_BD

    @QUIET
    def score(self, left_BD: Array, right_BD: Array) -> Array:
        """Return logits (B,) of the probability that each pair of embeddings shows the same thing."""
        logits_B: Array = self.bias - self.scale * np.square(left_BD - right_BD).sum(-1)
        return logits_B

    def _features(self, images: Array) -> Array:
        images_BHWC = images[..., None] if images.ndim == 3 else images.transpose(0, 2, 3, 1)
        x: Array = for_blocks(images_BHWC.astype(np.float32), self.frame)
        return np.concatenate([member(x) for member in self.members], 1)


def load_numpy(path: Path) -> tuple[NumpyTwin, Description]:
    """Return the network of a checkpoint that runs_in_numpy, with its description. Raises BadCheckpoint."""
    with opened(path, "numpy") as file:
        description = describe(path, record_of(path, file, FORMAT))
        tensors = read_tensors(path, file, layout(description.network))
    return build(tensors, description.network), description


@QUIET
def build(tensors: Tensors, network: Network) -> NumpyTwin:
    """Return the network of tensors that read_tensors has checked, named as in torch."""
    return NumpyTwin(
        members=tuple(_encoder(tensors, f"encoder.{prefix}", network) for prefix in member_prefixes(network)),
        scale=np.float32(np.exp(tensors["head.log_scale"])),
        bias=np.float32(tensors["head.bias"]),
        frame=network.frame,
    )


def _encoder(tensors: Tensors, prefix: str, network: Network) -> Encoder:
    anatomy = BLOCKS[network.encoder]
    out_DOHW = tensors[f"{prefix}out.weight"].reshape(-1, anatomy.widths[-1], *anatomy.places(network.view))
    return Encoder(
        blocks=tuple(_block(tensors, f"{prefix}blocks.{i}", pairs) for i, pairs in enumerate(anatomy.residual)),
        out_KD=np.ascontiguousarray(out_DOHW.transpose(2, 3, 1, 0).reshape(-1, anatomy.features)),
        pooled=anatomy.pooled,
    )


def _of_length_1(features_BD: Array) -> Array:
    """Return features scaled to length 1, (B, D)."""
    length_B1 = np.sqrt(np.square(features_BD).sum(1, keepdims=True))
    unit_BD: Array = features_BD / np.maximum(length_B1, LEAST_LENGTH)
    return unit_BD


def max_pool(x_BHWC: Array) -> Array:
    """Return the largest of each 2 x 2 places. An odd last row or column is dropped, as in torch."""
    height, width = (side // 2 * 2 for side in x_BHWC.shape[1:3])
    rows = np.maximum(x_BHWC[:, 0:height:2], x_BHWC[:, 1:height:2])
    return np.maximum(rows[:, :, 0:width:2], rows[:, :, 1:width:2])


def relu(x: Array) -> Array:
    """Replace numbers below 0 by 0, in place."""
    return np.maximum(x, 0, out=x)


def _block(tensors: Tensors, name: str, pairs: int) -> Block:
    scale_O, shift_O = _scale_and_shift(tensors, f"{name}.norm")
    residual = tuple(
        (_folded(tensors, f"{name}.residual.{j}", 0), _folded(tensors, f"{name}.residual.{j}", 3)) for j in range(pairs)
    )
    return Block(Convolution(_matrix(tensors[f"{name}.conv.weight"])), scale_O, shift_O, residual)


def _folded(tensors: Tensors, name: str, place: int) -> Convolution:
    """Return a convolution whose weights and bias include the batch norm that follows it."""
    scale_O, shift_O = _scale_and_shift(tensors, f"{name}.{place + 1}")
    return Convolution(_matrix(tensors[f"{name}.{place}.weight"]) * scale_O, shift_O)


def _scale_and_shift(tensors: Tensors, name: str) -> tuple[Array, Array]:
    """Return batch norm, with its running statistics, as scale and shift: y = scale x + shift."""
    mean_O, variance_O = tensors[f"{name}.running_mean"], tensors[f"{name}.running_var"]
    scale_O = tensors[f"{name}.weight"] / np.sqrt(variance_O + VARIANCE_EPSILON)
    return scale_O, tensors[f"{name}.bias"] - mean_O * scale_O


def _matrix(weight_OCHW: Array) -> Array:
    return np.ascontiguousarray(weight_OCHW.transpose(2, 3, 1, 0).reshape(-1, len(weight_OCHW)))
