"""The architecture of each network, in one table for torch, which trains, and NumPy, which answers.

`layout` gives the shape of each tensor of a network without torch, so that a file is checked before a network is built.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from omnitwin.errors import BadInput
from omnitwin.recipes import EMBEDDING, OWN, Network, View, is_foreign
from omnitwin.system.tensorfile import Layout

Shape = tuple[int, ...]
Shapes = Iterator[tuple[str, Shape]]


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """An encoder of blocks, then a linear map without bias to the features.

    A block: 3 x 3 convolution, 2 x 2 max-pool, batch norm, ReLU, then residual pairs of convolutions (He et al. 2016).
    Pooling comes before batch norm, which then has a quarter of the work.

    pooled: whether the linear map takes the mean over all places, not each place by itself
    """

    widths: tuple[int, ...]  # channels of each block
    residual: tuple[int, ...]  # residual pairs in each block
    features: int  # of an image
    pooled: bool = False

    def places(self, view: View) -> tuple[int, int]:
        """Return rows and columns of the places that the linear map takes."""
        if self.pooled:
            return 1, 1
        return view.height >> len(self.widths), view.width >> len(self.widths)


@dataclass(frozen=True, kw_only=True)
class Anatomy:
    """What is known of an encoder without a build of it."""

    features: int  # of an image: the size of its embedding
    tensors: Callable[[View], Shapes]  # names and shapes of its tensors, by the images that it sees


def anatomy_of(network: Network) -> Anatomy:
    """Return the anatomy of a network whose encoder is one of recipes.ENCODERS."""
    encoder = network.encoder
    member = _of_blocks(BLOCKS[encoder]) if encoder in BLOCKS else ANATOMIES[encoder]
    return _side_by_side(member, member_prefixes(network))


def member_prefixes(network: Network) -> tuple[str, ...]:
    """Return how the names of each member's tensors begin within the encoder. An encoder alone has no prefix."""
    return ("",) if network.members == 1 else tuple(f"members.{m}." for m in range(network.members))


def features_of(network: Network) -> int:
    """Return how many numbers an embedding has. Raises KeyError for an encoder of the user's own."""
    return EMBEDDING if is_foreign(network) else anatomy_of(network).features


def for_blocks(images: Any, frame: str) -> Any:
    """Return images from 0 to 1, an array or a tensor, as blocks see them: drawings with paper 0, photos from -1 to 1.

    Convolutions pad with zeros, so a drawing goes on as paper outside.
    """
    return 2 * images - 1 if frame == "photo" else 1 - images


def layout(network: Network, own: Layout | None = None, features: int = 0) -> Layout:
    """Return the shape and number format of each tensor of a network, by torch's names.

    own: the layout of the user's own encoder, for an encoder called `own`
    features: the size of that encoder's embeddings

    Raises BadInput if the encoder is called `own` and own is None.
    """
    if network.encoder == OWN and own is None:
        raise BadInput("this network has an encoder of your own", "In Python, pass it: encoder=MODULE.")
    if own is None and is_foreign(network):
        from omnitwin.model import backbones  # torch runs it, so torch may say what it is made of

        own, features = backbones.layout(network), EMBEDDING
    if own is None:
        known = anatomy_of(network)
        shapes, features = dict(known.tensors(network.view)), known.features
        own = {name: (shape, "int64" if name.endswith("_tracked") else "float32") for name, shape in shapes.items()}
    head = {"log_scale": (), "bias": ()} if network.head == "distance" else {"weight": (1, features), "bias": (1,)}
    return {f"encoder.{name}": kind for name, kind in own.items()} | {
        f"head.{name}": (shape, "float32") for name, shape in head.items()
    }


def _classic(view: View) -> Shapes:
    for place, outputs, inputs, side in ((0, 64, 1, 10), (3, 128, 64, 7), (6, 128, 128, 4), (9, 256, 128, 5)):
        yield f"{place}.weight", (outputs, inputs, side, side)
        yield f"{place}.bias", (outputs,)
    yield from _linear("12", 4096, 256 * 5 * 5)


def _small(view: View) -> Shapes:
    for place, inputs, outputs in ((0, 1, 32), (4, 32, 64), (8, 64, 128)):
        yield from _normalised(f"{place}", f"{place + 1}", outputs, inputs)
    yield from _linear("13", 128, 128 * 3 * 3)


def _resnet18(view: View) -> Shapes:
    yield from _normalised("0.conv1", "0.bn1", 64, 1, side=7)
    inputs = 64
    for layer, width in enumerate((64, 128, 256, 512), start=1):
        for block in (0, 1):
            name = f"0.layer{layer}.{block}"
            yield from _normalised(f"{name}.conv1", f"{name}.bn1", width, inputs)
            yield from _normalised(f"{name}.conv2", f"{name}.bn2", width, width)
            if inputs != width:
                yield from _normalised(f"{name}.downsample.0", f"{name}.downsample.1", width, inputs, side=1)
            inputs = width
    yield from _linear("0.fc", 512, 512)


def _of_blocks(blocks: Blocks) -> Anatomy:
    def tensors(view: View) -> Shapes:
        inputs = view.channels
        for i, (width, pairs) in enumerate(zip(blocks.widths, blocks.residual, strict=True)):
            yield from _normalised(f"blocks.{i}.conv", f"blocks.{i}.norm", width, inputs)
            for j in range(pairs):
                for place in (0, 3):
                    name = f"blocks.{i}.residual.{j}"
                    yield from _normalised(f"{name}.{place}", f"{name}.{place + 1}", width, width)
            inputs = width
        rows, columns = blocks.places(view)
        yield "out.weight", (blocks.features, inputs * rows * columns)

    return Anatomy(features=blocks.features, tensors=tensors)


def _side_by_side(member: Anatomy, prefixes: tuple[str, ...]) -> Anatomy:
    """Return the anatomy of as many members as there are prefixes of their tensors' names."""

    def tensors(view: View) -> Shapes:
        for prefix in prefixes:
            for name, shape in member.tensors(view):
                yield f"{prefix}{name}", shape

    return Anatomy(features=len(prefixes) * member.features, tensors=tensors)


def _normalised(convolution: str, norm: str, outputs: int, inputs: int, side: int = 3) -> Shapes:
    """Yield the shapes of a convolution without bias and of the batch norm after it."""
    yield f"{convolution}.weight", (outputs, inputs, side, side)
    for name in ("weight", "bias", "running_mean", "running_var"):
        yield f"{norm}.{name}", (outputs,)
    yield f"{norm}.num_batches_tracked", ()


def _linear(name: str, outputs: int, inputs: int) -> Shapes:
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)


BLOCKS = {
    "strong": Blocks(widths=(32, 64, 128), residual=(0, 1, 1), features=256),
    "photo": Blocks(widths=(16, 32, 64, 128), residual=(0, 1, 1, 1), features=256),
}
ANATOMIES = {
    "classic": Anatomy(features=4096, tensors=_classic),
    "small": Anatomy(features=128, tensors=_small),
    "resnet18": Anatomy(features=512, tensors=_resnet18),
}
