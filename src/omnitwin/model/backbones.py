"""Foreign networks as encoders: `--encoder resnet50` of torchvision, and `--encoder timm:NAME` of timm.

The last linear map, which names ImageNet's classes, is replaced by an embedding: the features are standardised (batch
norm without weights) and mapped to EMBEDDING numbers. The mean and standard deviation that the weights expect of a
picture are kept with the network, so that an answer needs the checkpoint alone.

B images, C channels, H x W pixels, F features of the backbone
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from omnitwin.errors import BadInput, CannotRun
from omnitwin.recipes import EMBEDDING, TIMM, Network, View
from omnitwin.system.tensorfile import Layout

BACKBONE = "backbone"  # of BackboneEncoder: what the weights are loaded into
MADE = (torch.empty, torch.ones, torch.zeros)  # the functions by which layers allocate their tensors
AUXILIARY = {"googlenet", "inception_v3"}  # have classifiers halfway, which only their own training uses
SQUARES = {"maxvit_t": "input_size", "vit": "image_size"}  # build for one size, by the name of that parameter


class Headless(NamedTuple):
    """A network without its classifier."""

    module: nn.Module  # (B, 3, H, W) -> (B, F)
    features: int  # F
    mean_3: tuple[float, ...]  # of the pixels that the weights expect, from 0 to 1
    std_3: tuple[float, ...]


class BackboneEncoder(nn.Module):
    """A foreign network, then an embedding. (B, C, H, W) -> (B, EMBEDDING); a grey image becomes three equal channels.

    It takes the features (B, F) of `look` in place of images, too, so that a frozen backbone sees each image once.

    pretrained: whether the backbone's batch norms keep their statistics in training
    still: whether no gradient reaches the backbone
    """

    features = EMBEDDING
    mean: Tensor
    std: Tensor

    def __init__(self, network: Network) -> None:
        super().__init__()
        headless = _headless(network.encoder, network.view)
        self.backbone = headless.module
        self.norm = nn.BatchNorm1d(headless.features, affine=False)
        self.out = nn.Linear(headless.features, EMBEDDING)
        for name, numbers_3 in (("mean", headless.mean_3), ("std", headless.std_3)):
            self.register_buffer(name, torch.tensor(numbers_3).view(1, 3, 1, 1))
        self.pretrained = self.still = False

    def forward(self, images: Tensor) -> Tensor:
        features_BF = images if images.dim() == 2 else self.look(images)
        embeddings: Tensor = self.out(self.norm(features_BF))
        return embeddings

    def look(self, images_BCHW: Tensor) -> Tensor:
        """Return the backbone's features (B, F) of images from 0 to 1."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.still):
            features: Tensor = self.backbone((images_BCHW - self.mean) / self.std).flatten(1)
        return features

    def hold(self, still: bool) -> None:
        """Keep the backbone as it is in the next steps, or let it move again."""
        self.still = still
        self.train(self.training)

    def train(self, mode: bool = True) -> "BackboneEncoder":
        super().train(mode)
        self.backbone.train(mode and not self.still)
        if self.pretrained:
            for part in self.backbone.modules():
                if isinstance(part, nn.modules.batchnorm._BatchNorm):
                    part.eval()
        return self


def torchvision_models() -> Any:
    """Return torchvision.models. Raises CannotRun if it does not work here."""
    try:
        import torchvision.models
    except Exception as error:  # a torchvision of another build fails in more ways than ImportError
        raise CannotRun(
            f"torchvision does not work here: {error}",
            "Install the build that goes with your torch: pip install --force-reinstall torch torchvision",
        ) from error
    return torchvision.models


def timm_library() -> Any:
    """Return timm. Raises CannotRun if it is not installed, or does not work here."""
    try:
        import timm
    except Exception as error:
        raise CannotRun(f"timm does not work here: {error}", "Install it: pip install 'omnitwin[timm]'") from error
    return timm


def layout(network: Network) -> Layout:
    """Return the layout of a backbone's encoder. Its tensors are not allocated."""
    with _Unallocated():
        tensors = BackboneEncoder(network).state_dict()
    return {name: (tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")) for name, tensor in tensors.items()}


def check_size(network: Network) -> None:
    """Raise BadInput if the encoder does not take images of the network's size. For timm, whose sizes are not known."""
    view = network.view
    try:
        with torch.inference_mode():
            BackboneEncoder(network).eval()(torch.zeros(1, view.channels, view.height, view.width))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise BadInput(
            f"{network.encoder} does not take images of {view.height} x {view.width} pixels: {error}",
            "Give another --image-size, such as 224.",
        ) from error


def moving(network: Network, frozen: bool) -> set[str]:
    """Return the names of the encoder's tensors that training moves. frozen: whether the backbone stays as it is"""
    with _Unallocated():
        names = {name for name, _ in BackboneEncoder(network).named_parameters()}
    return {name for name in names if not (frozen and name.startswith(f"{BACKBONE}."))}


def adopt(backbone: nn.Module, found: Mapping[str, Tensor]) -> list[str]:
    """Load a foreign network's tensors into a backbone; return what is missing, extra or of another shape.

    The classifier that a backbone lacks may be among the tensors. Names of old releases are understood, by the
    modules' own rules.
    """
    wanted = backbone.state_dict()
    spare = {part.split(".")[0] for part in found} - {name.split(".")[0] for name in wanted}
    removed = [name for name in found if name not in wanted and _is_of_classifier(name, spare)]
    tensors = OrderedDict((name, tensor) for name, tensor in found.items() if name not in removed)
    tensors._metadata = OrderedDict({"": {"version": type(backbone)._version}})  # type: ignore[attr-defined]
    try:
        keys = backbone.load_state_dict(tensors, strict=False)
    except RuntimeError as error:
        return [str(error).splitlines()[-1].strip()]
    return [*keys.missing_keys, *keys.unexpected_keys]


def _is_of_classifier(name: str, spare: set[str]) -> bool:
    return name.split(".")[0] in {*spare, "classifier", "fc", "head", "heads"}


def _headless(encoder: str, view: View) -> Headless:
    if encoder.startswith(TIMM):
        return _of_timm(encoder.removeprefix(TIMM))
    models = torchvision_models()
    options: dict[str, Any] = {}
    if encoder in AUXILIARY:  # their files' weights expect pixels that transform_input makes of the usual ones
        options = {"aux_logits": False, "transform_input": True, "init_weights": True}
    for start, option in SQUARES.items():
        if encoder.startswith(start):
            options[option] = (view.height, view.height) if option == "input_size" else view.height
    seen = models.get_model_weights(encoder).DEFAULT.transforms()
    module = models.get_model(encoder, weights=None, **options)
    return Headless(module, _without_classifier(module), tuple(seen.mean), tuple(seen.std))


def _of_timm(name: str) -> Headless:
    timm = timm_library()
    if not timm.is_model(name):  # other names can mean a download
        raise BadInput(f"timm has no model called {name!r}", "In Python, timm.list_models() lists them.")
    module = timm.create_model(name, pretrained=False, num_classes=0)
    return Headless(module, module.num_features, module.pretrained_cfg["mean"], module.pretrained_cfg["std"])


def _without_classifier(module: nn.Module) -> int:
    """Replace the last linear map by nothing; return how many features it took."""
    linear = [name for name, part in module.named_modules() if isinstance(part, nn.Linear)]
    if not linear:  # SqueezeNet classifies each place by a convolution
        classifier: Any = module.classifier
        features = int(classifier[1].in_channels)
        module.classifier = nn.AdaptiveAvgPool2d(1)
        return features
    features = int(module.get_submodule(linear[-1]).in_features)  # type: ignore[arg-type]
    module.set_submodule(linear[-1], nn.Identity())
    return features


class _Unallocated(TorchFunctionMode):
    """Make the tensors of new layers without memory, on torch's device `meta`.

    `with torch.device("meta")` would also take what RegNet computes its widths from.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        if func in MADE:
            options["device"] = "meta"
        return func(*args, **options)
