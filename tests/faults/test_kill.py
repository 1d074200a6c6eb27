"""Killed at any moment, a run or a download goes on as if nothing had been: the same bytes, and no litter.

KILLS of each recipe at random moments: `OMNITWIN_TEST_KILLS=500 pytest -m slow tests/faults`.
"""

import json
import os
import random
import time
from collections import Counter
from functools import partial

import pytest
from killing import left_over, run_and_kill
from local_server import Answer

from omnitwin.config import SourceConfig, TrainConfig
from omnitwin.data import acquire, omniglot, synthetic
from omnitwin.model.description import read_description
from omnitwin.model.locating import Choice, read_default, write_default
from omnitwin.recipes import FAST, SMALL
from omnitwin.reports.progress import SILENT
from omnitwin.system.files import digest
from omnitwin.system.paths import BEST_FILE, METRICS_FILE, STATE_FILE, WEIGHTS_FILE
from omnitwin.training import runs, training

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")]

KILLS = int(os.environ.get("OMNITWIN_TEST_KILLS", "40"))
ITERATIONS = 4
MOST_ATTEMPTS = 20  # of a run that is killed again and again, then it is let to its end
RECIPES = {
    "pairs": SMALL.changed(iterations=ITERATIONS, batch_size=8, holdout=2),
    "batches": FAST.changed(iterations=ITERATIONS, batch_size=8, holdout=2, image_size=12, drawings=2),
}
KILLED, ENDED = 9, 0


def train(recipe, output):
    """Train, or go on where an earlier process ended; a checkpoint after each iteration, and an exam after two."""
    config = TrainConfig(
        recipe=recipe,
        dataset=synthetic.draw_set("training", alphabets=4, characters=3, drawers=4, size=28),
        device="cpu",
        precision="fp32",
        output=output,
        checkpoint_seconds=0.0,
        exam_every=2,
    )
    resume = output if (output / STATE_FILE).exists() else None
    if resume:
        assert runs.recorded(str(resume))[1].whole_recipe() == recipe
    training.train(config, resume=resume)


def outcome(run):
    """Digests of all that a run ends with, and its losses by iteration."""
    steps = [json.loads(line) for line in (run / METRICS_FILE).read_text().splitlines()]
    losses = [(step["iteration"], step["loss"]) for step in steps]
    return {name: digest(run / name, "sha256") for name in (WEIGHTS_FILE, BEST_FILE)}, losses


def check_whole(run):
    """Whatever is there of a run's files can be read; else BadCheckpoint."""
    for path in run.glob("*.safetensors"):
        read_description(path)


@pytest.fixture(params=RECIPES)
def undisturbed(request, tmp_path):
    """A recipe, what a run of it ends with, what changes of the disk that takes, and how many seconds."""
    recipe, run = RECIPES[request.param], tmp_path / "undisturbed"
    start = time.monotonic()
    status, seen = run_and_kill(partial(train, recipe, run), tmp_path)
    assert status == ENDED
    return recipe, outcome(run), seen, time.monotonic() - start


def test_a_training_killed_at_any_change_of_the_disk_ends_with_the_same_bytes(undisturbed, tmp_path):
    recipe, wanted, seen, _ = undisturbed
    kills = 0
    for moment in range(1, seen.total() + 1):
        run = tmp_path / f"killed-{moment}"
        status, _ = run_and_kill(partial(train, recipe, run), tmp_path, moment)
        kills += status == KILLED
        check_whole(run)
        if (run / WEIGHTS_FILE).exists() and outcome_is_final(run, wanted):
            continue
        assert run_and_kill(partial(train, recipe, run), tmp_path)[0] == ENDED, moment
        assert outcome(run) == wanted, moment
        assert left_over(run) == [], moment
    print(f"\n{kills} kills, one at each of {seen.total()} moments: {dict(seen)}")
    assert kills >= seen.total() - 2  # the last changes clear up what is no longer needed


def outcome_is_final(run, wanted):
    """A run that was killed after its last checkpoint has nothing left to do."""
    done = read_description(run / STATE_FILE).iteration == ITERATIONS
    return done and read_description(run / WEIGHTS_FILE).iteration == ITERATIONS and outcome(run) == wanted


def test_a_training_killed_again_and_again_at_random_gets_to_its_end(undisturbed, tmp_path):
    """By turns at a random change of the disk, and at a random moment of its time."""
    recipe, wanted, seen, seconds = undisturbed
    dice, ends, runs = random.Random(0), Counter(), 0
    while ends[KILLED] < KILLS:
        run = tmp_path / f"often-{runs}"
        for attempt in range(MOST_ATTEMPTS):
            moment = (dice.randrange(1, seen.total()), None) if attempt % 2 else (None, dice.uniform(0, seconds))
            status, _ = run_and_kill(partial(train, recipe, run), tmp_path, *moment)
            ends[status] += 1
            check_whole(run)
            if status != KILLED:
                break
        if status == KILLED:
            assert run_and_kill(partial(train, recipe, run), tmp_path)[0] == ENDED
        assert outcome(run) == wanted
        assert left_over(run) == []
        runs += 1
    print(f"\n{ends[KILLED]} kills at random of {runs} runs, all of which ended alike")


@pytest.fixture(params=["folder", "server"])
def source(request, fake_omniglot, serve, monkeypatch):
    if request.param == "folder":
        return SourceConfig(source=str(fake_omniglot.zips))
    answers = {
        f"/{path.name}": Answer(body=path.read_bytes(), honour_range=True) for path in fake_omniglot.zips.glob("*.zip")
    }
    server = serve(answers)
    monkeypatch.setattr(omniglot, "OFFICIAL_URL", server.url)
    return SourceConfig(source=server.url)


def test_a_download_killed_at_any_change_of_the_disk_ends_with_the_same_files(source, home, tmp_path, monkeypatch):
    """A zip from a folder is kept after it was packed, so one kill may cost the copy, which nothing needs by then."""

    def files():
        return {path.name: digest(path, "sha256") for path in acquire.omniglot_folder().iterdir()}

    def packed():
        return {path.name: digest(path, "sha256") for path in acquire.omniglot_folder().glob("*.safetensors")}

    def fetch():
        acquire.download(source, SILENT)

    status, seen = run_and_kill(fetch, tmp_path)
    assert status == ENDED
    wanted, whole = files(), packed()
    assert len(wanted) == 6  # three zips, three packed files
    kills = 0
    for moment in range(1, seen.total() + 1):
        monkeypatch.setenv("OMNITWIN_HOME", str(tmp_path / f"home-{moment}"))
        status, _ = run_and_kill(fetch, tmp_path, moment)
        kills += status == KILLED
        if acquire.omniglot_folder().exists():
            assert packed().items() <= whole.items(), moment
        assert run_and_kill(fetch, tmp_path)[0] == ENDED, moment
        assert packed() == whole, moment
        assert files().items() <= wanted.items(), moment
    print(f"\n{kills} kills, one at each of {seen.total()} moments: {dict(seen)}")
    assert kills == seen.total()


def test_a_choice_of_the_default_killed_at_any_change_is_the_old_or_the_new(home, tmp_path):
    old, new = Choice("old", "0" * 64), Choice("new", "1" * 64)
    write_default(old)
    status, seen = run_and_kill(lambda: write_default(new), tmp_path)
    assert (status, read_default()) == (ENDED, new)
    for moment in range(1, seen.total() + 1):
        write_default(old)
        assert run_and_kill(lambda: write_default(new), tmp_path, moment)[0] == KILLED
        assert read_default() in (old, new)
    write_default(old)
    assert [path.name for path in left_over(home)] == []
