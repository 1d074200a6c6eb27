"""`make weights`: the model card that it writes."""

import json

import pytest
from scripts import load_script

from omnitwin.model.checkpoint import save_checkpoint
from omnitwin.model.description import Description
from omnitwin.recipes import STRONG
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
    """The folder of a finished run."""
    record = {"precision": "bf16", "device": "cpu (1 threads)", "torch": "9.9.9"}
    (tmp_path / "config.json").write_text(json.dumps(record))
    (tmp_path / "origin.txt").write_text("abc1234\n")
    described = {"precision": "bf16", "dataset": "omniglot/training", "fingerprint": "0", "metrics": {}}
    save_checkpoint(
        tmp_path / "half.safetensors", build_network(STRONG), Description.of_recipe(STRONG, iteration=7, **described)
    )
    return tmp_path


@pytest.fixture
def report():
    network = {
        "iteration": 7,
        "iterations": 10_000,
        "held_out": ["Greek", "Latin"],
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
    for word in ("abc1234", "bf16 on cpu (1 threads)", "torch 9.9.9", "Greek, Latin", "f" * 64, "7 of\n  10,000"):
        assert word in card


def test_the_card_gives_a_row_to_every_seed(tool, run, report):
    row = "| 0 | 7 | 97.8 (97.6 to 97.9) | 2.2 (2.0 to 2.4) | 2.0 (0.8 to 4.8) | 89.9 (87.5 to 91.9) |\n"
    assert tool.card([run, run, run], [report] * 3).count(row) == 3


def test_a_figure_without_an_interval_says_so(tool, report):
    assert ("all-pairs", "ece", "0.0100", "none", "1,000") in list(tool.rows(report["exams"][1]))


def test_variations_have_rows_of_their_own(tool, report):
    assert [row[0] for row in tool.rows(report["exams"][-1])] == ["beyond", "beyond: blurred"]
