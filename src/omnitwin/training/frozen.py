"""Train with a backbone that stays as it is (`--freeze`): every image is embedded once, and batches are of features.

V versions, N images, B images of a batch, F features of the backbone
"""

from collections.abc import Iterator
from typing import Any, cast

import torch

from omnitwin.data.imageset import ImageSet
from omnitwin.data.sampling import AUGMENTATIONS, SAMPLERS, Batch, Sampler
from omnitwin.model.backbones import BackboneEncoder
from omnitwin.model.twin import TwinNetwork
from omnitwin.recipes import NoAugmentation, PretrainedWeights, Recipe
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.system.portions import portions
from omnitwin.system.randomness import Stream, random_generator
from omnitwin.training.heldout import HeldOutExam

EMBED_AT_ONCE = 64  # images


def is_frozen(recipe: Recipe) -> bool:
    """Return whether a recipe trains only the embedding of a foreign network."""
    return isinstance(recipe.initial, PretrainedWeights) and recipe.initial.freeze


def keep_pretrained(network: TwinNetwork, initial: PretrainedWeights) -> None:
    """Let the backbone's batch norms keep their statistics, and if it is frozen all of it."""
    encoder = cast(BackboneEncoder, network.encoder)
    encoder.pretrained = True
    if initial.freeze:
        encoder.backbone.requires_grad_(False)
        encoder.hold(True)


def new_sampler(images: ImageSet, recipe: Recipe, network: TwinNetwork) -> Sampler:
    """Return the sampler of a recipe: of images, or of features if the backbone is frozen."""
    if is_frozen(recipe):
        return FrozenSampler(images, recipe, network)
    return SAMPLERS[recipe.sampling.name](images, recipe.sampling, recipe.augmentation)


class _Rows:
    """A set whose images are the numbers of their rows, (B, 1): a single channel, so none comes in other colours."""

    shape = (1, 1, 1)

    def __init__(self, images: ImageSet) -> None:
        self._images = images

    def gather(self, rows_B: torch.Tensor) -> torch.Tensor:
        return rows_B[:, None]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._images, name)


class FrozenSampler:
    """Draw batches of the backbone's features: the images of another sampler, each in one of its versions."""

    def __init__(self, images: ImageSet, recipe: Recipe, network: TwinNetwork) -> None:
        initial = recipe.initial
        assert isinstance(initial, PretrainedWeights)
        varied = not isinstance(recipe.augmentation, NoAugmentation)
        self.versions = initial.versions if varied else 1
        self.images, self.recipe, self.network = images, recipe, network
        rows = cast(ImageSet, _Rows(images))
        self.inner = inner = SAMPLERS[recipe.sampling.name](rows, recipe.sampling, recipe.augmentation)
        inner.augment = lambda images, way_B, generator: images  # type: ignore[attr-defined]
        self.unit, self.size, self.classes, self.notes = inner.unit, inner.size, inner.classes, inner.notes
        self.labels, self.pairs, self.least, self.step = inner.labels, inner.pairs, inner.least, inner.step
        self.colourings = inner.colourings
        self.features_VNF: torch.Tensor | None = None

    @torch.no_grad()
    def look(self, reporter: Reporter = SILENT) -> torch.Tensor:
        """Embed every image in every version, unless that is done. Return the features (V, N, F) in half precision."""
        if self.features_VNF is not None:
            return self.features_VNF
        encoder, device, recipe = cast(BackboneEncoder, self.network.encoder), self.images.device, self.recipe
        vary = AUGMENTATIONS[recipe.augmentation.name](recipe.augmentation)
        versions, count = [], len(self.images)
        with reporter.task("Embedding the images", self.versions * count, "images") as advance:
            for version in range(self.versions):
                generator = random_generator(device, recipe.seed, Stream.VERSIONS, version)
                parts = []
                for part in portions(count, EMBED_AT_ONCE, max(self.images.shape[1:])):
                    rows_B = torch.arange(part.start, part.stop, device=device)
                    images = self.images.gather(rows_B)
                    if version:
                        images = vary(images, torch.zeros_like(rows_B), generator)
                    parts.append(encoder.look(images).half())
                    advance(len(rows_B))
                versions.append(torch.cat(parts))
        self.features_VNF = torch.stack(versions)
        return self.features_VNF

    def draw(self, generator: torch.Generator) -> Batch:
        """Return a batch of features (B, F) float32."""
        features_VNF = self.look()
        batch = self.inner.draw(generator)
        row_B = batch.images[:, 0]
        version_B = torch.randint(self.versions, row_B.shape, generator=generator, device=row_B.device)
        features_BF = features_VNF[version_B, row_B].float()
        return Batch(images=features_BF, label_B=batch.label_B, similar_P=batch.similar_P, alone=batch.alone)


class FrozenExam(HeldOutExam):
    """The held-out exam of a network with a frozen backbone, which sees each image once."""

    features: tuple[torch.Tensor, ...] = ()

    def inputs(self, network: TwinNetwork) -> Iterator[torch.Tensor]:
        if not self.features:
            encoder = cast(BackboneEncoder, network.encoder)
            self.features = tuple(encoder.look(part) for part in super().inputs(network))
        yield from self.features
