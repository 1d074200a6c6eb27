"""`omnitwin train`, on a few synthetic alphabets and for a few iterations."""

import hashlib
import json
import shlex
import signal

import pytest
import torch
from checkpoints import record_of

from omnitwin.cli.options import parse_duration, parse_size
from omnitwin.cli.stop import StopButton
from omnitwin.cli.train import spell_out_resume
from omnitwin.data import synthetic
from omnitwin.errors import BadInput
from omnitwin.recipes import Recipe
from omnitwin.training.trainer import Trainer

QUICK = ("train", "--recipe", "small", "--data", "synthetic", "--batch-size", "8", "--precision", "fp32")
RUN_FILES = {"best.safetensors", "config.json", "metrics.jsonl", "state.safetensors", "weights.safetensors"}


def names_in(folder):
    return {path.name for path in folder.iterdir()}


def iterations_logged(folder):
    return [json.loads(line)["iteration"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def iteration_of(path):
    return record_of(path)["iteration"]


def resume_words(printed):
    """The words after `omnitwin` of the command that an interrupted run prints."""
    [line] = [line for line in printed.splitlines() if "Go on with: omnitwin " in line]
    return shlex.split(line.partition("Go on with: omnitwin ")[2])


@pytest.fixture
def signal_after(monkeypatch):
    """signal_after(k, *signals): they arrive in the middle of iteration k."""

    original = Trainer.step

    def arrange(iteration, *signals):
        def step(self, number):
            if number == iteration:
                for each in signals:
                    signal.raise_signal(each)
            return original(self, number)

        monkeypatch.setattr(Trainer, "step", step)

    return arrange


@pytest.fixture
def handlers():
    """The handlers that were there before, which no run may leave changed."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    yield
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_train_writes_config_metrics_weights_and_state(run, tmp_path):
    assert run(*QUICK, "--iterations", 2, "--output", tmp_path / "run").code == 0
    assert names_in(tmp_path / "run") == RUN_FILES


def test_metrics_hold_each_iteration_once_and_in_order(run, tmp_path):
    run(*QUICK, "--iterations", 4, "--output", tmp_path / "run")
    assert iterations_logged(tmp_path / "run") == [1, 2, 3, 4]


def test_config_says_what_was_asked_for(run, tmp_path):
    run(*QUICK, "--iterations", 1, "--seed", 7, "--learning-rate", 0.002, "--output", tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    asked = {"name": "small", "iterations": 1, "batch_size": 8, "seed": 7, "learning_rate": 0.002}
    assert asked.items() <= Recipe.from_json(config["recipe"]).flat().items()
    assert (config["dataset"], config["precision"]) == ("synthetic/training", "fp32")


def test_the_small_recipe_holds_out_five_alphabets_and_says_which(run, tmp_path):
    told = run(*QUICK, "--iterations", 1, "--output", tmp_path / "run", "--dry-run", "--json").out
    run(*QUICK, "--iterations", 1, "--output", tmp_path / "run")
    names = json.loads((tmp_path / "run" / "config.json").read_text())["held_out"]
    assert len(set(names)) == len(names) == 5
    assert set(names) < {f"Synthetic {number:02d}" for number in range(1, 8)}
    assert json.loads(told)["held_out"] == names
    assert record_of(tmp_path / "run" / "weights.safetensors")["held_out"] == names


@pytest.mark.parametrize("count", [0, 1, 6])
def test_holdout_says_how_many_alphabets_are_kept_out_of_training(run, tmp_path, count):
    words = (*QUICK, "--iterations", 1, "--holdout", count)
    plan = json.loads(run(*words, "--dry-run", "--json").out)
    assert len(plan["held_out"]) == count
    assert plan["classes"] == (7 - count) * 6
    assert plan["images"] == (7 - count) * 6 * 20
    report = json.loads(run(*words, "--output", tmp_path / "run", "--json").out)
    assert (report["best"] is not None) == (count > 0) == (tmp_path / "run" / "best.safetensors").exists()
    assert (report["held_out_eer"] is not None) == (report["best_iteration"] is not None) == (count > 0)


def test_another_seed_holds_out_other_alphabets(run):
    plans = [json.loads(run(*QUICK, "--seed", seed, "--dry-run", "--json").out)["held_out"] for seed in range(4)]
    assert len({*map(tuple, plans)}) > 1


@pytest.mark.parametrize(("count", "named"), [(-1, "holdout"), (7, "--holdout 6"), (1000, "--holdout 6")])
def test_holding_out_what_leaves_nothing_to_train_on_exits_2(run, tmp_path, count, named):
    outcome = run(*QUICK, "--holdout", count, "--output", tmp_path / "run")
    assert outcome.code == 2
    assert named in outcome.complaint()
    assert not (tmp_path / "run").exists()


def test_text_tells_the_best_iteration_and_its_error_just_where_alphabets_are_held_out(run, tmp_path):
    with_some = run(*QUICK, "--iterations", 2, "--output", tmp_path / "some").out
    without = run(*QUICK, "--iterations", 2, "--holdout", 0, "--output", tmp_path / "none").out
    record = record_of(tmp_path / "some" / "best.safetensors")
    error = f"{100 * record['metrics']['held_out_eer']:.1f} %"
    assert f"best.safetensors (iteration {record['iteration']}: held-out EER {error})" in with_some
    assert "best" not in without.replace(str(tmp_path), "")


def test_the_classic_recipe_holds_out_nothing(run):
    plan = json.loads(run("train", "--data", "synthetic", "--batch-size", 2, "--dry-run", "--json").out)
    assert (plan["recipe"], plan["held_out"], plan["classes"]) == ("classic", [], 42)


def test_a_named_run_lies_under_the_data_folder(run, home):
    run(*QUICK, "--iterations", 1, "--name", "mine")
    assert names_in(home / "data" / "runs") == {"mine"}


def test_result_goes_to_stdout_and_progress_to_stderr(run, tmp_path):
    outcome = run(*QUICK, "--iterations", 2, "--output", tmp_path / "run")
    assert str(tmp_path / "run" / "weights.safetensors") in outcome.out
    assert "iteration 2/2" in outcome.err
    assert "iteration 2/2" not in outcome.out
    assert "\x1b" not in outcome.out + outcome.err


def test_json_tells_the_digest_of_the_weights_file(run, tmp_path):
    report = json.loads(run(*QUICK, "--iterations", 2, "--output", tmp_path / "run", "--json").out)
    weights = tmp_path / "run" / "weights.safetensors"
    assert report["weights"] == str(weights)
    assert report["weights_sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert (report["iteration"], report["iterations"], report["stopped_by"]) == (2, 2, None)


def test_quiet_says_nothing(run, tmp_path):
    outcome = run(*QUICK, "--iterations", 2, "--output", tmp_path / "run", "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert names_in(tmp_path / "run") == RUN_FILES


def test_a_folder_that_holds_a_run_is_refused_and_left_alone(run, trained):
    before = {path: path.read_bytes() for path in trained.iterdir()}
    outcome = run(*QUICK, "--iterations", 1, "--output", trained)
    assert outcome.code == 2
    assert str(trained) in outcome.complaint()
    assert {path: path.read_bytes() for path in trained.iterdir()} == before


def test_same_seed_gives_the_same_bytes(run, tmp_path, trained):
    run(*QUICK, "--iterations", 3, "--output", tmp_path / "again")
    assert (tmp_path / "again" / "weights.safetensors").read_bytes() == (trained / "weights.safetensors").read_bytes()


def test_another_seed_gives_other_weights(run, tmp_path, trained):
    run(*QUICK, "--iterations", 3, "--seed", 1, "--output", tmp_path / "other")
    assert (tmp_path / "other" / "weights.safetensors").read_bytes() != (trained / "weights.safetensors").read_bytes()


def test_dry_run_writes_nothing(run, home):
    assert run(*QUICK, "--dry-run").code == 0
    assert not home.exists()


def test_dry_run_refuses_a_target_that_cannot_be_shown(run):
    outcome = run(*QUICK, "--holdout", 1, "--target", "far=0.000001", "--dry-run")
    assert outcome.code == 2
    assert "cannot be shown" in outcome.err


def test_dry_run_tells_parameters_time_and_memory(run):
    # three blocks 3x3: 288 + 18,432 + 73,728, their batch norms 448, linear 1152 x 128 + 128, head 128 + 1
    parameters = 288 + 18_432 + 73_728 + 2 * (32 + 64 + 128) + 1152 * 128 + 128 + 129
    words = run(*QUICK, "--dry-run").out
    assert f"{parameters:,}" in words
    assert all(name in words for name in ("time ", "weights, gradients and optimiser", "peak memory"))


def test_dry_run_as_json_tells_the_plan(run):
    plan = json.loads(run(*QUICK, "--iterations", 10, "--dry-run", "--json").out)
    assert (plan["iterations"], plan["batch_size"], plan["encoder"]) == (10, 8, "small")
    assert plan["seconds_in_all"] == pytest.approx(10 * plan["seconds_per_iteration"])


def test_quiet_dry_run_says_nothing(run):
    assert run(*QUICK, "--dry-run", "--quiet").out == ""


def test_dry_run_of_a_resumption_plans_the_rest_of_that_run(run, trained, monkeypatch):
    monkeypatch.setenv("OMNITWIN_OFFLINE", "1")
    outcome = run("train", "--resume", "--iterations", 5, "--dry-run", "--json")
    assert outcome.code == 0
    plan = json.loads(outcome.out)
    assert (plan["recipe"], plan["dataset"], plan["batch_size"]) == ("small", "synthetic/training", 8)
    assert (plan["first_iteration"], plan["iterations"], plan["output"]) == (4, 5, str(trained))


def test_no_accelerator_exits_3_and_names_what_was_found(run):
    if torch.cuda.is_available():
        pytest.skip("this machine has what the test wants absent")
    outcome = run(*QUICK, "--device", "cuda")
    assert outcome.code == 3
    assert "found: " in outcome.complaint()
    assert "cpu" in outcome.complaint()


@pytest.mark.parametrize("device", ["banana", "cuda:first", "cpu:1"])
def test_no_such_kind_of_device_exits_2(run, device):
    outcome = run(*QUICK, "--device", device)
    assert outcome.code == 2
    assert repr(device) in outcome.complaint()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--precision", "fp16"], "fp16"),
        (["--encoder", "huge"], "huge"),
        (["--image-size", "30"], "30 x 30"),
        (["--image-size", "28by28"], "28by28"),
        (["--data", "cifar"], "cifar"),
        (["--weights", "default"], "no weights of others fit the encoder small"),
        (["--freeze"], "no weights of others fit the encoder small"),
        (["--weights", "default", "--from", "bundled"], "either with weights of others (--weights) or from a twin"),
        (["--from", "bundled"], "bundled is another network: encoder strong, not small"),
    ],
)
def test_unknown_choices_exit_2_and_leave_no_folder(run, tmp_path, words, named):
    outcome = run(*QUICK, *words, "--output", tmp_path / "run")
    assert outcome.code == 2
    assert named in outcome.complaint()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("1.5h", 5400), ("0.5s", 0.5), (None, None)]
)
def test_durations_are_seconds_minutes_or_hours(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5", "0", "0h", "1d", "1h30m", "1.5.2s", "5 m", "nan", "inf", "1e3"])
def test_what_is_no_duration_is_refused_by_name(text):
    with pytest.raises(BadInput) as refused:
        parse_duration(text)
    assert repr(text) in str(refused.value)


def test_max_time_stops_saves_and_exits_0(run, tmp_path):
    outcome = run(*QUICK, "--iterations", 100_000, "--max-time", "0.001s", "--output", tmp_path / "run", "--json")
    report = json.loads(outcome.out)
    assert outcome.code == 0
    assert (report["stopped_by"], report["iteration"]) == ("time", 1)
    assert names_in(tmp_path / "run") | {"best.safetensors"} == RUN_FILES


def test_resume_alone_goes_on_with_the_newest_run(run, trained, home):
    run(*QUICK, "--iterations", 1, "--name", "newer")
    assert run("train", "--iterations", 2, "--resume").code == 0
    assert iteration_of(home / "data" / "runs" / "newer" / "weights.safetensors") == 2
    assert iteration_of(trained / "weights.safetensors") == 3


def test_resume_takes_a_run_by_name(run, trained, home):
    run(*QUICK, "--iterations", 1, "--name", "newer")
    assert run("train", "--resume", "trained", "--iterations", 4).code == 0
    assert iteration_of(trained / "weights.safetensors") == 4
    assert iteration_of(home / "data" / "runs" / "newer" / "weights.safetensors") == 1


def test_resume_takes_a_run_by_its_folder(run, trained):
    assert run("train", "--resume", trained, "--iterations", 4).code == 0
    assert iterations_logged(trained) == [1, 2, 3, 4]


def test_resumed_run_ends_with_the_bytes_of_a_straight_one(run, tmp_path):
    run(*QUICK, "--iterations", 6, "--output", tmp_path / "straight")
    run(*QUICK, "--iterations", 2, "--output", tmp_path / "parts")
    run("train", "--resume", tmp_path / "parts", "--iterations", 6)
    straight, parts = (tmp_path / name / "weights.safetensors" for name in ("straight", "parts"))
    assert parts.read_bytes() == straight.read_bytes()
    assert iterations_logged(tmp_path / "parts") == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--batch-size", 9),
        ("--seed", 1),
        ("--learning-rate", 0.1),
        ("--encoder", "classic"),
        ("--image-size", 105),
        ("--holdout", 0),
    ],
)
def test_what_would_change_a_resumed_run_is_refused(run, trained, option, value):
    before = (trained / "state.safetensors").read_bytes()
    outcome = run("train", "--resume", "--iterations", 5, option, value)
    assert outcome.code == 2
    assert option in outcome.complaint()
    assert (trained / "state.safetensors").read_bytes() == before


def test_options_that_say_what_the_run_has_anyway_are_no_change(run, trained):
    assert run("train", "--resume", "--iterations", 4, "--batch-size", 8, "--seed", 0).code == 0


def test_a_run_that_is_done_asks_for_more_iterations(run, trained):
    outcome = run("train", "--resume")
    assert outcome.code == 2
    assert "--iterations" in outcome.complaint()


def test_no_run_to_resume_exits_3(run):
    outcome = run("train", "--resume")
    assert outcome.code == 3
    assert "no run to resume" in outcome.complaint()


def test_no_run_of_that_name_to_resume_exits_3_and_names_it(run, trained):
    outcome = run("train", "--resume", "nobody")
    assert outcome.code == 3
    assert "nobody" in outcome.complaint()


def test_a_damaged_state_is_refused_and_the_weights_stay(run, trained):
    state, weights = trained / "state.safetensors", trained / "weights.safetensors"
    state.write_bytes(state.read_bytes()[:-100])
    before = weights.read_bytes()
    outcome = run("train", "--resume", "--iterations", 4)
    assert outcome.code == 3
    assert str(state) in outcome.complaint()
    assert weights.read_bytes() == before


def test_a_run_is_not_resumed_on_other_images(run, trained, monkeypatch):
    monkeypatch.setattr(synthetic, "ALPHABETS", {"training": 8, "test": 2})
    outcome = run("train", "--resume", "--iterations", 4)
    assert outcome.code == 2
    assert "other images" in outcome.complaint()


@pytest.mark.parametrize(
    ("words", "spelled_out"),
    [
        ([], []),
        (["train"], ["train"]),
        (["train", "--resume"], ["train", "--resume=newest"]),
        (["train", "--resume", "--json"], ["train", "--resume=newest", "--json"]),
        (["train", "--resume", "-q"], ["train", "--resume=newest", "-q"]),
        (["train", "--resume", "mine"], ["train", "--resume", "mine"]),
        (["train", "--resume=mine", "-q"], ["train", "--resume=mine", "-q"]),
        (["train", "--iterations", "5", "--resume"], ["train", "--iterations", "5", "--resume=newest"]),
    ],
)
def test_resume_alone_is_given_its_value(words, spelled_out):
    assert spell_out_resume(words) == spelled_out


@pytest.mark.usefixtures("handlers")
def test_first_control_c_is_remembered_and_not_raised():
    with StopButton() as pressed:
        assert pressed() is None
        signal.raise_signal(signal.SIGINT)
        assert pressed() == "SIGINT"


@pytest.mark.usefixtures("handlers")
def test_second_control_c_ends_at_once():
    with StopButton():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("handlers")
def test_sigterm_is_remembered_and_control_c_after_it_ends_at_once():
    with StopButton() as pressed:
        signal.raise_signal(signal.SIGTERM)
        assert pressed() == "SIGTERM"
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("handlers")
def test_second_sigterm_would_kill_as_it_does_by_default():
    with StopButton():
        signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.usefixtures("handlers")
def test_handlers_come_back_after_a_failure():
    with pytest.raises(RuntimeError), StopButton():
        raise RuntimeError


@pytest.mark.usefixtures("handlers")
def test_control_c_finishes_the_step_saves_and_exits_130(run, tmp_path, signal_after):
    signal_after(2, signal.SIGINT)
    outcome = run(*QUICK, "--iterations", 5, "--output", tmp_path / "run")
    assert outcome.code == 130
    assert iteration_of(tmp_path / "run" / "weights.safetensors") == 2
    assert iteration_of(tmp_path / "run" / "state.safetensors") == 2
    assert iterations_logged(tmp_path / "run") == [1, 2]


@pytest.mark.usefixtures("handlers")
def test_sigterm_finishes_the_step_saves_and_exits_143(run, tmp_path, signal_after):
    signal_after(3, signal.SIGTERM)
    assert run(*QUICK, "--iterations", 5, "--output", tmp_path / "run").code == 143
    assert iteration_of(tmp_path / "run" / "weights.safetensors") == 3


@pytest.mark.usefixtures("handlers")
def test_second_control_c_leaves_no_half_written_checkpoint(run, tmp_path, signal_after):
    signal_after(2, signal.SIGINT, signal.SIGINT)
    assert run(*QUICK, "--iterations", 5, "--output", tmp_path / "run").code == 130
    assert names_in(tmp_path / "run") == {"best.safetensors", "config.json", "metrics.jsonl"}


def test_the_command_an_interrupted_run_prints_ends_as_if_never_interrupted(run, tmp_path, signal_after):
    signal_after(2, signal.SIGINT)
    printed = run(*QUICK, "--iterations", 5, "--output", tmp_path / "run").out
    signal_after(0)
    assert run(*resume_words(printed)).code == 0
    run(*QUICK, "--iterations", 5, "--output", tmp_path / "straight")
    straight, parts = (tmp_path / name / "weights.safetensors" for name in ("straight", "run"))
    assert parts.read_bytes() == straight.read_bytes()


def test_the_command_an_interrupted_run_prints_holds_where_a_folder_has_spaces(run, tmp_path, signal_after):
    signal_after(1, signal.SIGINT)
    printed = run(*QUICK, "--iterations", 2, "--output", tmp_path / "my run").out
    assert resume_words(printed) == ["train", "--resume", str(tmp_path / "my run")]


def test_interruption_after_the_last_iteration_is_a_finished_run(run, tmp_path, signal_after):
    signal_after(2, signal.SIGINT)
    outcome = run(*QUICK, "--iterations", 2, "--output", tmp_path / "run", "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out)["stopped_by"] is None


@pytest.mark.parametrize("text", ["[" * 100_000, '{"format": ' * 5000, "9" * 5000])
def test_a_config_that_no_reader_gets_through_exits_3_and_is_named(run, tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    outcome = run("train", "--resume", tmp_path)
    assert outcome.code == 3
    assert "config.json" in outcome.complaint()


@pytest.mark.parametrize("line", ["[" * 100_000, '{"iteration": 1e400}', '{"iteration": ' + "9" * 400 + "}"])
def test_a_line_of_the_metrics_that_is_none_is_dropped_when_going_on(run, trained, line):
    with (trained / "metrics.jsonl").open("a") as file:
        file.write(f"{line}\n")
    assert run("train", "--resume", trained, "--iterations", 4, "--quiet").code == 0
    assert [json.loads(one)["iteration"] for one in (trained / "metrics.jsonl").read_text().splitlines()] == [
        1,
        2,
        3,
        4,
    ]


def test_a_device_that_is_not_there_is_refused_before_data_is_fetched_for_it(run, monkeypatch):
    monkeypatch.setenv("OMNITWIN_OFFLINE", "1")  # so that a look for the data would be refused first
    monkeypatch.setattr("omnitwin.system.device.available_devices", lambda: ("cpu",))
    for more in ((), ("--dry-run",)):
        outcome = run("train", "--device", "cuda", *more)
        assert outcome.code == 3
        assert "cuda is not here" in outcome.complaint()


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (None, {}),
        ("96", {"image_size": 96, "image_width": 0}),
        ("64x128", {"image_size": 64, "image_width": 128}),
    ],
)
def test_a_size_is_of_a_square_or_height_x_width(text, fields):
    assert parse_size(text) == fields


@pytest.mark.parametrize("text", ["", "x", "64x", "x64", "64X64", "-8", "8.5", "64x64x3", "9999999999"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(BadInput, match="is no size of an image"):
        parse_size(text)
