"""`omnitwin compare`: two files, one answer, and an exit code that never says `different` of a failure."""

import json
import math
import os
import subprocess
import sys

import pytest
import torch
from checkpoints import record_of, written_anew
from old_records import as_version_1
from PIL import Image, ImageColor
from safetensors.torch import load_file, save_file

from omnitwin.answers import choosing
from omnitwin.model.locating import BUNDLED_WEIGHTS
from omnitwin.recipes import Recipe
from omnitwin.view.figures import GREEN, RED

ALWAYS, NEVER = "0.000001", "0.999999"  # thresholds that a hardly trained network, always near one half, tells apart


@pytest.fixture
def trained(trained):
    """The run, its network not calibrated."""
    for name in ("best.safetensors", "weights.safetensors"):
        written_anew(trained / name, trained / "anew", record={"calibration": None, "threshold": 0.5})
        (trained / "anew").replace(trained / name)
    choosing.choose("trained")  # its weights are others now
    return trained


def comparison(run, *words):
    return json.loads(run("compare", *words, "--json").out)


def text_file(path, source):
    path.write_text("just words\n")


def empty_file(path, source):
    path.touch()


def truncated(path, source):
    path.write_bytes(source.read_bytes()[:-1000])


def truncated_in_the_header(path, source):
    path.write_bytes(source.read_bytes()[:100])


def foreign(path, source):
    save_file(load_file(source), path)


def foreign_with_the_same_key(path, source):
    save_file(load_file(source), path, metadata={"omnitwin": "not JSON"})


def another_format(path, source):
    written_anew(source, path, record={"format": "omnitwin-packed-set"})


def another_version(path, source):
    written_anew(source, path, record={"format_version": 7})


def unknown_encoder(path, source):
    written_anew(source, path, record={"network": {**record_of(source)["network"], "encoder": "huge"}})


def wrong_size_for_its_encoder(path, source):
    written_anew(source, path, record={"network": {**record_of(source)["network"], "image_size": 105}})


def incomplete_record(path, source):
    written_anew(source, path, record={"recipe": {}})


def wrong_shape(path, source):
    written_anew(source, path, tensors={"head.weight": torch.zeros(1, 64)})


def wrong_type(path, source):
    written_anew(source, path, tensors={"head.bias": torch.zeros(1, dtype=torch.float64)})


def missing_tensor(path, source):
    written_anew(source, path, tensors={"head.bias": None})


def tensor_too_many(path, source):
    written_anew(source, path, tensors={"tail.bias": torch.zeros(1)})


def not_a_number(path, source):
    written_anew(source, path, tensors={"head.bias": torch.tensor([float("nan")])})


def folder_without_weights(path, source):
    path.mkdir()


def training_state(path, source):
    path.write_bytes(source.with_name("state.safetensors").read_bytes())


def foreign_with_a_record_of_its_own(path, source):
    save_file(load_file(source), path, metadata={"omnitwin": json.dumps({"format": "of somebody else"})})


def threshold_of_words(path, source):
    written_anew(source, path, record={"threshold": "high"})


def calibration_without_a_bias(path, source):
    written_anew(source, path, record={"calibration": {"temperature": 2.0}})


def calibration_that_turns_scores_round(path, source):
    written_anew(source, path, record={"calibration": {"temperature": -2.0, "bias": 0.0}})


def calibration_that_is_no_number(path, source):
    written_anew(source, path, record={"calibration": {"temperature": 2.0, "bias": math.nan}})


def held_out_that_is_no_name(path, source):
    written_anew(source, path, record={"held_out": [7]})


def record_nested_too_deeply(path, source):
    save_file(load_file(source), path, metadata={"omnitwin": "[" * 100_000})


def image_size_that_no_machine_has_room_for(path, source):
    network = {**record_of(source)["network"], "encoder": "strong", "image_size": 10**9}
    written_anew(source, path, record={"network": network})


def recipe_of_other_types(path, source):
    written_anew(source, path, record={"recipe": {**record_of(source)["recipe"], "iterations": "many"}})


BAD_CHECKPOINTS = [
    record_nested_too_deeply,
    image_size_that_no_machine_has_room_for,
    recipe_of_other_types,
    text_file,
    empty_file,
    truncated,
    truncated_in_the_header,
    foreign,
    foreign_with_the_same_key,
    another_format,
    another_version,
    unknown_encoder,
    wrong_size_for_its_encoder,
    incomplete_record,
    wrong_shape,
    wrong_type,
    missing_tensor,
    tensor_too_many,
    not_a_number,
    folder_without_weights,
    training_state,
    pytest.param(foreign_with_a_record_of_its_own),
    pytest.param(threshold_of_words),
    calibration_without_a_bias,
    calibration_that_turns_scores_round,
    calibration_that_is_no_number,
    held_out_that_is_no_name,
]


@pytest.mark.parametrize("damage", BAD_CHECKPOINTS)
def test_a_bad_checkpoint_exits_3_with_one_line_that_names_it(run, trained, images, tmp_path, damage):
    path = tmp_path / "bad.safetensors"
    damage(path, trained / "weights.safetensors")
    outcome = run("compare", *images, "--checkpoint", path)
    assert outcome.code == 3
    assert str(path) in outcome.complaint()


def test_weights_that_lead_to_no_number_are_neither_same_nor_different(run, images, tmp_path):
    huge = {f"encoder.members.0.blocks.0.norm.{name}": torch.full((32,), 3e38) for name in ("weight", "bias")}
    written_anew(BUNDLED_WEIGHTS, tmp_path / "huge.safetensors", tensors=huge)
    outcome = run("compare", *images, "--checkpoint", tmp_path / "huge.safetensors")
    assert outcome.code == 3
    assert "huge.safetensors gives no answer" in outcome.complaint()


def test_the_steepest_calibration_is_computed_with_and_says_nothing_and_a_steeper_one_is_refused(run, images, tmp_path):
    words = ("compare", images[0], images[0], "--checkpoint", tmp_path / "steep.safetensors", "--quiet")
    for temperature, code in ((1e-6, 0), (1e-308, 3)):
        calibration = {"temperature": temperature, "bias": 0.0}
        written_anew(BUNDLED_WEIGHTS, tmp_path / "steep.safetensors", record={"calibration": calibration})
        outcome = run(*words)
        assert (outcome.code, bool(outcome.err)) == (code, code == 3)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are POSIX's")
def test_a_pipe_is_no_checkpoint_and_is_not_waited_for(run, images, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    outcome = run("compare", *images, "--checkpoint", tmp_path / "pipe")
    assert outcome.code == 3
    assert "pipe" in outcome.complaint()


def test_a_checkpoint_written_anew_without_a_change_is_no_bad_one(run, trained, images, tmp_path):
    written_anew(trained / "weights.safetensors", tmp_path / "same.safetensors")
    again = comparison(run, *images, "--checkpoint", tmp_path / "same.safetensors")
    assert again["probability"] == comparison(run, *images)["probability"]


HOMELESS = """
import os, pwd

def unknown(user):
    raise KeyError(user)

for name in ("HOME", "OMNITWIN_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
    os.environ.pop(name, None)
pwd.getpwuid = unknown
from omnitwin.cli import main
main()
"""


@pytest.mark.skipif(os.name != "posix", reason="elsewhere nobody is without a home")
def test_a_user_without_a_home_folder_is_answered_by_the_bundled_weights_and_by_any_file(images):
    def homeless(*words):
        command = [sys.executable, "-c", HOMELESS, "compare", *images, *words, "--exit-zero"]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.returncode, done.stderr

    assert homeless() == homeless("--checkpoint", BUNDLED_WEIGHTS) == (0, "")
    code, told = homeless("--checkpoint", "newest")
    assert (code, told.startswith("omnitwin: this user has no home folder")) == (3, True)


def test_no_network_yet_exits_3_and_says_how_to_get_one(run, images):
    outcome = run("compare", *images, "--checkpoint", "newest")
    assert outcome.code == 3
    assert "omnitwin train" in outcome.complaint()


@pytest.mark.parametrize(
    "name",
    [
        "nobody",
        pytest.param("n" * 300),
    ],
)
def test_no_run_or_file_of_that_name_exits_3_and_names_it(run, trained, images, name):
    outcome = run("compare", *images, "--checkpoint", name)
    assert outcome.code == 3
    assert name in outcome.complaint()


@pytest.mark.usefixtures("trained")
def test_same_exits_0_and_different_exits_1(run, images):
    assert run("compare", *images, "--threshold", ALWAYS).code == 0
    assert run("compare", *images, "--threshold", NEVER).code == 1


@pytest.mark.usefixtures("trained")
def test_exit_zero_exits_0_for_different_too(run, images):
    outcome = run("compare", *images, "--threshold", NEVER, "--exit-zero")
    assert outcome.code == 0
    assert "different: probability" in outcome.out


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize(("threshold", "code"), [(ALWAYS, 0), (NEVER, 1)])
def test_quiet_answers_by_exit_code_alone(run, images, threshold, code):
    outcome = run("compare", *images, "--threshold", threshold, "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (code, "", "")


@pytest.mark.usefixtures("trained")
def test_order_of_the_files_does_not_matter(run, images):
    first, second = images
    one, other = comparison(run, first, second), comparison(run, second, first)
    assert one["probability"] == pytest.approx(other["probability"], abs=1e-6)
    assert (one["first"], one["second"]) == (str(first), str(second)) == (other["second"], other["first"])


def test_a_file_compared_with_itself_scores_what_the_bias_alone_gives(run, trained, images):
    bias = load_file(trained / "weights.safetensors")["head.bias"]
    assert comparison(run, images[0], images[0])["probability"] == pytest.approx(float(bias.sigmoid()), abs=1e-7)


def test_json_tells_the_verdict_and_who_gave_it(run, trained, images):
    report = comparison(run, *images, "--threshold", ALWAYS)
    assert (report["same"], report["threshold"]) == (True, float(ALWAYS))
    assert 0 < report["probability"] < 1
    assert (report["checkpoint"], report["recipe"], report["iteration"]) == (
        str(trained / "best.safetensors"),
        "small",
        3,
    )


def test_the_best_network_of_a_run_answers_where_it_has_one(run, trained, images):
    """`best` is what the held-out alphabets chose; without one it is the last."""
    assert comparison(run, *images)["checkpoint"] == str(trained / "best.safetensors")
    (trained / "best.safetensors").unlink()
    found = comparison(run, *images, "--checkpoint", "trained")
    assert found["checkpoint"] == str(trained / "weights.safetensors")


def test_a_calibrated_probability_is_that_of_the_logit_through_temperature_and_bias(run, trained, images, tmp_path):
    """Platt 1999: sigmoid(logit / T + b), with the logit of the probability that is told without a calibration."""
    plain = comparison(run, *images)
    record = {"calibration": {"temperature": 0.5, "bias": 0.25}, "threshold": 0.3}
    written_anew(trained / "best.safetensors", tmp_path / "calibrated.safetensors", record=record)
    fitted = comparison(run, *images, "--checkpoint", tmp_path / "calibrated.safetensors")
    logit = math.log(plain["probability"] / (1 - plain["probability"]))
    assert fitted["probability"] == pytest.approx(1 / (1 + math.exp(-(logit / 0.5 + 0.25))), abs=1e-6)
    assert (plain["calibrated"], fitted["calibrated"], fitted["threshold"]) == (False, True, 0.3)


def test_text_calls_a_probability_calibrated_just_where_it_is(run, trained, images, tmp_path):
    record = {"calibration": {"temperature": 0.5, "bias": 0.25}}
    written_anew(trained / "best.safetensors", tmp_path / "calibrated.safetensors", record=record)
    assert "calibrated" not in run("compare", *images, "--exit-zero").out
    assert "calibrated probability" in run(
        "compare", *images, "--exit-zero", "--checkpoint", tmp_path / "calibrated.safetensors"
    ).out.replace(str(tmp_path), "")


def test_a_checkpoint_of_the_first_format_is_read_and_answers_the_same(run, trained, images, tmp_path):
    """Version 1 had no held-out alphabets and its recipe no `holdout`; its probability was the logit's own."""
    record = record_of(trained / "weights.safetensors")
    as_version_1(record, Recipe.from_json({**record["recipe"], "network": record["network"]}))
    old = tmp_path / "old.safetensors"
    tensors = load_file(trained / "weights.safetensors")
    save_file(tensors, old, metadata={"omnitwin": json.dumps(record)})
    answer, today = comparison(run, *images, "--checkpoint", old), comparison(run, *images)
    assert (answer["probability"], answer["calibrated"]) == (today["probability"], False)


@pytest.mark.usefixtures("trained")
def test_json_holds_no_pixels(run, images):
    assert {name for name in comparison(run, *images) if "picture" in name} == set()


@pytest.mark.usefixtures("trained")
def test_json_and_text_agree(run, images):
    report = comparison(run, *images, "--threshold", ALWAYS)
    text = run("compare", *images, "--threshold", ALWAYS).out
    assert f"same: probability {report['probability']:.4f}" in text
    assert "\x1b" not in text


@pytest.mark.usefixtures("trained")
def test_what_was_done_to_an_image_is_said(run, images, tmp_path):
    chalk = Image.new("L", (40, 20), 7)
    chalk.paste(200, (10, 5, 30, 8))
    chalk.save(tmp_path / "chalk on a board.png")
    notes = comparison(run, images[0], tmp_path / "chalk on a board.png")["notes"]
    assert notes == [
        "upright.png: 105 x 105 was scaled to fit 28 x 28",
        "chalk on a board.png: light ink on dark was turned round",
        "chalk on a board.png: 40 x 20 was scaled to fit 28 x 28",
    ]


def test_without_a_threshold_the_networks_own_decides(run, trained, images, tmp_path):
    written_anew(trained / "weights.safetensors", tmp_path / "strict.safetensors", record={"threshold": 0.99})
    outcome = run("compare", *images, "--checkpoint", tmp_path / "strict.safetensors")
    assert outcome.code == 1
    assert "(threshold 0.99)" in outcome.out


@pytest.mark.usefixtures("trained")
def test_figure_tells_the_verdict_and_is_written_for_different_too(run, images, tmp_path):
    shown = {}
    for threshold, code in ((NEVER, 1), (ALWAYS, 0)):
        path = tmp_path / f"{code}.png"
        assert run("compare", *images, "--threshold", threshold, "--figure", path).code == code
        with Image.open(path) as figure:
            assert figure.format == "PNG"
            shown[code] = {colour for _, colour in figure.convert("RGB").getcolors(10_000)}
    red, green = ImageColor.getrgb(RED), ImageColor.getrgb(GREEN)
    assert (red in shown[1], green in shown[1], red in shown[0], green in shown[0]) == (True, False, False, True)


@pytest.mark.usefixtures("trained")
def test_figure_with_an_ending_that_nobody_writes_exits_2(run, images, tmp_path):
    assert run("compare", *images, "--figure", tmp_path / "both.psd").code == 2


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize("name", ["[red]x.png", "[bold].png", ":smile:.png", "ünï.png"])
def test_file_names_that_look_like_markup_are_printed_as_they_are(run, images, tmp_path, name):
    odd = images[0].rename(tmp_path / name)
    assert name in run("compare", odd, images[1], "--exit-zero").out
    assert name in run("compare", tmp_path / "not here" / name, images[1]).complaint()


@pytest.mark.usefixtures("trained")
def test_control_characters_in_file_names_do_not_reach_the_terminal(run, images, tmp_path):
    odd = images[0].rename(tmp_path / "a\x1b[2J\nb.png")
    text = run("compare", odd, images[1], "--exit-zero").out
    assert "a\\x1b[2J\\nb.png" in text
    assert "\x1b" not in text


def missing_image(path):
    pass


def folder_image(path):
    path.mkdir()


def empty_image(path):
    path.touch()


def text_image(path):
    path.write_text("just words\n")


def truncated_image(path):
    Image.effect_noise((100, 100), 100).save(path, format="PNG")
    path.write_bytes(path.read_bytes()[:2000])


def blank_image(path):
    Image.new("L", (40, 20), 200).save(path)


def all_black_image(path):
    Image.new("1", (105, 105), 0).save(path)


def transparent_image(path):
    Image.new("RGBA", (30, 30), (0, 0, 0, 0)).save(path)


BAD_IMAGES = [missing_image, folder_image, empty_image, text_image, truncated_image]
BLANK_IMAGES = [blank_image, all_black_image, transparent_image]


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("make", [*BAD_IMAGES, *BLANK_IMAGES])
def test_a_bad_image_exits_2_with_one_line_that_names_it(run, images, tmp_path, make, place):
    bad = tmp_path / "bad.png"
    make(bad)
    pair = [images[0], images[0]]
    pair[place] = bad
    outcome = run("compare", *pair)
    assert outcome.code == 2
    assert str(bad) in outcome.complaint()


@pytest.mark.parametrize("frame", ["ink", "whole"])
@pytest.mark.parametrize("make", BLANK_IMAGES)
def test_two_blank_images_are_no_match_but_an_error_in_every_frame(run, trained, tmp_path, make, frame):
    recipe = {**record_of(trained / "best.safetensors")["recipe"], "frame": frame}
    written_anew(trained / "best.safetensors", tmp_path / "framed.safetensors", record={"recipe": recipe})
    make(tmp_path / "a.png")
    make(tmp_path / "b.png")
    for checkpoint in (tmp_path / "framed.safetensors", "bundled"):
        outcome = run("compare", tmp_path / "a.png", tmp_path / "b.png", "--checkpoint", checkpoint)
        assert outcome.code == 2
        assert f"{tmp_path / 'a.png'} has no ink" in outcome.complaint()


@pytest.mark.usefixtures("trained")
def test_an_image_name_that_no_file_system_takes_exits_2(run, images):
    assert run("compare", "n" * 300, images[0]).code == 2


def knowing(trained, path, limit):
    """The network with a record of novelty of an older checkpoint, whose limits are both `limit`."""
    unit = [[float(row == column) for column in range(8)] for row in range(8)]
    novelty = {"mean": [0.0] * 8, "precision": unit, "distance_limit": limit, "unrest_limit": limit}
    written_anew(trained / "best.safetensors", path, record={"novelty": novelty})
    return path


def test_of_an_image_beyond_the_limits_of_novelty_it_cannot_tell_exits_4_and_says_why(run, trained, images, tmp_path):
    strict = knowing(trained, tmp_path / "strict.safetensors", 1e-6)
    for threshold in (ALWAYS, NEVER):
        outcome = run("compare", *images, "--checkpoint", strict, "--threshold", threshold)
        assert (outcome.code, outcome.err) == (4, "")
        (line,) = [line for line in outcome.out.splitlines() if line.startswith("cannot tell")]
        assert "upright.png: unlike any image" in line
        assert "lying.png: unlike any image" in line
        assert not any(line.startswith(("same", "different")) for line in outcome.out.splitlines())
    assert run("compare", *images, "--checkpoint", strict, "--exit-zero").code == 0


def test_in_json_the_verdict_is_unsure_with_reasons_and_never_same(run, trained, images, tmp_path):
    strict = knowing(trained, tmp_path / "strict.safetensors", 1e-6)
    report, turned = (
        comparison(run, *files, "--checkpoint", strict, "--threshold", ALWAYS) for files in (images, images[::-1])
    )
    assert (report["verdict"], report["same"], len(report["reasons"])) == ("unsure", False, 2)
    assert (turned["verdict"], sorted(turned["reasons"])) == ("unsure", sorted(report["reasons"]))
    assert min(report["first_novelty"], report["second_novelty"]) > 1
    assert turned["probability"] == report["probability"]


def test_asked_to_answer_always_it_answers_with_a_warning(run, trained, images, tmp_path):
    strict = knowing(trained, tmp_path / "strict.safetensors", 1e-6)
    words = (*images, "--checkpoint", strict, "--always-answer")
    outcome = run("compare", *words, "--threshold", ALWAYS)
    assert (outcome.code, outcome.out.count("cannot tell")) == (0, 0)
    assert [line.split(" any")[0] for line in outcome.err.splitlines()] == [
        "Warning: upright.png is unlike",
        "Warning: lying.png is unlike",
    ]
    assert run("compare", *words, "--threshold", NEVER).code == 1
    assert [comparison(run, *words, "--threshold", end)["verdict"] for end in (ALWAYS, NEVER)] == ["same", "different"]


def test_a_ranking_marks_what_it_cannot_tell_and_calls_none_of_it_same(run, trained, images, tmp_path):
    strict = knowing(trained, tmp_path / "strict.safetensors", 1e-6)
    words = ("compare", images[0], *images, "--checkpoint", strict, "--threshold", ALWAYS)
    outcome = run(*words)
    (row,) = [line for line in outcome.out.splitlines() if line.endswith("lying.png")]
    assert (outcome.code, row.split()[2:4]) == (0, ["cannot", "tell"])
    (ranked,) = json.loads(run(*words, "--json").out)["ranked"]
    assert (ranked["verdict"], ranked["same"], len(ranked["reasons"])) == ("unsure", False, 2)
    (answered,) = json.loads(run(*words, "--json", "--always-answer").out)["ranked"]
    assert (answered["verdict"], answered["same"], answered["reasons"]) == ("same", True, [])


@pytest.mark.parametrize("words", [("--json",), ("--quiet",)])
def test_json_and_quiet_warn_of_nothing_on_stderr(run, trained, images, tmp_path, words):
    strict = knowing(trained, tmp_path / "strict.safetensors", 1e-6)
    assert run("compare", *images, "--checkpoint", strict, *words).err == ""


def test_an_image_within_the_limits_gets_no_warning(run, trained, images, tmp_path):
    lenient = knowing(trained, tmp_path / "lenient.safetensors", 1e6)
    assert 0 < comparison(run, *images, "--checkpoint", lenient)["first_novelty"] < 1
    assert run("compare", *images, "--checkpoint", lenient, "--exit-zero").err == ""


@pytest.mark.usefixtures("trained")
def test_a_network_that_knows_no_novelty_says_nothing_of_it(run, images):
    assert comparison(run, *images)["first_novelty"] is None


NEW = {"mean": [0.0] * 12, "spread": [1.0] * 12, "weights": [[0.0] * 12] * 16, "biases": [0.0] * 16}
NEW |= {"head": [0.0] * 16, "bias": 0.0, "limit": 1.0}


def test_a_record_of_novelty_with_a_network_of_its_own_is_read(run, trained, images, tmp_path):
    written_anew(trained / "best.safetensors", tmp_path / "new.safetensors", record={"novelty": NEW})
    assert comparison(run, *images, "--checkpoint", tmp_path / "new.safetensors")["first_novelty"] == pytest.approx(
        math.exp(-1.0)
    )


@pytest.mark.parametrize(
    "damage",
    [
        *({"mean": [0.0] * 7}, {"precision": [[1.0]] * 8}, {"distance_limit": 0.0}, {"unrest_limit": "1"}),
        *(NEW | damage for damage in ({"spread": [0.0] * 12}, {"weights": [[0.0] * 12] * 15}, {"limit": None})),
        *(NEW | damage for damage in ({"head": [float("nan")] * 16}, {"bias": [0.0]}, {"extra": 1.0})),
    ],
)
def test_a_record_of_novelty_that_is_none_exits_3(run, trained, images, tmp_path, damage):
    path = knowing(trained, tmp_path / "damaged.safetensors", 1.0)
    record = damage if "spread" in damage else record_of(path)["novelty"] | damage
    written_anew(path, tmp_path / "anew.safetensors", record={"novelty": record})
    outcome = run("compare", *images, "--checkpoint", tmp_path / "anew.safetensors")
    assert outcome.code == 3
    assert "novelty" in outcome.complaint()


@pytest.mark.usefixtures("trained")
def test_show_input_shows_what_the_network_saw_beside_the_files(run, images):
    plain, shown = (run("compare", *images, "--exit-zero", *words).out for words in ((), ("--show-input",)))
    assert "What the network saw" not in plain
    assert "What the network saw" in shown
    assert len(shown.splitlines()) > len(plain.splitlines())


def test_a_figure_never_takes_the_place_of_an_image_that_is_compared(run, images, tmp_path, monkeypatch):
    upright, lying = images
    before = upright.read_bytes()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.png").symlink_to(upright)
    for others, figure in (([lying], upright), ([lying], "link.png"), ([lying, upright], upright), ([tmp_path], lying)):
        outcome = run("compare", upright, *others, "--figure", figure)
        assert outcome.code == 2
        assert "is one of the images that are compared" in outcome.complaint()
    assert upright.read_bytes() == before
    assert run("compare", upright, tmp_path, "--figure", tmp_path / "new.png", "--quiet").code == 0
