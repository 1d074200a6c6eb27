"""The baseline `frozen`: the features of a network that others trained on ImageNet, as downloaded, compared by cosine.

It says what a network of one's own has to beat.

A left and B right images, C channels, F features
"""

import torch
from torch import nn
from torch.nn import functional as F

from omnitwin.model.backbones import BackboneEncoder
from omnitwin.model.pretrained import bring, read_pretrained
from omnitwin.recipes import Network, View, sides_of
from omnitwin.reports.progress import SILENT, Reporter

SIDE = 224  # pixels, for which nearly all of torchvision's weights were trained


class FrozenBaseline(nn.Module):
    """Score = cosine of the features of two images. weights: name of the file that they came in"""

    def __init__(self, encoder: BackboneEncoder, weights: str) -> None:
        super().__init__()
        self.encoder, self.weights = encoder.eval(), weights

    def embed(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        """Return features of length 1, (B, F)."""
        return F.normalize(self.encoder.look(images_BCHW).float(), dim=1)

    def score(self, left_BF: torch.Tensor, right_BF: torch.Tensor) -> torch.Tensor:
        return (left_BF * right_BF).sum(1)

    def prepare(self, embeddings_NF: torch.Tensor) -> torch.Tensor:
        return embeddings_NF

    def score_all(self, left_AF: torch.Tensor, right_BF: torch.Tensor) -> torch.Tensor:
        return left_AF @ right_BF.T


def frozen_view(encoder: str) -> View:
    """Return how an encoder sees a picture: in colour, with its aspect. Raises BadInput for a name that is none."""
    side = sides_of(encoder).only or SIDE
    return View(height=side, width=side, channels=3, frame="photo")


def frozen_baseline(
    encoder: str, weights: str, offline: bool | None = None, reporter: Reporter = SILENT
) -> FrozenBaseline:
    """Return the baseline with weights: `default`, which are fetched if they are missing, or a file's path.

    Raises BadInput for a file that is not what its name says or of another network, CannotRun and DownloadFailed if the
    default weights are not here and cannot be fetched.
    """
    view = frozen_view(encoder)
    network = Network(encoder=encoder, image_size=view.height, frame=view.frame, channels=view.channels)
    known = bring(network, weights, offline, reporter)
    tensors = read_pretrained(network, known)
    model = BackboneEncoder(network)
    model.load_state_dict({name.removeprefix("encoder."): tensor for name, tensor in tensors.items()}, strict=False)
    return FrozenBaseline(model, known.name)
