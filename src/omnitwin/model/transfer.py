"""Fit the tensors of a trained twin to a network of the same encoder that sees pictures of another size.

Convolutions take any size. The linear map after the blocks has weights for each place of the picture; they are
resampled over the places, as position embeddings of transformers are for other resolutions (Dosovitskiy et al. 2021,
"An Image is Worth 16x16 Words", sec. 3.2).

D features, C channels, H x W places
"""

from collections.abc import Mapping

from torch import Tensor
from torch.nn import functional as F

from omnitwin.errors import BadInput
from omnitwin.model.anatomy import BLOCKS, layout, member_prefixes
from omnitwin.recipes import Network

ENCODER = "encoder."  # before the names of its tensors
OUT = "out.weight"  # of the linear map after the blocks


def fitted(tensors: Mapping[str, Tensor], trained: Network, network: Network) -> dict[str, Tensor]:
    """Return the tensors of a trained network as those of another network. Raises BadInput if they have other shapes.

    tensors: by the names of model.anatomy.layout, of the network `trained`
    """
    result = dict(tensors)
    if trained.encoder == network.encoder and network.encoder in BLOCKS and trained.view != network.view:
        for out in (f"{ENCODER}{prefix}{OUT}" for prefix in member_prefixes(trained)):
            result[out] = _resampled(tensors[out], trained, network)
    if trained.members != network.members:
        result = _dealt(result, trained, network)
    wanted = layout(network)
    if {name: tuple(tensor.shape) for name, tensor in result.items()} != {
        name: kind[0] for name, kind in wanted.items()
    }:
        raise BadInput(
            f"a network with the encoder {trained.encoder} of {trained.channels} channels and the head {trained.head} "
            f"cannot start one with {network.encoder}, {network.channels} and {network.head}",
            "Start from a network of the same encoder, channels and head.",
        )
    return result


def _dealt(tensors: Mapping[str, Tensor], trained: Network, network: Network) -> dict[str, Tensor]:
    """Return the tensors of a network whose members begin as the trained ones are, in turn, as many as there are.

    Members that begin alike are parted by the batches that they learn from.
    """
    dealt = {name: tensor for name, tensor in tensors.items() if not name.startswith(ENCODER)}
    given = member_prefixes(trained)
    for place, prefix in enumerate(member_prefixes(network)):
        own = ENCODER + given[place % len(given)]
        for name in tensors:
            if name.startswith(own):
                dealt[f"{ENCODER}{prefix}{name.removeprefix(own)}"] = tensors[name]
    return dealt


def _resampled(weight_DP: Tensor, trained: Network, network: Network) -> Tensor:
    """Return the weights for other places. Their sum stays, so features keep their scale."""
    blocks = BLOCKS[network.encoder]
    (height, width), (rows, columns) = blocks.places(trained.view), blocks.places(network.view)
    weight_DCHW = weight_DP.float().view(len(weight_DP), -1, height, width)
    resampled = F.interpolate(weight_DCHW, (rows, columns), mode="bilinear", align_corners=False)
    return (resampled * (height * width / (rows * columns))).flatten(1).to(weight_DP.dtype)
