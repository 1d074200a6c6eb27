"""Make the bundled weights: train the recipe `strong`, write its network in half precision, and its model card.

A run of that seed that is there already is gone on with, so a training that was cut short costs what was left of it.
Threshold, calibration and the best checkpoint come from the run's held-out alphabets; the exams are only reported.

    python tools/weights.py --seed 0
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from omnitwin.config import TrainConfig
from omnitwin.model.checkpoint import load_checkpoint, save_checkpoint
from omnitwin.model.description import BUNDLED_WEIGHTS, locate_checkpoint, read_description
from omnitwin.paths import STATE_FILE, runs_folder
from omnitwin.recipes import RECIPES
from omnitwin.workflows.heldout import training_images
from omnitwin.workflows.novelty import fit_on_variations

RECIPE = RECIPES["strong"]
CARD = BUNDLED_WEIGHTS.with_name("README.md")


def omnitwin(*words: str) -> str:
    """Standard output of a command; its progress goes to this terminal."""
    return subprocess.run(
        [sys.executable, "-m", "omnitwin", *words], stdout=subprocess.PIPE, text=True, check=True
    ).stdout


def train(seed: int, device: str) -> Path:
    """The finished run of a seed, begun or gone on with as needed."""
    run = runs_folder() / f"{RECIPE.name}-seed-{seed}"
    state = run / STATE_FILE
    if not state.exists():
        omnitwin("train", "--recipe", RECIPE.name, "--seed", str(seed), "--name", run.name, "--device", device)
    elif read_description(state).iteration < RECIPE.iterations:
        omnitwin("train", "--resume", str(run), "--device", device)
    return run


def export(run: Path) -> None:
    """The best network of a run with its tensors in half precision: what is lost is far below the exams' intervals."""
    network, description = load_checkpoint(locate_checkpoint(str(run)))
    recipe = description.recipe
    training, held_out = training_images(TrainConfig(recipe=recipe))
    assert held_out is not None
    novelty = fit_on_variations(training, held_out, recipe.image_size, recipe.seed)
    save_checkpoint(BUNDLED_WEIGHTS, network.half(), replace(description, novelty=novelty))


def card(report: dict[str, Any], seed: int) -> str:
    """The model card as Markdown, with the figures of the exams."""
    network = report["network"]
    commit = subprocess.run(["git", "describe", "--always"], capture_output=True, text=True).stdout.strip() or "unknown"
    facts = f"""# Model card of the bundled weights

- Network: encoder `{RECIPE.encoder}`, head `{RECIPE.head}`, {RECIPE.image_size} x {RECIPE.image_size} pixels, drawings
  framed by their ink; {BUNDLED_WEIGHTS.stat().st_size:,} bytes in half precision.
- Recipe `{RECIPE.name}`, seed {seed}, the best by its held-out alphabets: {network["iteration"]:,} of
  {network["iterations"]:,} iterations. Commit {commit}; `make weights` makes them again.
- Data: Omniglot's background set (30 alphabets; Lake, Salakhutdinov, Tenenbaum 2015, MIT licence). Kept out of
  training, for threshold, calibration and choice: {", ".join(network["held_out"])}.
- Threshold {network["threshold"]:.4f} of the calibrated probability (temperature {network["temperature"]:.3f}, bias
  {network["bias"]:.3f}; similar and dissimilar pairs weigh the same).
- SHA-256 {network["weights_sha256"]}

For: handwritten characters, ink on paper, one in an image; drawn, scanned or photographed. Not for: faces, signatures,
or anything on which a person's rights or money hang; words or whole lines; photographs of things. `compare` warns of
images far from what the network was trained on, and is wrong at the rates below.

Exams on {report["dataset"]}, whose characters the network never saw and on which nothing was chosen:

| exam | figure | value | 95 % interval | n |
| --- | --- | --- | --- | --- |
"""
    return facts + "".join(f"| {' | '.join(row)} |\n" for exam in report["exams"] for row in rows(exam))


def rows(exam: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """The figures of an exam, with those of its parts where it is one of variations."""
    parts = [(exam["exam"], exam["measures"])]
    if exam["grouped_by"] == "variation":
        parts += [(f"{exam['exam']}: {group['name']}", group["measures"]) for group in exam["groups"]]
    for name, measures in parts:
        for one in measures:
            low, high = one["interval"]
            yield name, one["name"], f"{one['value']:.4f}", f"{low:.4f} to {high:.4f}", f"{one['n']:,}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=RECIPE.seed)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    export(train(options.seed, options.device))
    report = json.loads(omnitwin("eval", "--checkpoint", str(BUNDLED_WEIGHTS), "--exam", "all", "--json"))
    CARD.write_text(card(report, options.seed), encoding="utf-8")
    print(f"{BUNDLED_WEIGHTS} and {CARD.name}")


if __name__ == "__main__":
    main()
