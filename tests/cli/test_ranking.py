"""`omnitwin compare` of more than two images: a ranking that agrees with the answers for its pairs."""

import json
from math import inf

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from omnitwin.answers import comparison
from omnitwin.config import RankConfig
from omnitwin.images.things import draw_thing
from omnitwin.view.figures import ranking_figure


@pytest.fixture
def drawings(tmp_path):
    """Ten images in a folder: bars of several widths, upright and lying."""
    folder = tmp_path / "drawings"
    folder.mkdir()
    for number in range(10):
        image = Image.new("L", (60, 60), 255)
        wide, high = (8 + 2 * number, 50) if number % 2 else (50, 8 + 2 * number)
        ImageDraw.Draw(image).rectangle((5, 5, 5 + wide, 5 + high), fill=0)
        image.save(folder / f"{number:02d}.png")
    return folder


def ranking(run, *words):
    outcome = run("compare", *words, "--json")
    return json.loads(outcome.out), outcome


def files(report):
    return [one["file"] for one in report["ranked"]]


def test_images_are_ranked_by_the_probabilities_of_their_pairs_with_the_query(run, images, drawings):
    others = sorted(drawings.iterdir())
    report, outcome = ranking(run, images[0], *others)
    assert (outcome.code, outcome.err) == (0, "")
    pairs = [json.loads(run("compare", images[0], other, "--json").out) for other in others]
    by_pair = sorted(pairs, key=lambda pair: -pair["probability"])
    assert [(one["probability"], one["same"]) for one in report["ranked"]] == [
        (pair["probability"], pair["same"]) for pair in by_pair
    ]
    assert [one["rank"] for one in report["ranked"]] == list(range(1, 11))
    assert sorted(files(report)) == [str(other) for other in others]


@pytest.mark.usefixtures("trained")
def test_a_network_that_torch_runs_ranks_too(run, images, drawings):
    report, _ = ranking(run, images[0], drawings)
    assert report["engine"] == "torch"
    best = json.loads(run("compare", images[0], report["ranked"][0]["file"], "--json").out)
    # a place in a larger batch may change the last bits of an embedding
    assert best["probability"] == pytest.approx(report["ranked"][0]["probability"], abs=1e-4)


def test_a_folder_stands_for_the_images_in_it_and_other_files_do_not_count(run, images, drawings):
    (drawings / "notes.txt").write_text("no image")
    (drawings / ".hidden.png").write_text("no image")
    (drawings / "deeper.png").mkdir()
    by_folder, outcome = ranking(run, images[0], drawings)
    one_by_one, _ = ranking(run, images[0], *sorted(drawings.glob("[0-9]*.png")))
    assert by_folder["ranked"] == one_by_one["ranked"]
    assert (by_folder["unread"], outcome.err) == ([], "")


def test_what_a_folder_holds_besides_its_images_is_counted_and_said(run, images, drawings):
    (drawings / "notes.txt").write_text("no image")
    (drawings / ".hidden").write_text("not counted")
    (drawings / "deeper.png").mkdir()
    report, _ = ranking(run, images[0], drawings)
    assert report["left_out"] == [{"folder": str(drawings), "subfolders": 1, "files": 1}]
    told = run("compare", images[0], drawings).err
    assert f"Note: {drawings}: 1 subfolder was not searched, 1 file is no image (deeper.png, notes.txt)\n" in told


@pytest.mark.parametrize(
    ("subfolders", "files", "words"),
    [
        (40, 0, "holds no image files itself; its 40 subfolders were not searched. Name one of them."),
        (1, 3, "holds no image files itself; its subfolder was not searched. Name that one."),
        (0, 1, "holds no image files, but 1 file of another kind."),
        (0, 2, "holds no image files, but 2 files of other kinds."),
        (0, 0, "holds no image files."),
    ],
)
def test_a_folder_without_images_is_not_called_empty_of_what_was_not_searched(
    run, images, tmp_path, subfolders, files, words
):
    photos = tmp_path / "photos"
    for number in range(subfolders):
        (photos / f"class {number}").mkdir(parents=True)
    photos.mkdir(exist_ok=True)
    for number in range(files):
        (photos / f"{number}.txt").touch()
    outcome = run("compare", images[0], photos)
    assert outcome.code == 2
    assert outcome.complaint() == f"omnitwin: {photos} {words}"


def test_the_query_among_the_others_is_left_out(run, drawings, monkeypatch):
    monkeypatch.chdir(drawings)
    by_pattern, _ = ranking(run, "03.png", *sorted(path.name for path in drawings.glob("*.png")))
    assert sorted(files(by_pattern)) == [f"{number:02d}.png" for number in range(10) if number != 3]
    by_folder, _ = ranking(run, "./03.png", ".", drawings / "03.png")
    assert [one["probability"] for one in by_folder["ranked"]] == [one["probability"] for one in by_pattern["ranked"]]
    assert by_folder["images"] == 10


def test_a_file_in_several_spellings_and_links_is_ranked_once_by_the_first(run, images, drawings, monkeypatch):
    monkeypatch.chdir(drawings)
    (drawings / "00 link.png").symlink_to("03.png")
    report, _ = ranking(run, images[0], "./03.png", "03.png", drawings, f"../{drawings.name}/03.png", "00 link.png")
    assert len(files(report)) == 10
    assert [file for file in files(report) if file.endswith(("03.png", "link.png"))] == ["03.png"]  # Path drops ./


@pytest.mark.parametrize("words", [(), ("--json",), ("--quiet",)])
def test_the_query_alone_leaves_nothing_to_rank_and_exits_2(run, tmp_path, drawings, words):
    alone = tmp_path / "alone"
    alone.mkdir()
    query = (drawings / "00.png").rename(alone / "00.png")
    for others in ([alone], [query, query]):
        outcome = run("compare", query, *others, *words)
        assert outcome.code == 2
        assert str(query) in outcome.complaint()


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_image_is_named_as_one_that_cannot_be_ranked(run, images, drawings, level):
    Image.new("L", (60, 60), level).save(drawings / "00.png")
    report, outcome = ranking(run, images[0], drawings)
    (unread,) = report["unread"]
    assert unread["file"] == str(drawings / "00.png")
    assert "it is blank" in unread["problem"]
    assert unread["problem"] in outcome.err
    assert len(files(report)) == 9
    query = run("compare", drawings / "00.png", drawings)
    assert query.code == 2
    assert f"{drawings / '00.png'} has no ink" in query.complaint()


def test_equally_similar_images_keep_the_order_in_which_they_were_given(run, images, drawings, tmp_path):
    twins = [tmp_path / name for name in ("b.png", "a.png", "c.png")]
    for twin in twins:
        twin.write_bytes((drawings / "00.png").read_bytes())
    report, _ = ranking(run, images[0], *twins)
    assert files(report) == [str(twin) for twin in twins]


def test_what_cannot_be_read_is_named_in_a_line_each_and_does_not_stop_the_rest(run, images, drawings, tmp_path):
    (drawings / "04.png").write_text("just words\n")
    (tmp_path / "empty").mkdir()
    report, outcome = ranking(run, images[0], drawings, tmp_path / "nowhere.png", tmp_path / "empty")
    assert outcome.code == 0
    lines = outcome.err.splitlines()
    bad = {str(drawings / "04.png"), str(tmp_path / "nowhere.png"), str(tmp_path / "empty")}
    assert {one["file"] for one in report["unread"]} == bad
    assert len(lines) == 3
    assert all(any(name in line for line in lines) for name in bad)
    assert len(report["ranked"]) == 9


@pytest.mark.parametrize("words", [(), ("--quiet",)])
def test_none_that_can_be_read_exits_2_with_a_line_each(run, images, tmp_path, words):
    outcome = run("compare", images[0], tmp_path / "a.png", tmp_path / "b.png", *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert len(outcome.err.splitlines()) == 2


def test_a_query_that_cannot_be_read_exits_2(run, drawings, tmp_path):
    outcome = run("compare", tmp_path / "nowhere.png", drawings)
    assert outcome.code == 2
    assert "nowhere.png" in outcome.complaint()


def test_quiet_says_nothing_of_what_was_ranked(run, images, drawings):
    outcome = run("compare", images[0], drawings, "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


@pytest.mark.parametrize("threshold", ["0.000001", "0.999999"])
def test_ranking_exits_0_whatever_the_verdicts(run, images, drawings, threshold):
    report, outcome = ranking(run, images[0], drawings, "--threshold", threshold, "--always-answer")
    assert outcome.code == 0
    assert [one["same"] for one in report["ranked"]] == [
        one["probability"] >= float(threshold) for one in report["ranked"]
    ]


def test_json_tells_speed_and_who_answered_and_holds_no_pixels(run, images, drawings):
    report, outcome = ranking(run, images[0], drawings)
    assert report["images"] == 11
    assert 0 < report["images_per_second"] < inf
    assert report["images_per_second"] == pytest.approx(report["images"] / report["seconds"])
    assert (report["bundled"], report["engine"], report["recipe"]) == (True, "numpy", "strong")
    assert "picture" not in outcome.out


def test_text_and_json_agree(run, images, drawings):
    report, _ = ranking(run, images[0], drawings)
    lines = run("compare", images[0], drawings).out.splitlines()
    start = next(
        index for index, line in enumerate(lines) if line.split() == ["rank", "probability", "verdict", "file"]
    )
    for one, line in zip(report["ranked"], lines[start + 1 :], strict=False):
        verdict = "cannot tell" if one["verdict"] == "unsure" else one["verdict"]
        assert line.strip().startswith(f"{one['rank']}  ")
        assert f"{one['probability']:.4f}  {verdict} " in line
    text = "\n".join(lines)
    assert "read and embedded" in text
    assert "Answered by the bundled weights (" in text


def test_what_was_done_to_many_images_is_said_once(run, images, drawings):
    for path in drawings.iterdir():
        ImageOps.invert(Image.open(path)).save(path)
    notes = [line for line in run("compare", images[0], drawings).out.splitlines() if line.startswith("Note: ")]
    assert notes == ["Note: 10 images: light ink on dark was turned round"]


@pytest.mark.parametrize("name", ["[red]x.png", "[bold].png", ":smile:.png", "ünï.png"])
def test_names_that_look_like_markup_are_printed_as_they_are(run, images, drawings, name):
    (drawings / "00.png").rename(drawings / name)
    assert name in run("compare", images[0], drawings).out
    (drawings / name).write_text("no image")
    assert name in run("compare", images[0], drawings).err


def test_control_characters_in_names_do_not_reach_the_terminal(run, images, drawings):
    odd = (drawings / "00.png").rename(drawings / "a\x1b[2J\nb.png")
    outcome = run("compare", images[0], drawings)
    odd.write_text("no image")
    complaint = run("compare", images[0], drawings)
    assert "\x1b" not in outcome.out + outcome.err + complaint.out + complaint.err
    assert "a\\x1b[2J\\nb.png" in outcome.out


def test_control_characters_in_names_do_not_spoil_a_figure(run, images, drawings, tmp_path):
    odd = (drawings / "00.png").rename(drawings / "a\x1b[2J\nb.png")
    for others in ([drawings], [images[1]]):
        outcome = run("compare", odd, *others, "--figure", tmp_path / "figure.png", "--exit-zero", "--quiet")
        assert (outcome.code, outcome.err) == (0, "")


def test_names_that_no_file_system_takes_are_named(run, images, drawings):
    assert "n" * 300 in run("compare", images[0], "n" * 300).complaint()
    outcome = run("compare", images[0], drawings, "n" * 300, "--quiet")
    assert outcome.code == 0
    assert "n" * 300 in outcome.err


def test_a_figure_is_that_of_the_ranking(run, images, drawings, tmp_path):
    assert run("compare", images[0], drawings, "--figure", tmp_path / "best.png").code == 0
    report = comparison.rank(RankConfig(query=images[0], others=(drawings,)))
    ranking_figure(report, tmp_path / "of its report.png")
    assert (tmp_path / "best.png").read_bytes() == (tmp_path / "of its report.png").read_bytes()


def test_a_figure_with_an_ending_that_nobody_writes_exits_2_before_the_work(run, images, drawings):
    outcome = run("compare", images[0], drawings, "--figure", "best.psd")
    assert (outcome.code, outcome.out) == (2, "")


def test_show_input_shows_what_the_network_saw_of_the_query_and_the_best_ten(run, images, drawings):
    plain, shown = (run("compare", images[0], drawings, *words).out for words in ((), ("--show-input",)))
    beginning = shown[: shown.index("10 images by how probably")]
    assert "What the network saw of upright.png" in beginning
    assert all(f"{number:02d}.png" in beginning for number in range(10))
    assert "What the network saw" not in plain


def test_images_unlike_any_drawing_are_marked_each_and_explained_in_one_line(run, images, drawings):
    for seed, path in enumerate(sorted(drawings.iterdir())):
        draw_thing(np.random.default_rng(seed % 3)).save(path)  # of which the bundled network knows that they are none
    ranked = ranking(run, images[0], drawings)[0]["ranked"]
    far = [one for one in ranked if one["novelty"] > 1]
    assert len(far) > 3
    assert [one["verdict"] == "unsure" for one in ranked] == [one["novelty"] > 1 for one in ranked]
    outcome = run("compare", images[0], drawings)
    (line,) = [line for line in outcome.out.splitlines() if line.startswith("Cannot tell")]
    assert line.startswith(f"Cannot tell: {len(far)} images (")
    assert line.endswith(": unlike any image that the network was trained for")
    assert "Warning" not in outcome.out + outcome.err
    answered = run("compare", images[0], drawings, "--always-answer")
    (warning,) = [line for line in answered.err.splitlines() if "ranked images are unlike any" in line]
    assert warning.startswith(f"Warning: {len(far)} ")
