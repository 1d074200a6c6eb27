"""A calibration that is killed, or finds no room: a whole verifier or none, the network untouched, no litter."""

import os
import resource
import signal
from functools import partial

import pytest
from drawn_places import draw_place, signature
from killing import left_over, run_and_kill

import omnitwin
from omnitwin.errors import BadInput, CannotWrite
from omnitwin.model.locating import BUNDLED_WEIGHTS
from omnitwin.system.files import digest
from omnitwin.system.paths import WEIGHTS_FILE, runs_folder

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")

KILLED, ENDED = 9, 0


@pytest.fixture
def place(tmp_path):
    """10 hands of 2 signatures."""
    return draw_place(
        tmp_path / "hands", dict.fromkeys("abcdefghij", 2), lambda key: signature(key[0]).rotate(4 * key[1])
    )


def calibrate(place, name="mine"):
    omnitwin.calibrate(place, name=name)


@pytest.mark.slow
def test_killed_at_any_change_of_the_disk_it_leaves_a_whole_verifier_or_none(place, tmp_path):
    for name in ("first", "whole"):  # the first also makes the folder of runs
        status, seen = run_and_kill(partial(calibrate, place, name), tmp_path)
        assert status == ENDED
    wanted = (runs_folder() / "whole" / WEIGHTS_FILE).read_bytes()
    before = digest(BUNDLED_WEIGHTS, "sha256")
    for moment in range(1, seen.total() + 1):
        name = f"killed-{moment}"
        status, _ = run_and_kill(partial(calibrate, place, name), tmp_path, moment)
        assert status == KILLED
        weights = runs_folder() / name / WEIGHTS_FILE
        if weights.exists():
            assert weights.read_bytes() == wanted
            with pytest.raises(BadInput, match="is there already"):
                calibrate(place, name)
        else:
            calibrate(place, name)
            assert weights.read_bytes() == wanted
        omnitwin.rename_run(name, f"renamed-{moment}")  # which clears what is left over
    assert digest(BUNDLED_WEIGHTS, "sha256") == before
    assert left_over(runs_folder()) == []


@pytest.mark.parametrize("room", [0, 1_000, 100_000, 1_000_000])
def test_without_room_on_the_disk_nothing_is_left(place, tmp_path, room):
    def try_it():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing too much is then an error, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        with pytest.raises(CannotWrite, match="cannot write"):
            calibrate(place)

    status, _ = run_and_kill(try_it, tmp_path)
    assert status == ENDED
    assert list(runs_folder().iterdir()) == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can become somebody who may not write")
def test_a_home_that_may_not_be_written_is_told_before_any_image_is_read(place, tmp_path, home):
    runs_folder().mkdir(parents=True)
    (place / "a" / "0.png").write_bytes(b"no image")

    def try_it():
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        with pytest.raises(CannotWrite):
            calibrate(place)

    for folder in (tmp_path, *tmp_path.parents):
        if folder.owner() == "root" and folder.name.startswith(("pytest", "popen", "test")):
            folder.chmod(0o755)
    status, _ = run_and_kill(try_it, tmp_path)
    assert status == ENDED
