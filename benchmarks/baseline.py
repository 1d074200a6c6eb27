"""Train the example's twin network on Omniglot the usual way, in plain PyTorch: omnitwin is measured against it.

A Dataset opens two PNG files an item; a DataLoader has workers; fp32; a forward call for each twin; ReLU before
max-pool, as the example lists its layers. The code is as good as such code commonly is: in-place ReLU, NumPy instead of
torchvision's slower to_tensor, files freshly written and so in the page cache. It uses nothing of omnitwin.

    python benchmarks/baseline.py --zip images_background.zip --steps 4 --workers 2
"""

import argparse
import random
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import WARM_UP_STEPS, extracted, peak_rss, print_steps
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

BATCH_SIZE = 180  # pairs (the example)
LEARNING_RATE, BETAS = 6e-5, (0.9, 0.99)  # of Adam (the example)


class PairDataset(Dataset[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]):
    """Random pairs of drawings, similar with probability 1/2, whatever the index."""

    def __init__(self, folder: Path, pairs: int) -> None:
        self.characters = [sorted(character.glob("*.png")) for character in sorted(folder.glob("*/*"))]
        self.pairs = pairs

    def __len__(self) -> int:
        return self.pairs

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        similar = random.random() < 0.5
        if similar:
            left, right = random.sample(random.choice(self.characters), 2)
        else:
            left, right = (random.choice(character) for character in random.sample(self.characters, 2))
        return read_image(left), read_image(right), torch.tensor(float(similar))


def read_image(path: Path) -> torch.Tensor:
    """Return an image as (1, 105, 105) float32, ink 0 and paper 1."""
    with Image.open(path) as image:
        return torch.from_numpy(np.asarray(image, dtype=np.float32)).unsqueeze(0)


class Twins(nn.Module):
    """The example's network: probability (B,) that two images (B, 1, 105, 105) show the same character."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 64, 10),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(64, 128, 7),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(128, 128, 4),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(128, 256, 5),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Linear(256 * 5 * 5, 4096),
        )
        self.head = nn.Linear(4096, 1)
        for parameter in self.parameters():
            nn.init.normal_(parameter, 0.0, 0.01)

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        left_features = torch.sigmoid(self.encoder(left))
        right_features = torch.sigmoid(self.encoder(right))
        return torch.sigmoid(self.head(torch.abs(left_features - right_features))).squeeze(1)


def train(folder: Path, steps: int, workers: int) -> dict[str, Any]:
    """Return the seconds of each step, from the end of the step before to its own end: waiting for data counts."""
    torch.manual_seed(0)
    random.seed(0)
    loader = DataLoader(
        PairDataset(folder, (WARM_UP_STEPS + steps) * BATCH_SIZE), batch_size=BATCH_SIZE, num_workers=workers
    )
    network = Twins()
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, betas=BETAS)
    seconds = []
    start = time.perf_counter()
    for left, right, similar in loader:
        loss = F.binary_cross_entropy(network(left, right), similar)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        end = time.perf_counter()
        seconds.append(end - start)
        start = end
    return {
        "seconds": seconds[WARM_UP_STEPS:],
        "loss": loss.item(),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "threads": torch.get_num_threads(),
        "workers": workers,
        "peak_bytes": peak_rss(resource.RUSAGE_SELF),
        "largest_child_peak_bytes": peak_rss(resource.RUSAGE_CHILDREN),  # pages shared with the parent included
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Time training steps written the usual way.")
    parser.add_argument("--zip", type=Path, required=True, metavar="PATH", help="Omniglot's images_background.zip")
    parser.add_argument("--steps", type=int, default=4, help="steps to time (4)")
    parser.add_argument("--workers", type=int, default=2, help="DataLoader processes, 0 for none (2)")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    arguments = parser.parse_args()
    with extracted(arguments.zip) as folder:
        print_steps(train(folder, arguments.steps, arguments.workers), arguments.json)


if __name__ == "__main__":
    main()
