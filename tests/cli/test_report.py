"""`omnitwin report`: one page that needs nothing else, about the run that was asked for."""

import json
import re
import signal
from dataclasses import replace

import pytest

from omnitwin.exams import catalogue

EXAMS = ("--exam", "pairs", "--exam", "same-alphabet")


def test_page_lies_in_the_run_and_tells_the_figures_of_its_exams(run, trained):
    outcome = run("report", *EXAMS)
    assert outcome.code == 0
    assert outcome.out == f"Report: {trained / 'report.html'}\n"
    figures = json.loads(run("eval", *EXAMS, "--json").out)["exams"]
    text = (trained / "report.html").read_text(encoding="utf-8")
    for exam in figures:
        for measure in exam["measures"]:
            if 0.01 <= measure["value"] <= 0.99 and measure["name"] not in ("auc", "average_precision"):
                low, high = (f"{100 * bound:.1f}" for bound in measure["interval"])
                assert f"<td>{100 * measure['value']:.1f} %</td>" in text, measure
                assert low in text, measure
                assert high in text, measure
    assert figures[0]["weights_sha256"] in text


def test_page_asks_nothing_of_the_network_and_runs_no_script(run, trained):
    run("report", *EXAMS)
    text = (trained / "report.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "default-src 'none'" in text
    addresses = re.findall(r"""(?:src|srcset|href)=["']([^"']{0,12})""", text)
    assert addresses
    assert all(address.startswith("data:") for address in addresses)


def test_run_is_chosen_by_name_and_page_by_output(run, trained, tmp_path):
    page = tmp_path / "new" / "page.html"
    outcome = run("report", "trained", "--exam", "pairs", "--output", page, "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert not (trained / "report.html").exists()


@pytest.mark.usefixtures("trained")
def test_json_has_exams_recipe_and_training_but_no_pictures(run):
    report = json.loads(run("report", "--exam", "pairs", "--json").out)
    assert [exam["exam"] for exam in report["evaluation"]["exams"]] == ["pairs"]
    assert report["recipe"]["name"] == "small"
    assert [step["iteration"] for step in report["steps"]] == [1, 2, 3]
    assert "pixels" not in json.dumps(report)


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        (["nobody"], 3, "nobody"),
        (["--output", "page.txt"], 2, "page.txt"),
        (["--exam", "nonsense"], 2, "nonsense"),
        (["--exam", "official"], 2, "official"),
    ],
)
def test_what_cannot_be_reported_exits_with_one_line(run, words, code, named):
    outcome = run("report", *words, "--quiet")
    assert outcome.code == code
    assert named in outcome.complaint()


@pytest.mark.parametrize(
    "line",
    [
        '{"iteration": "2", "loss": 1.0, "pairs_per_second": 1.0, "elapsed_seconds": 1.0}',
        '{"iteration": 2, "loss": null, "pairs_per_second": 1.0, "elapsed_seconds": 1.0}',
        '{"iteration": 2, "loss": [1], "pairs_per_second": 1.0, "elapsed_seconds": 1.0}',
        pytest.param(
            f'{{"iteration": {10**400}, "loss": 1.0, "pairs_per_second": 1.0, "elapsed_seconds": 1.0}}', id="huge"
        ),
        pytest.param("[" * 100_000, id="deep"),
        '["iteration"]',
        "3",
        "{",
    ],
)
def test_a_line_of_the_metrics_that_is_no_step_is_passed_over(run, trained, line):
    path = trained / "metrics.jsonl"
    good = path.read_text()
    path.write_text(f"{good}{line}\n")
    report = json.loads(run("report", "--exam", "pairs", "--json", "--quiet").out)
    assert [step["iteration"] for step in report["steps"]] == [1, 2, 3]


def test_a_page_that_cannot_be_written_is_said_before_the_exams(run, trained, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder.html").mkdir()
    for page in (tmp_path / "file" / "page.html", tmp_path / "folder.html"):
        outcome = run("report", "--output", page)
        assert outcome.code == 3
        assert "cannot" in outcome.err
        assert "Exam:" not in outcome.err


@pytest.mark.parametrize("page_before", [False, True])
def test_an_interrupted_report_says_what_was_done_and_leaves_no_part_of_a_page(run, trained, monkeypatch, page_before):
    if page_before:
        (trained / "report.html").write_text("before")
    before = {path: path.read_bytes() for path in trained.iterdir()}

    def interrupt(sitting):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setitem(catalogue.EXAMS, "retrieval", replace(catalogue.EXAMS["retrieval"], take=interrupt))
    outcome = run("report", "--exam", "pairs", "--exam", "retrieval", "--quiet")
    assert outcome.code == 130
    assert outcome.complaint() == "omnitwin: interrupted: 1 of 2 exams was done (pairs). No page was written."
    assert {path: path.read_bytes() for path in trained.iterdir()} == before


def test_an_interrupted_eval_says_what_was_done(run, trained, monkeypatch):
    def interrupt(sitting):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setitem(catalogue.EXAMS, "retrieval", replace(catalogue.EXAMS["retrieval"], take=interrupt))
    outcome = run("eval", "--exam", "pairs", "--exam", "retrieval", "--quiet")
    assert outcome.code == 130
    complaint = "omnitwin: interrupted: 1 of 2 exams was done (pairs). Nothing was printed or written."
    assert outcome.complaint() == complaint


def test_no_network_yet_exits_3(run):
    assert run("report").code == 3
