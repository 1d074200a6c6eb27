"""Nothing heavy is imported before it is needed, so that help and every TAB come at once."""

import json
import subprocess
import sys

from omnitwin.cli import COMMANDS

HEAVY = ["torch", "torchvision", "numpy", "PIL"]
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
    answers = calls(*([words, {}] for words in helps), [[], tab], [[], tab | option], [[], tab | run])
    assert [heavy for _, _, heavy in answers] == [[]] * len(answers)
    assert [code for code, _, _ in answers] == [0] * len(answers)
    assert [text.split() for _, text, _ in answers[-3:]] == [["train"], ["small"], []]


def test_wrong_words_import_nothing_heavy():
    answers = calls([["train", "--max-time", "soon"], {}], [["eval", "--batches", "0"], {}], [["trian"], {}])
    assert [(code, heavy) for code, _, heavy in answers] == [(2, [])] * 3


def test_compare_needs_no_torchvision(trained, images):
    [(code, text, heavy)] = calls([["compare", *map(str, images), "--exit-zero"], {}])
    assert code == 0
    assert "probability" in text
    assert heavy == ["torch", "numpy", "PIL"]
