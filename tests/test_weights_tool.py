"""`make weights`: the model card that it writes."""

import json
from dataclasses import replace

import pytest
from scripts import load_script

from omnitwin.model.checkpoint import save_checkpoint
from omnitwin.model.description import Description, read_description
from omnitwin.recipes import STRONG
from omnitwin.reports.operating import BY_OTHERS, HELD_OUT, OperatingPoint
from omnitwin.training.trainer import build_network


@pytest.fixture(scope="module")
def tool():
    return load_script("tools/weights.py")


def measure(name, value, interval):
    return {"name": name, "value": value, "interval": interval, "n": 1000}


def exam(name, *measures, grouped_by=None, groups=()):
    return {"exam": name, "measures": list(measures), "grouped_by": grouped_by, "groups": list(groups)}


@pytest.fixture
def run(tmp_path):
    """The folder of a finished run on all alphabets, beside that of its fellow, which held some out."""
    whole, fellow = tmp_path / "strong-seed-0-all", tmp_path / "strong-seed-0"
    whole.mkdir()
    fellow.mkdir()
    record = {"precision": "bf16", "device": "cpu (1 threads)", "torch": "9.9.9"}
    (whole / "config.json").write_text(json.dumps(record))
    (whole / "origin.txt").write_text("abc1234\n")
    facts = {"iteration": 7, "precision": "bf16", "dataset": "omniglot/training", "fingerprint": "0", "metrics": {}}
    network = build_network(STRONG)
    for file in ("half", "weights"):
        whole_recipe = replace(STRONG, holdout=0)
        save_checkpoint(whole / f"{file}.safetensors", network, Description.of_recipe(whole_recipe, **facts))
    facts |= {"held_out": ("Greek", "Latin"), "threshold": 0.4, "calibration": {"temperature": 2.0, "bias": 0.5}}
    rates = {"far": (0.1, (0.0, 0.2)), "frr": (0.1, (0.0, 0.2))}
    counts = {"similar": 10, "dissimilar": 20, "classes": 5, "data": "omniglot/training", "target": "balanced"}
    facts["operating"] = OperatingPoint.of_rates(rates, **counts, chosen_on=HELD_OUT, method=f"{BY_OTHERS}; Wilson")
    save_checkpoint(fellow / "weights.safetensors", network, Description.of_recipe(STRONG, **facts))
    return whole


@pytest.fixture
def report():
    network = {
        "iteration": 7,
        "iterations": 10_000,
        "held_out": [],
        "threshold": 0.5,
        "temperature": 1.0,
        "bias": 0.0,
        "weights_sha256": "f" * 64,
    }
    blurred = {"name": "blurred", "measures": [measure("balanced_accuracy", 0.9, [0.88, 0.92])]}
    exams = [
        exam(
            "all-pairs", measure("balanced_accuracy", 0.9776, [0.9758, 0.9793]), measure("eer", 0.022, [0.0204, 0.0236])
        ),
        exam("all-pairs", measure("ece", 0.01, None)),
        exam("official", measure("error", 0.02, [0.0081, 0.0483])),
        exam("one-shot", measure("accuracy", 0.8994, [0.8755, 0.9191])),
        exam("beyond", measure("auc", 0.99, [0.98, 1.0]), grouped_by="variation", groups=[blurred]),
    ]
    return {"dataset": "omniglot/test", "network": network, "exams": exams}


def test_the_card_names_commit_machine_alphabets_and_digest(tool, run, report):
    card = tool.card([run], [report])
    for word in ("abc1234", "bf16 on cpu (1 threads)", "torch 9.9.9", "Greek, Latin", "f" * 64, "10,000 iterations"):
        assert word in card


def test_the_network_of_all_alphabets_gets_what_its_fellows_held_out_ones_chose(tool, run, monkeypatch):
    asked = []
    monkeypatch.setattr(tool, "familiar", lambda recipe: asked.append(recipe))
    tool.export(run)
    described = read_description(run / "half.safetensors")
    assert (described.threshold, described.calibration) == (0.4, {"temperature": 2.0, "bias": 0.5})
    assert (described.held_out, described.recipe["holdout"]) == ((), 0)
    assert described.operating.data == "omniglot/training, for a network trained alike without them"
    assert described.operating.measured == "cross-validated on these classes"
    assert [recipe.holdout for recipe in asked] == [STRONG.holdout]


def test_the_card_gives_a_row_to_every_seed(tool, run, report):
    row = "| 0 | 97.8 (97.6 to 97.9) | 2.2 (2.0 to 2.4) | 2.0 (0.8 to 4.8) | 89.9 (87.5 to 91.9) |\n"
    assert tool.card([run, run, run], [report] * 3).count(row) == 3


def test_a_figure_without_an_interval_says_so(tool, report):
    assert ("all-pairs", "ece", "0.0100", "none", "1,000") in list(tool.rows(report["exams"][1]))


def test_variations_have_rows_of_their_own(tool, report):
    assert [row[0] for row in tool.rows(report["exams"][-1])] == ["beyond", "beyond: blurred"]
