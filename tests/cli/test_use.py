"""Who answers where nobody is named: the bundled weights, until `omnitwin use` says otherwise, and never silently."""

import hashlib
import json
import shlex
import shutil

import pytest
import torch
from checkpoints import written_anew

from omnitwin.config import TrainConfig
from omnitwin.model.locating import BUNDLED_WEIGHTS
from omnitwin.system.paths import BUNDLED, NEWEST
from omnitwin.training import runs, training


@pytest.fixture
def unchosen(trained, home):
    """A trained run that nobody has chosen."""
    (home / "data" / "default.json").unlink()
    return trained


def who(run, images, *words):
    outcome = run("compare", *images, *words, "--json", "--exit-zero")
    assert outcome.code == 0, outcome.err
    report = json.loads(outcome.out)
    return report["checkpoint"], report["bundled"]


BY_BUNDLED = (str(BUNDLED_WEIGHTS), True)


def test_bundled_weights_answer_with_nothing_trained_and_nothing_downloaded_and_say_so(run, images):
    assert who(run, images) == BY_BUNDLED
    assert "Answered by the bundled weights (" in run("compare", *images, "--exit-zero").out


def test_a_training_does_not_change_who_answers(run, unchosen, images):
    assert who(run, images) == BY_BUNDLED
    assert who(run, images, "--checkpoint", "newest") == (str(unchosen / "best.safetensors"), False)


def test_use_makes_a_run_the_default_and_bundled_goes_back(run, unchosen, images):
    assert "The default network is now: trained" in run("use", "trained").out
    assert who(run, images) == (str(unchosen / "best.safetensors"), False)
    assert who(run, images, "--checkpoint", "bundled") == BY_BUNDLED
    assert "The default network is now: the bundled weights" in run("use", "bundled").out
    assert who(run, images) == BY_BUNDLED


def test_use_alone_tells_which_it_is_and_changes_nothing(run, unchosen, home):
    assert "The default network: the bundled weights" in run("use").out
    assert not (home / "data" / "default.json").exists()
    run("use", "trained", "--quiet")
    report = json.loads(run("use", "--json").out)
    assert (report["name"], report["bundled"], report["checkpoint"]) == (
        "trained",
        False,
        str(unchosen / "best.safetensors"),
    )


def test_the_choice_is_a_small_file_with_a_format_version_and_the_digest_of_the_weights(run, unchosen, home):
    known = {"format": "omnitwin-default", "format_version": 2}
    run("use", "trained", "--quiet")
    sha256 = hashlib.sha256((unchosen / "best.safetensors").read_bytes()).hexdigest()
    record = json.loads((home / "data" / "default.json").read_text())
    assert record == {**known, "checkpoint": "trained", "sha256": sha256}
    run("use", "bundled", "--quiet")
    record = json.loads((home / "data" / "default.json").read_text())
    assert record == {**known, "checkpoint": "bundled", "sha256": None}


def test_newest_is_the_run_that_is_the_newest_now(run, unchosen, images):
    run("use", "newest", "--quiet")
    shutil.copytree(unchosen, unchosen.with_name("newer"), copy_function=shutil.copy)
    assert who(run, images)[0] == str(unchosen / "best.safetensors")


def test_a_weights_file_anywhere_can_be_used_from_any_folder(run, unchosen, images, tmp_path, monkeypatch):
    shutil.copy(unchosen / "weights.safetensors", tmp_path / "mine.safetensors")
    monkeypatch.chdir(tmp_path)
    assert run("use", "mine.safetensors").code == 0
    monkeypatch.chdir("/")
    assert who(run, images) == (str(tmp_path / "mine.safetensors"), False)


def test_the_last_weights_of_a_run_can_be_used_although_it_has_better_ones(run, unchosen, images):
    run("use", unchosen / "weights.safetensors", "--quiet")
    assert who(run, images)[0] == str(unchosen / "weights.safetensors")


@pytest.mark.parametrize("command", [("compare", "{}", "{}"), ("eval", "--quiet"), ("use",)])
def test_a_default_that_has_vanished_exits_3_and_nothing_answers_in_its_place(run, unchosen, images, command):
    run("use", "trained", "--quiet")
    shutil.rmtree(unchosen)
    outcome = run(*(word.format(images[0]) for word in command))
    assert outcome.code == 3
    complaint = outcome.complaint()
    assert "trained" in complaint
    assert "gone" in complaint
    assert "omnitwin use bundled" in complaint


def trained_on(unchosen):
    resumed, description = runs.recorded(str(unchosen))
    recipe = description.whole_recipe().changed(iterations=4)
    training.train(TrainConfig(recipe=recipe, dataset="synthetic", precision="fp32"), resume=resumed)


def replaced(unchosen):
    written_anew(BUNDLED_WEIGHTS, unchosen / "best.safetensors")


def cut_short(unchosen):
    with (unchosen / "best.safetensors").open("rb+") as file:
        file.truncate(1000)


@pytest.mark.parametrize("change", [replaced, cut_short])
@pytest.mark.parametrize("command", [("compare", "{}", "{}"), ("eval", "--quiet"), ("use",)])
def test_a_default_that_has_changed_since_it_was_chosen_exits_3_and_does_not_answer(
    run, unchosen, images, command, change
):
    run("use", "trained", "--quiet")
    change(unchosen)
    outcome = run(*(word.format(images[0]) for word in command))
    assert outcome.code == 3
    complaint = outcome.complaint()
    assert "the default network, trained, has changed since it was chosen" in complaint
    assert "omnitwin use trained" in complaint
    assert "omnitwin use bundled" in complaint


def test_a_default_that_is_trained_on_answers_again_once_it_is_chosen_anew(run, unchosen, images):
    weights = unchosen / "weights.safetensors"
    run("use", weights, "--quiet")
    assert who(run, images) == (str(weights), False)
    trained_on(unchosen)
    complaint = run("compare", *images).complaint()
    assert "has changed" in complaint
    assert run("compare", *images, "--checkpoint", weights, "--exit-zero").code == 0
    words = complaint.partition("now: omnitwin ")[2].partition(", or")[0]
    assert run(*shlex.split(words)).code == 0
    assert who(run, images) == (str(weights), False)


def test_better_weights_that_appear_in_a_run_do_not_answer_unasked(run, unchosen, images):
    (unchosen / "best.safetensors").unlink()
    run("use", "trained", "--quiet")
    assert who(run, images) == (str(unchosen / "weights.safetensors"), False)
    written_anew(BUNDLED_WEIGHTS, unchosen / "best.safetensors")
    assert "has changed" in run("compare", *images).complaint()


def test_a_copy_of_the_same_bytes_and_a_later_date_are_no_change(run, unchosen, images):
    run("use", "trained", "--quiet")
    moved = unchosen.rename(unchosen.with_name("moved"))
    shutil.copytree(moved, unchosen, copy_function=shutil.copy)
    (unchosen / "best.safetensors").touch()
    assert who(run, images) == (str(unchosen / "best.safetensors"), False)


def test_a_vanished_default_is_mended_by_another_choice(run, unchosen, images):
    run("use", "trained", "--quiet")
    shutil.rmtree(unchosen)
    assert run("use", "bundled").code == 0
    assert who(run, images) == BY_BUNDLED


@pytest.mark.parametrize(
    "content",
    [
        "",
        "words",
        "[]",
        "{}",
        '{"format": "omnitwin-default", "format_version": 1, "checkpoint": "trained"}',
        '{"format": "omnitwin-default", "format_version": 3, "checkpoint": "bundled", "sha256": null}',
        *(
            f'{{"format": "omnitwin-default", "format_version": 2, {rest}}}'
            for rest in (
                '"checkpoint": "trained"',
                '"checkpoint": "trained", "sha256": null',
                '"checkpoint": "trained", "sha256": "0"',
                '"checkpoint": "trained", "sha256": 7',
                f'"checkpoint": "bundled", "sha256": "{"0" * 64}"',
                f'"checkpoint": "", "sha256": "{"0" * 64}"',
                f'"checkpoint": 7, "sha256": "{"0" * 64}"',
            )
        ),
    ],
)
@pytest.mark.usefixtures("trained")
def test_a_damaged_choice_exits_3_and_names_its_file(run, images, home, content):
    path = home / "data" / "default.json"
    path.write_text(content)
    outcome = run("compare", *images)
    assert outcome.code == 3
    assert str(path) in outcome.complaint()
    assert "omnitwin use bundled" in outcome.complaint()


@pytest.mark.usefixtures("trained")
def test_what_is_no_checkpoint_is_not_made_the_default(run, home, tmp_path):
    before = (home / "data" / "default.json").read_text()
    (tmp_path / "words.txt").write_text("hello")
    assert run("use", "nobody").code == 3
    assert run("use", tmp_path / "words.txt").code == 3
    assert (home / "data" / "default.json").read_text() == before


def test_weights_with_a_tensor_too_many_are_not_made_the_default(run, home, tmp_path):
    written_anew(BUNDLED_WEIGHTS, tmp_path / "more.safetensors", tensors={"another": torch.zeros(3)})
    outcome = run("use", tmp_path / "more.safetensors")
    assert outcome.code == 3
    assert "another missing or extra" in outcome.complaint()
    assert not (home / "data" / "default.json").exists()


@pytest.mark.parametrize("name", [NEWEST, BUNDLED])
def test_no_run_may_take_a_name_that_stands_for_something_else(run, name):
    outcome = run("train", "--name", name)
    assert outcome.code == 2
    assert name in outcome.complaint()


def test_report_without_a_run_is_about_the_newest(run, unchosen):
    assert run("report", "--exam", "pairs", "--quiet").code == 0
    assert (unchosen / "report.html").exists()


def test_a_report_on_the_bundled_weights_asks_where_to_write(run, tmp_path):
    outcome = run("report", "bundled")
    assert outcome.code == 2
    assert "--output" in outcome.complaint()
    assert not BUNDLED_WEIGHTS.with_name("report.html").exists()


def test_eval_takes_the_bundled_weights_and_says_so(run):
    words = ("eval", "--data", "synthetic", "--batches", "1", "--batch-size", "10")
    assert "Network: the bundled weights (" in run(*words).out
    assert json.loads(run(*words, "--json").out)["network"]["bundled"] is True


def test_another_file_with_the_same_weights_is_not_called_bundled(run, images, tmp_path):
    written_anew(BUNDLED_WEIGHTS, tmp_path / "copy.safetensors")
    assert who(run, images, "--checkpoint", tmp_path / "copy.safetensors")[1] is False
