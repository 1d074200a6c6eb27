"""Make the bundled weights: train the recipe `strong` with several seeds, ship the first, write its model card.

A seed has two runs: one on all alphabets of the training set, whose network is shipped, and one that holds some out,
on which its threshold, its calibration and its limits of what is familiar are fitted; they are taken over. The network
is written in half precision, and examined. The card has the figures of all seeds. If the work was interrupted, call
this again: it continues runs and takes only the exams that are missing. The exams are only reported.

    python tools/weights.py --seeds 0 1 2
    python tools/weights.py --refit  # without training: what is familiar
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from omnitwin.config import TrainConfig
from omnitwin.model.checkpoint import load_checkpoint, save_checkpoint
from omnitwin.model.description import read_description
from omnitwin.model.locating import BUNDLED_WEIGHTS
from omnitwin.recipes import RECIPES, Recipe
from omnitwin.reports.operating import BY_OTHER_FITS, BY_OTHERS
from omnitwin.system.files import digest
from omnitwin.system.paths import CONFIG_FILE, STATE_FILE, WEIGHTS_FILE, runs_folder
from omnitwin.training.novelty import DRAWINGS, ground_of
from omnitwin.training.runs import training_images

RECIPE = RECIPES["strong"]
CARD = BUNDLED_WEIGHTS.with_name("README.md")
HALF, EXAMS, ORIGIN = "half.safetensors", "exams.json", "origin.txt"  # in a run's folder
WHOLE = "-all"  # ends the name of a run on all alphabets


def omnitwin(*words: str) -> str:
    """Run a command, with its progress in this terminal, and return its stdout. If it fails, exit with its code."""
    done = subprocess.run([sys.executable, "-m", "omnitwin", *words], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout


def train(seed: int, device: str, whole: bool) -> Path:
    """Start or continue a run of a seed, finish it, and return its folder, which also keeps the commit.

    whole: on all alphabets; else those that the recipe holds out are kept out
    """
    run = runs_folder() / f"{RECIPE.name}-seed-{seed}{WHOLE if whole else ''}"
    state = run / STATE_FILE
    if not state.exists():
        commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout
        words = ["--recipe", RECIPE.name, "--seed", str(seed), "--name", run.name, "--device", device]
        try:
            omnitwin("train", *words, *(("--holdout", "0") if whole else ()))
        finally:
            if state.exists():  # a run takes no folder that holds anything
                (run / ORIGIN).write_text(commit.strip() or "unknown", encoding="utf-8")
    elif read_description(state).iteration < RECIPE.iterations:
        omnitwin("train", "--resume", str(run), "--device", device)
    return run


def export(run: Path) -> None:
    """Write the network of a whole run in half precision, with what its fellow's held-out alphabets chose.

    Both are the last networks of their runs. What half precision loses is far below the exams' intervals.
    """
    network, description = load_checkpoint(run / WEIGHTS_FILE)
    judged = read_description(fellow_of(run) / WEIGHTS_FILE)
    assert judged.operating is not None
    operating = replace(
        judged.operating,
        data=f"{judged.dataset}, for a network trained alike without them",
        method=judged.operating.method.replace(BY_OTHERS, BY_OTHER_FITS),  # they did not choose this checkpoint
    )
    described = replace(
        description,
        threshold=judged.threshold,
        calibration=judged.calibration,
        operating=operating,
        novelty=familiar(judged.whole_recipe()),
    )
    save_checkpoint(run / HALF, network.half(), described)


def fellow_of(run: Path) -> Path:
    """Return the run with held-out alphabets, of a whole run's seed."""
    return run.with_name(run.name.removesuffix(WHOLE))


def familiar(recipe: Recipe) -> dict[str, Any]:
    """Return how a checkpoint knows drawings (images.novelty), with limits by the held-out alphabets of a recipe."""
    training, held_out = training_images(TrainConfig(recipe=recipe))
    assert held_out is not None
    ground = ground_of(training, held_out, recipe.network.view, recipe.seed, DRAWINGS)
    assert ground is not None
    assert ground.novelty is not None
    return ground.novelty


def refit() -> None:
    """Fit the shipped network's record of what is familiar again; write the card.

    The tensors stay as they are. The card keeps what it says of training and of other seeds.
    """
    network, description = load_checkpoint(BUNDLED_WEIGHTS)
    recipe = replace(description.whole_recipe(), holdout=RECIPE.holdout)
    described = replace(description, novelty=familiar(recipe))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / HALF
        save_checkpoint(file, network.half(), described)
        report = json.loads(omnitwin("eval", "--checkpoint", str(file), "--exam", "all", "--json"))
        shutil.copyfile(file, BUNDLED_WEIGHTS)
    CARD.write_text(_refitted(CARD.read_text(encoding="utf-8"), report), encoding="utf-8")


def _refitted(text: str, report: dict[str, Any]) -> str:
    """Return a card with the figures of the network as it is now."""
    facts = {
        r"[\d,]+ bytes": f"{BUNDLED_WEIGHTS.stat().st_size:,} bytes",
        r"Threshold .*?bias\n  [-\d.]+": threshold_line(report["network"]),
        r"SHA-256 \w+": f"SHA-256 {digest(BUNDLED_WEIGHTS, 'sha256')}",
    }
    for pattern, words in facts.items():
        text, count = re.subn(pattern, words, text, count=1, flags=re.DOTALL)
        assert count == 1, pattern
    start = text.index("| pairs | accuracy |")
    return text[:start] + "".join(f"| {' | '.join(row)} |\n" for exam in report["exams"] for row in rows(exam))


def threshold_line(network: dict[str, Any]) -> str:
    """Return what the card says of threshold and calibration."""
    return (
        f"Threshold {network['threshold']:.4f} of the calibrated probability (temperature "
        f"{network['temperature']:.3f}, bias\n  {network['bias']:.3f}"
    )


def examine(run: Path) -> dict[str, Any]:
    """Return the report of all exams of the network in half precision."""
    if not (run / EXAMS).exists():
        words = ("eval", "--checkpoint", str(run / HALF), "--exam", "all", "--json")
        (run / EXAMS).write_text(omnitwin(*words), encoding="utf-8")
    report: dict[str, Any] = json.loads((run / EXAMS).read_text(encoding="utf-8"))
    return report


def card(runs: list[Path], reports: list[dict[str, Any]]) -> str:
    """Return the model card of the first run as Markdown, with the figures of the exams."""
    shipped, network, seen = runs[0], reports[0]["network"], RECIPE.network
    config = json.loads((shipped / CONFIG_FILE).read_text(encoding="utf-8"))
    judged = read_description(fellow_of(shipped) / WEIGHTS_FILE)
    alone = " No other was trained yet." if len(runs) == 1 else ""
    facts = f"""# Model card of the bundled weights

- Network: encoder `{seen.encoder}`, {seen.members} members, head `{seen.head}`, {seen.image_size} x {seen.image_size}
  pixels, drawings framed by their ink; {(shipped / HALF).stat().st_size:,} bytes in half precision.
- Recipe `{RECIPE.name}`, seed {seed_of(shipped)}, {network["iterations"]:,} iterations; trained in
  {config["precision"]} on {config["device"]}, torch {config["torch"]}, begun at commit
  {(shipped / ORIGIN).read_text(encoding="utf-8").strip()}. `make weights` makes them again.
- Data: Omniglot's background set, all 30 alphabets (Lake, Salakhutdinov, Tenenbaum 2015, MIT licence). Threshold,
  calibration and what is refused were chosen for a network trained alike, but without these five alphabets:
  {", ".join(judged.held_out)}.
- {threshold_line(network)}; half of the weight of the dissimilar pairs is on those of one alphabet).
- SHA-256 {network["weights_sha256"]}

Use it for handwritten characters: ink on paper, one in an image, drawn, scanned or photographed. Do not use it for
faces or signatures, for anything that decides about a person's rights or money, for words or whole lines, or for
photographs of things. Of images that are far from the training images, and of pages without one drawing, `compare` says
that it cannot tell. Below, `refused` is the share of pairs of drawings for which it wrongly says so, and `false_alarms`
the share of drawings.

The exams are those of {reports[0]["dataset"]}, whose characters no run has seen. They chose nothing, with one
exception: what is refused has limits that the training set's drawings gave, but false alarms on the test set were known
when it was decided how.

## Seeds

Values in percent, with 95 % intervals. Other seeds start from other weights and draw other batches, and other alphabets
chose their thresholds. Seed {seed_of(shipped)} is shipped; that was decided before any was trained.{alone}

| seed | all pairs: balanced accuracy | EER | official error | one-shot accuracy |
| --- | --- | --- | --- | --- |
"""
    seeds = "".join(f"| {' | '.join(summary(*seed))} |\n" for seed in zip(runs, reports, strict=True))
    heading = """
## All exams of the shipped weights

One-shot is 20-way within an alphabet. Intervals are bootstraps over characters or alphabets, or Wilson's; `omnitwin
eval --exam all` says which. `beyond` takes random pairs and varies each image at random, as its line says.

| exam | figure | value | 95 % interval | n |
| --- | --- | --- | --- | --- |
"""
    figures = "".join(f"| {' | '.join(row)} |\n" for exam in reports[0]["exams"] for row in rows(exam))
    return facts + seeds + heading + figures


def seed_of(run: Path) -> int:
    return int(read_description(run / HALF).recipe["seed"])


def summary(run: Path, report: dict[str, Any]) -> tuple[str, ...]:
    """Return a row of the table of seeds."""
    measures = {(exam["exam"], found["name"]): found for exam in report["exams"] for found in exam["measures"]}
    cells = [("all-pairs", "balanced_accuracy"), ("all-pairs", "eer"), ("official", "error"), ("one-shot", "accuracy")]
    return str(seed_of(run)), *(percent(measures[cell]) for cell in cells)


def percent(measure: dict[str, Any]) -> str:
    low, high = (f"{100 * bound:.1f}" for bound in measure["interval"])
    return f"{100 * measure['value']:.1f} ({low} to {high})"


def rows(exam: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield the figures of an exam, and those of its parts if it is an exam of variations."""
    parts = [(exam["exam"], exam["measures"])]
    if exam["grouped_by"] == "variation":
        parts += [(f"{exam['exam']}: {group['name']}", group["measures"]) for group in exam["groups"]]
    for name, measures in parts:
        for measure in measures:
            interval = "{:.4f} to {:.4f}".format(*measure["interval"]) if measure["interval"] else "none"
            yield name, measure["name"], f"{measure['value']:.4f}", interval, f"{measure['n']:,}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="the first is shipped")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--refit", action="store_true", help="what is familiar to the shipped network")
    options = parser.parse_args()
    if options.refit:
        refit()
        return
    for seed in options.seeds:
        train(seed, options.device, whole=False)
    runs = [train(seed, options.device, whole=True) for seed in options.seeds]
    for run in runs:
        if not (run / HALF).exists():
            export(run)
    reports = [examine(run) for run in runs]
    shutil.copyfile(runs[0] / HALF, BUNDLED_WEIGHTS)
    CARD.write_text(card(runs, reports), encoding="utf-8")
    print(f"{BUNDLED_WEIGHTS} and {CARD.name}")


if __name__ == "__main__":
    main()
