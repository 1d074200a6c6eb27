"""What a run must have left behind so that it can be resumed.

All of it is checked before data are read or a network is built.

A run's folder may be another person's: its files say how large everything is, and none is taken at its word.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from omnitwin.config import TrainConfig
from omnitwin.errors import BadCheckpoint, BadInput
from omnitwin.model.checkpoint import layout_with
from omnitwin.model.description import (
    FORMAT,
    HELD_OUT_EER,
    STATE_FORMAT,
    Description,
    check_layout,
    describe,
    opened,
    read_description,
    record_of,
)
from omnitwin.recipes import Recipe
from omnitwin.system.paths import BEST_FILE, STATE_FILE, WEIGHTS_FILE
from omnitwin.system.tensorfile import Layout, layout_of
from omnitwin.training.trainer import LEARNED, state_layout


def resumed_state(config: TrainConfig, run: Path) -> Description | None:
    """Return what a run's state says of itself; None: the run stopped before its first checkpoint. Reads no tensor.

    Raises BadCheckpoint if the state's tensors are not those of its recipe, BadInput for another recipe than config's
    and for a run that is done.
    """
    path = run / STATE_FILE
    if not os.path.lexists(path):
        return None
    with opened(path, "pt") as file:
        state = describe(path, record_of(path, file, STATE_FORMAT))
        found = layout_of(file)
    if not _is_of(state, config.recipe):
        raise BadInput(f"{run} has another recipe", "Resume it with its own recipe, or start a new run.")
    if state.iteration >= config.recipe.iterations and iteration_of(run / WEIGHTS_FILE) == state.iteration:
        raise BadInput(f"{run} has done its {state.iteration} iterations", "To train further, give more --iterations.")
    check_layout(path, state_layout(config.recipe, config.encoder, _labels_in(found)), found)
    return state


def check_labels(config: TrainConfig, run: Path, labels: int) -> None:
    """Raise BadCheckpoint if a run's state is of another number of labels than its images have. Reads no tensor."""
    path = run / STATE_FILE
    with opened(path, "pt") as file:
        check_layout(path, state_layout(config.recipe, config.encoder, labels), layout_of(file))


def best_before(config: TrainConfig, run: Path, state: Description, note: Callable[[str], None]) -> Description | None:
    """Return what a run's best checkpoint says of itself. None: it is missing, or is not this run's, which is noted."""
    path = run / BEST_FILE
    if not os.path.lexists(path):
        return None
    try:
        with opened(path, "numpy") as file:
            best = describe(path, record_of(path, file, FORMAT))
            check_layout(path, layout_with(best.network, config.encoder), layout_of(file))
        if HELD_OUT_EER not in best.metrics:
            raise BadCheckpoint(f"{path} has taken no exam")
        same_images = (best.fingerprint, best.held_out) == (state.fingerprint, state.held_out)
        if not same_images or not _is_of(best, config.recipe) or best.iteration > config.recipe.iterations:
            raise BadCheckpoint(f"{path} is of another run")
    except (BadCheckpoint, BadInput) as error:
        note(f"{error}. The next exam on held-out classes writes it again.")
        return None
    return best


def iteration_of(path: Path) -> int | None:
    """Return the iteration of a weights or state file, or None if it is missing or damaged.

    The weights can be older than the state: a run can be killed between writing the two.
    """
    with suppress(BadCheckpoint):
        return read_description(path).iteration
    return None


def _labels_in(found: Layout) -> int:
    """Return the number of labels that a state's own proxies imply: it is known only once data are open."""
    shapes = (shape for name, (shape, _) in found.items() if name.startswith(LEARNED) and name.endswith("proxies"))
    shape = next(shapes, ())
    return shape[0] if shape else 0


def _is_of(description: Description, recipe: Recipe) -> bool:
    """Return whether a checkpoint is of this recipe, however long that trains. Raises BadCheckpoint."""
    return replace(description.whole_recipe(), iterations=recipe.iterations, patience=recipe.patience) == recipe
