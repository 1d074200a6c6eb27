"""What networks are made of, in one table for torch, which trains them, and NumPy, which answers with them."""

from dataclasses import dataclass

from omnitwin.errors import BadInput
from omnitwin.recipes import OWN, Network


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """An encoder of blocks, then a linear map without bias to `features` numbers.

    A block: 3 x 3 convolution to `width` channels, 2 x 2 max-pool, batch norm, ReLU; behind it so many residual pairs
    of convolutions (He et al. 2016). Pooling comes before batch norm, which then has a quarter of the work.
    """

    widths: tuple[int, ...]
    residual: tuple[int, ...]
    features: int


BLOCKS = {
    "strong": Blocks(widths=(32, 64, 128), residual=(0, 1, 1), features=256),
}
IMAGE_SIZES = {"classic": 105, "small": 28, "resnet18": None, **dict.fromkeys(BLOCKS)}  # None: any that leaves a pixel
HEADS = ("difference", "distance")


def check(network: Network) -> None:
    """Raise BadInput if there is no such encoder or head, or no such encoder for images of that size."""
    encoder, image_size, head = network.encoder, network.image_size, network.head
    if head not in HEADS:
        raise BadInput(f"no head is called {head!r}", f"Use {' or '.join(HEADS)}.")
    if encoder == OWN:
        return
    if encoder not in IMAGE_SIZES:
        raise BadInput(f"no encoder is called {encoder!r}", f"Use {', '.join(IMAGE_SIZES)}.")
    needed = IMAGE_SIZES[encoder]
    if needed is not None and needed != image_size:
        raise BadInput(f"the encoder {encoder} takes {needed} x {needed} pixels, not {image_size} x {image_size}", "")
    if encoder in BLOCKS and image_size < (least := 2 ** len(BLOCKS[encoder].widths)):
        raise BadInput(f"the encoder {encoder} takes {least} x {least} pixels or more, not {image_size}", "")
