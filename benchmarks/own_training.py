"""Training on images of the user's own: steps of the recipe photo beside the usual way, on the same files and network.

    pip install pytorch-metric-learning
    python benchmarks/own_training.py --rounds 5

`omnitwin` draws its batches from packed pixels and varies them as one tensor. The usual way decodes each file again:
torchvision's ImageFolder and transforms (resize, rotation and scale, mirror, colours, erasing), a DataLoader with two
workers, pytorch-metric-learning's sampler of classes and its contrastive loss. Network, size of batch, optimiser and
number format are the same. Both have their workers and caches warm; all files lie in the page cache. The workers of the
usual way have four batches ready when its round begins, so a round should have many more steps.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from common import WARM_UP_STEPS, hardware, markdown_table, say, spread
from own_images import drawn_place
from torch import nn

from omnitwin.config import SourceConfig, TrainConfig
from omnitwin.data.catalogue import open_own, part_of
from omnitwin.data.listing import TRAINING
from omnitwin.model.encoders import build_encoder
from omnitwin.recipes import PHOTO
from omnitwin.system.device import autocast
from omnitwin.training.trainer import Trainer

WORKERS = 2
PER_CLASS = 4  # images of a class in a batch
REST = 6.0  # seconds after a round of the usual way, in which its workers fill their queue: not in the other's time


def ours(place: Path, precision: str) -> tuple[Callable[[], Any], int]:
    """Return a function that takes a training step, and the images in it."""
    config = TrainConfig(recipe=PHOTO, dataset=place, device="cpu", precision=precision)
    images = part_of(open_own(place, SourceConfig(), view=PHOTO.network.view), TRAINING)
    trainer = Trainer(config, images)
    steps = iter(range(1, 1_000_000))
    return lambda: trainer.step(next(steps))[0].item(), trainer.sampler.size


def usual(place: Path, size: int, precision: str) -> Callable[[], Any]:
    """Return a function that takes a step of the usual way, with batches of this many images."""
    from pytorch_metric_learning.losses import ContrastiveLoss
    from pytorch_metric_learning.samplers import MPerClassSampler
    from torch.utils.data import DataLoader
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    part, view = PHOTO.augmentation, PHOTO.network.view
    look = transforms.Compose(
        [
            transforms.Resize((view.height, view.width)),
            transforms.RandomAffine(15, translate=(0.07, 0.07), scale=(0.8, 1.2)),
            transforms.ColorJitter(0.3, 0.3, 0.3, 0.05),
            transforms.ToTensor(),
            transforms.RandomErasing(0.3),
        ]
    )
    images = ImageFolder(str(place), look)
    sampler = MPerClassSampler(images.targets, PER_CLASS, batch_size=size, length_before_new_iter=10**7)
    loader = DataLoader(images, batch_size=size, sampler=sampler, num_workers=WORKERS, persistent_workers=True)
    encoder: nn.Module = build_encoder(PHOTO.network).to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=1e-3, fused=True)
    loss_of, batches = ContrastiveLoss(), iter(loader)
    assert part.name == "photo"

    def step() -> float:
        pictures, labels = next(batches)
        with autocast(torch.device("cpu"), precision):
            embeddings = encoder(pictures.contiguous(memory_format=torch.channels_last))
        loss = loss_of(embeddings.float(), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return float(loss.detach())

    return step


def rate(step: Callable[[], Any], steps: int, size: int) -> float:
    """Return images a second over some steps."""
    start = time.perf_counter()
    for _ in range(steps):
        step()
    return steps * size / (time.perf_counter() - start)


def measured(arguments: argparse.Namespace) -> Iterator[tuple[float, float]]:
    """Yield the images a second of both, in turn."""
    with drawn_place(arguments.images, arguments.size) as place:
        own, size = ours(place, arguments.precision)
        other = usual(place, size, arguments.precision)
        for step in (own, other):
            rate(step, WARM_UP_STEPS, size)
        for number in range(arguments.rounds):
            say(f"round {number + 1} of {arguments.rounds}")
            time.sleep(REST)
            yield rate(own, arguments.steps, size), rate(other, arguments.steps, size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000, help="files in the folder, 20 of each class")
    parser.add_argument("--size", type=int, default=400, help="pixels of the longer side of a file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=40, help="of each way in a round")
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    arguments = parser.parse_args()
    machine = hardware()
    found = list(measured(arguments))
    rows = [
        ["omnitwin, images/s", spread([own for own, _ in found], 0)],
        ["usual way, images/s", spread([other for _, other in found], 0)],
        ["omnitwin / usual way", spread([own / other for own, other in found], 2)],
    ]
    print(machine)
    print(
        f"{arguments.images:,} files of {arguments.size} pixels, {arguments.precision}, {arguments.steps} steps a round"
    )
    print(markdown_table([f"n = {arguments.rounds} rounds", "median (min to max)"], rows))


if __name__ == "__main__":
    main()
