"""A disk that is full, read-only or not what it should be: one clear line, exit 3, and what was good is kept."""

import os
import resource
import shutil
import signal
from dataclasses import replace
from functools import partial

import pytest
from killing import left_over, run_and_kill

from omnitwin.cli import main
from omnitwin.config import SourceConfig, TrainConfig
from omnitwin.data import synthetic
from omnitwin.errors import CannotWrite
from omnitwin.recipes import SMALL
from omnitwin.system.files import digest
from omnitwin.system.paths import STATE_FILE, WEIGHTS_FILE, omniglot_folder
from omnitwin.training.training import train

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")

TINY = SMALL.changed(iterations=2, batch_size=8, holdout=0)
NOBODY = 65534


def config(output, **changes):
    """A run on 24 small drawings."""
    return TrainConfig(
        recipe=TINY.changed(**changes),
        dataset=synthetic.draw_set("training", alphabets=2, characters=3, drawers=4, size=28),
        device="cpu",
        precision="fp32",
        output=output,
    )


def refused(work, said):
    """Whether work, in a process of its own, ends with CannotWrite and those words."""

    def tried():
        with pytest.raises(CannotWrite, match=said):
            work()

    return tried


@pytest.fixture
def run(tmp_path):
    """A finished run of two iterations."""
    train(config(tmp_path / "run"))
    return tmp_path / "run"


@pytest.mark.parametrize("room", [0, 1_000, 100_000, 1_000_000])
def test_a_disk_that_fills_up_leaves_the_checkpoint_before_as_it_was(run, tmp_path, room):
    before = {name: digest(run / name, "sha256") for name in (WEIGHTS_FILE, STATE_FILE)}

    def go_on():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing too much is then an error, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        train(config(run, iterations=4), resume=run)

    status, _ = run_and_kill(refused(go_on, "cannot write"), tmp_path)
    assert status == 0
    assert {name: digest(run / name, "sha256") for name in before} == before
    assert left_over(run) == []
    assert train(config(run, iterations=4), resume=run).iteration == 4


def as_nobody(work):
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    work()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can become somebody who may not write")
def test_a_run_that_may_not_be_written_is_not_gone_on_with(run, tmp_path):
    for path in (run, *run.iterdir()):
        path.chmod(0o555)
    for folder in tmp_path.parents:
        if folder.stat().st_uid == 0 and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    tmp_path.chmod(0o755)
    work = partial(as_nobody, refused(lambda: train(config(run, iterations=4), resume=run), "Permission denied"))
    assert run_and_kill(work, tmp_path)[0] == 0


@pytest.mark.parametrize(
    "words",
    [
        ("train", "--recipe", "small", "--data", "synthetic", "--holdout", "0", "--iterations", "1"),
        ("download", "--from", "{zips}"),
        ("compare", "a.png", "b.png"),
        ("eval", "--exam", "pairs"),
        ("use", "newest"),
    ],
)
def test_a_file_in_place_of_the_home_folder_exits_3_with_one_line(words, home, fake_omniglot, capsys):
    home.write_text("a file")
    with pytest.raises(SystemExit) as ended:
        main([word.format(zips=fake_omniglot.zips) for word in words])
    assert ended.value.code == 3
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    assert home.read_text() == "a file"


def test_a_cache_that_is_deleted_during_a_training_does_not_end_it(fake_omniglot, tmp_path):
    source = SourceConfig(source=str(fake_omniglot.zips))

    class Deleting:
        def __enter__(self):
            return self.asked

        def __exit__(self, *exception):
            return None

        def asked(self):
            shutil.rmtree(omniglot_folder(), ignore_errors=True)

    wanted = replace(config(tmp_path / "run"), dataset="omniglot", source=source)
    assert train(wanted, stop_button=Deleting()).iteration == 2
    assert not omniglot_folder().exists()


def test_files_of_the_future_are_gone_on_with(run):
    """The clock was set back."""
    for path in (run, *run.iterdir()):
        os.utime(path, (2**32, 2**32))
    assert train(config(run, iterations=3), resume=run).iteration == 3
