"""Nothing heavy is imported before it is needed, so that help and every TAB come at once."""

import json
import os
import subprocess
import sys

import pytest

from omnitwin.cli import COMMANDS

HEAVY = ["torch", "torchvision", "numpy", "PIL", "matplotlib"]
PROGRAM = f"""
import io, json, os, sys
from contextlib import redirect_stderr, redirect_stdout
from omnitwin.cli import main

def call(words, variables):
    os.environ.update(variables)
    sys.argv = ["omnitwin", *words]
    out = io.StringIO()
    try:
        with redirect_stdout(out), redirect_stderr(io.StringIO()):
            main()
    except SystemExit as ended:
        heavy = [name for name in {HEAVY} if name in sys.modules]
        return int(ended.code or 0), out.getvalue(), heavy

print(json.dumps([call(*each) for each in json.loads(sys.argv[1])]))
"""


def calls(*each):
    """What several calls in one new process ended with, printed, and had imported by then."""
    command = [sys.executable, "-c", PROGRAM, json.dumps(each)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_help_version_and_completion_import_nothing_heavy():
    helps = [["--version"], ["--help"], *([name, "--help"] for name in COMMANDS)]
    tab = {"_OMNITWIN_COMPLETE": "complete_bash", "COMP_WORDS": "omnitwin tr", "COMP_CWORD": "1"}
    option = {"COMP_WORDS": "omnitwin train --recipe s", "COMP_CWORD": "3"}
    run = {"COMP_WORDS": "omnitwin compare --checkpoint ", "COMP_CWORD": "3"}
    exam = {"COMP_WORDS": "omnitwin eval --exam o", "COMP_CWORD": "3"}
    group = {"COMP_WORDS": "omnitwin runs re", "COMP_CWORD": "2"}
    again = {"COMP_WORDS": "omnitwin eval --exam pairs --exam a", "COMP_CWORD": "5"}
    field = {"COMP_WORDS": "omnitwin train --override ro", "COMP_CWORD": "3"}
    tabs = [[[], tab | words] for words in ({}, option, run, exam, again, field, group)]
    answers = calls(*([words, {}] for words in helps), *tabs)
    assert [heavy for _, _, heavy in answers] == [[]] * len(answers)
    assert [code for code, _, _ in answers] == [0] * len(answers)
    assert [text.split() for _, text, _ in answers[-7:]] == [
        ["train"],
        ["small", "strong"],
        ["bundled", "newest"],
        ["one-shot", "official"],
        ["all-pairs", "all"],
        ["rotation="],
        ["rename", "remove"],
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="libgomp is what torch has on Linux")
@pytest.mark.parametrize(
    ("variables", "spins"),
    [
        ({}, "10000"),
        pytest.param({"GOMP_SPINCOUNT": "77"}, "77", marks=pytest.mark.slow),
        pytest.param({"OMP_WAIT_POLICY": "PASSIVE"}, "0", marks=pytest.mark.slow),
    ],
)
def test_threads_that_wait_for_others_soon_give_up_their_core_unless_the_user_says_otherwise(variables, spins):
    known = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    told = subprocess.run(
        [sys.executable, "-m", "omnitwin", "env"],
        env=known | variables | {"OMP_DISPLAY_ENV": "VERBOSE"},
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    assert f"GOMP_SPINCOUNT = '{spins}'" in told


def test_wrong_words_import_nothing_heavy():
    wrong = (
        ["trian"],
        ["train", "--max-time", "soon"],
        ["train", "--recipe", "quick"],
        ["train", "--encoder", "mine"],
        ["train", "--override", "encoder=foo"],
        ["train", "--override", "head=foo"],
        ["train", "--override", "iteratoins=3"],
        ["train", "--encoder", "small"],
        ["train", "--image-size", "104"],
        ["train", "--data", "nowhere"],
        ["train", "--device", "banana"],
        ["train", "--precision", "fp8"],
        ["eval", "--batches", "0"],
        ["eval", "--exam", "oral"],
        ["eval", "--set", "mine"],
        ["eval", "--scope", "world"],
        ["eval", "--baseline", "guess"],
        ["eval", "--device", "cuda:x"],
        ["eval", "--precision", "fp8"],
        ["eval", "--data", "nowhere"],
        ["show", "--set", "mine"],
        ["show", "--data", "nowhere"],
        ["compare", "a.png", "b.png", "--device", "tpu"],
        ["report", "--exam", "oral"],
        ["demo", "--device", "banana"],
        ["duplicates", ".", "--linkage", "single"],
        ["duplicates", ".", "--far", "2"],
        ["duplicates", ".", "--far", "0.1", "--min-probability", "0.5"],
        ["group", ".", "--min-probability", "1"],
        ["map", ".", "--method", "tsne"],
    )
    answers = calls(*([words, {}] for words in wrong))
    assert [(code, heavy) for code, _, heavy in answers] == [(2, [])] * len(wrong)


def test_a_checkpoint_or_run_that_is_not_there_is_refused_without_torch():
    names = (["eval", "--checkpoint", "nowhere"], ["report", "nowhere"], ["report"], ["train", "--resume", "nowhere"])
    answers = calls(*([words, {}] for words in names))
    assert [code for code, _, _ in answers] == [3] * len(names)
    assert not [heavy for _, _, heavy in answers if "torch" in heavy]


def test_compare_with_weights_for_numpy_needs_no_torch(images, tmp_path):
    asked = (images, (*images, tmp_path), (*images, "--json"))
    for code, text, heavy in calls(*([["compare", *map(str, words), "--exit-zero"], {}] for words in asked)):
        assert code == 0
        assert "probability" in text
        assert heavy == ["numpy", "PIL"]


def test_a_ranking_without_a_figure_imports_nothing_that_draws_one(images, tmp_path):
    words = ["compare", *map(str, images), str(tmp_path)]
    command = [sys.executable, "-X", "importtime", "-m", "omnitwin", *words]
    imported = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert "omnitwin.answers.comparison" in imported
    assert not [name for name in ("PIL.ImageDraw", "PIL.ImageFont", "omnitwin.view.figures") if name in imported]


def test_runs_need_no_torch(trained):
    words = (["runs"], ["runs", "--json"], ["runs", "rename", "trained", "other"], ["runs", "remove", "nobody"])
    answers = calls(*([each, {}] for each in words))
    assert [code for code, _, _ in answers] == [0, 0, 0, 3]
    assert not [heavy for _, _, heavy in answers if "torch" in heavy]


def test_use_needs_no_torch():
    [(code, text, heavy)] = calls([["use", "bundled"], {}])
    assert code == 0
    assert "bundled" in text
    assert "torch" not in heavy


def test_compare_with_other_weights_needs_neither_torchvision_nor_matplotlib(trained, images):
    [(code, text, heavy)] = calls([["compare", *map(str, images), "--exit-zero"], {}])
    assert code == 0
    assert "probability" in text
    assert heavy == ["torch", "numpy", "PIL"]
