"""Accuracy on other people's images: small sets, classes never trained on, by omnitwin's own train and evaluate.

Each set is a zip of class folders, NAME.zip in --own. The test classes are the 30 % whose names have the smallest
SHA-256. A table with a column `split` says so to omnitwin, which holds some of the other classes out by itself; these
choose the best weights and the threshold. Nothing is chosen on the test classes: to choose a recipe, --fold leaves them
out and tests on a third of the other classes.

    OMP_NUM_THREADS=2 python benchmarks/own_accuracy.py --own FOLDER --seeds 3
    python benchmarks/own_accuracy.py --own FOLDER --sets emoji coil100 --frozen-only
    python benchmarks/own_accuracy.py --own FOLDER --sets grocery --fold 0 --seeds 1 --change colours=0.0
"""

import argparse
import csv
import hashlib
import json
import os
import statistics
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import hardware, markdown_table, say

import omnitwin
from omnitwin.config import EvalConfig
from omnitwin.errors import OmnitwinError
from omnitwin.exams.evaluation import evaluate
from omnitwin.reports.exams import ExamReport

TESTED = 0.3  # share of the classes, the smallest by the SHA-256 of their names
FOLDS = 3  # of the classes that are no test classes
EXAMS = ("all-pairs", "retrieval")
RECIPES = {  # by the kind of picture, not by the set
    "coil100": "photo",
    "emoji": "photo",
    "grocery": "photo",
    "faces-orl": "photo",
    "signatures30": "ink",
    "signatures-crossmedia": "ink",
}
OPTIONS: dict[str, dict[str, Any]] = {  # what a user knows of the pictures; see docs/LOG.md
    # a face seen from the other side is that face; 400 pictures are learnt soon
    "faces-orl": {"flip": 0.5, "iterations": 200},
}
BACKBONE = {"encoder": "mobilenet_v2", "image_size": 128, "channels": 3}
BACKBONES = {  # what is trained of MobileNetV2, with --weights
    "MobileNetV2 frozen, its embedding trained": BACKBONE | {"freeze": True, "iterations": 500},
    "MobileNetV2 fine-tuned": BACKBONE | {"batch_size": 64, "iterations": 120, "learning_rate": 1e-3},
}
# few classes: folds choose the threshold, and the network trains on all classes; fewer folds where one takes minutes
FOLDED = {"grocery": 3, "faces-orl": 3, "signatures30": 5, "signatures-crossmedia": 5}


def write_table(archive: Path, folder: Path, fold: int | None) -> Path:
    """Unpack a zip of class folders, and write a table of its images with their split. Return the table.

    fold: None: the protocol's test classes; a number: one of FOLDS parts of the other classes, which alone are listed
    """
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    images = sorted(path for path in (folder / archive.stem).rglob("*") if path.is_file())
    classes = sorted({path.parent.name for path in images}, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    count = round(TESTED * len(classes))
    test, others = classes[:count], classes[count:]
    if fold is not None:
        classes, test = others, others[fold::FOLDS]
    table = folder / f"{archive.stem}.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "split"))
        for path in images:
            label = path.parent.name
            if label not in classes:
                continue
            writer.writerow((path.relative_to(folder), label, "test" if label in test else "train"))
    return table


def figures(exams: Sequence[ExamReport]) -> dict[str, Any]:
    """Return the figures of a network: shares, and the 95 % interval of the equal error rate by resampled classes."""
    pairs, search = exams
    rate = pairs.measure("eer")
    assert pairs.curves is not None
    at_best = max((right + 1 - wrong) / 2 for right, wrong in zip(pairs.curves.tar, pairs.curves.far, strict=True))
    return {
        "eer": rate.value,
        "interval": rate.interval or (0.0, 1.0),
        "balanced": pairs.measure("balanced_accuracy").value,
        "balanced_at_best": at_best,
        "recall_at_1": search.measure("recall_at_1").value,
    }


def trained(table: Path, recipe: str, folds: int, options: dict[str, Any], output: Path) -> dict[str, Any]:
    """Train a network by a recipe and return its figures on the test classes, with times.

    folds: of the classes that are no test classes: train over them and then on all; 0: train once
    """
    if folds:
        report = omnitwin.train_folds(without_test(table), folds, recipe=recipe, output=output, **options)
        assert report.weights is not None
        twin, facts = omnitwin.load(report.weights), {"seconds": report.seconds, "iterations": report.iterations}
    else:
        run = omnitwin.train(str(table), recipe=recipe, output=output, **options)
        names = ("seconds", "iteration", "best_iteration", "held_out_eer")
        twin, facts = run.twin, {name: getattr(run.report, name) for name in names}
    return figures(omnitwin.evaluate(twin, str(table), exams=list(EXAMS)).report.exams) | facts


def without_test(table: Path) -> Path:
    """Write the lines of a table that are no test's, without their split, beside it. Return the new table."""
    with table.open(newline="", encoding="utf-8") as file:
        lines = [(line["path"], line["label"]) for line in csv.DictReader(file) if line["split"] == "train"]
    training = table.with_name(f"{table.stem}-training.csv")
    with training.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label"), *lines])
    return training


def frozen(table: Path, weights: str) -> dict[str, Any] | None:
    """Return the figures of MobileNetV2 as downloaded; None if its weights are not here and cannot be fetched."""
    try:
        config = EvalConfig(baseline="frozen", weights=weights, dataset=str(table), exams=EXAMS)
        return figures(evaluate(config).exams)
    except OmnitwinError as error:
        say(f"no baseline: {error.line()}")
        return None


def row(name: str, what: str, runs: Sequence[dict[str, Any]]) -> list[str]:
    """Return a line of the table: means over seeds, and the least and greatest of the seeds' intervals."""

    def mean(key: str) -> float:
        return 100 * statistics.mean(float(run[key]) for run in runs)

    rates = [100 * run["eer"] for run in runs]
    low, high = min(run["interval"][0] for run in runs), max(run["interval"][1] for run in runs)
    seconds = [run["seconds"] / 60 for run in runs if "seconds" in run]
    return [
        name,
        what,
        f"{statistics.mean(rates):.1f} ({min(rates):.1f} to {max(rates):.1f})",
        f"{100 * low:.1f} to {100 * high:.1f}",
        f"{mean('balanced'):.1f}",
        f"{mean('balanced_at_best'):.1f}",
        f"{mean('recall_at_1'):.1f}",
        f"{statistics.mean(seconds):.1f}" if seconds else "-",
        str(len(runs)),
    ]


HEADER = ("set", "network", "EER (seeds)", "95 % interval", "balanced", "at best threshold", "R@1", "minutes", "n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Accuracy of omnitwin's recipes on small sets of other people's images."
    )
    own = os.environ.get("OMNITWIN_TEST_OWN")
    parser.add_argument("--own", type=Path, default=own, help="the folder of the zips (OMNITWIN_TEST_OWN)")
    parser.add_argument("--sets", nargs="+", choices=RECIPES, default=list(RECIPES), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=3, help="networks for each set (3)")
    parser.add_argument("--frozen-only", action="store_true", help="no training, only the baseline")
    parser.add_argument("--fold", type=int, choices=range(FOLDS), help="test on a part of the classes trained on")
    parser.add_argument("--once", action="store_true", help="train once, not over folds, also where classes are few")
    parser.add_argument("--change", nargs="+", default=[], metavar="NAME=VALUE", help="fields of the recipe, numbers")
    parser.add_argument("--weights", default="default", help="MobileNetV2's weights: a file (those of torchvision)")
    parser.add_argument("--json", action="store_true", help="all numbers as JSON instead of the table")
    arguments = parser.parse_args()
    if arguments.own is None or not arguments.own.is_dir():
        parser.error("the folder of the zips is missing: --own FOLDER")
    changes = {word.partition("=")[0]: json.loads(word.partition("=")[2]) for word in arguments.change}
    folds = {} if arguments.once else FOLDED
    machine = hardware()
    rows, everything = [], {}
    with tempfile.TemporaryDirectory(prefix="omnitwin-own-") as folder:
        for name in arguments.sets:
            table = write_table(arguments.own / f"{name}.zip", Path(folder), arguments.fold)
            runs = []
            for seed in range(0 if arguments.frozen_only else arguments.seeds):
                output = Path(folder) / f"{name}-{seed}"
                options = {"seed": seed} | OPTIONS.get(name, {}) | changes
                runs.append(trained(table, RECIPES[name], folds.get(name, 0), options, output))
                say(f"{name}, seed {seed}: {json.dumps(runs[-1])}")
            baseline = frozen(table, arguments.weights)
            backbones = {}
            for what, options in BACKBONES.items() if arguments.weights != "default" else ():
                output = Path(folder) / f"{name}-{what.partition(',')[0]}"
                backbones[what] = trained(table, "photo", 0, options | {"weights": arguments.weights}, output)
                say(f"{name}, {what}: {json.dumps(backbones[what])}")
                rows.append(row(name, what, [backbones[what]]))
            everything[name] = {"runs": runs, "frozen": baseline, "backbones": backbones}
            rows += [row(name, f"recipe {RECIPES[name]}", runs)] if runs else []
            rows += [row(name, "frozen", [baseline])] if baseline else []
    if arguments.json:
        json.dump({"hardware": machine, "sets": everything}, sys.stdout, indent=2)
        return
    print(f"{machine}. Figures in percent on the test classes; the interval covers those of all seeds.\n")
    print(markdown_table(HEADER, rows))


if __name__ == "__main__":
    main()
