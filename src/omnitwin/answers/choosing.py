"""Choose the default network: the one that answers when none is named (`omnitwin use`)."""

from pathlib import Path

from omnitwin.errors import BadCheckpoint
from omnitwin.model.anatomy import layout
from omnitwin.model.description import FORMAT, describe, opened, read_description, record_of
from omnitwin.model.locating import (
    BUNDLED_WEIGHTS,
    LARGEST_WEIGHTS,
    Choice,
    locate_checkpoint,
    read_default,
    trained_network,
    write_default,
)
from omnitwin.model.tensors import check_fit
from omnitwin.recipes import OWN
from omnitwin.reports.answers import ChoiceReport
from omnitwin.system.files import digest
from omnitwin.system.paths import BUNDLED, expand, runs_folder


def choose(name: str) -> ChoiceReport:
    """Make a run, a weights file or `bundled` the default, pinned to its weights as they are now.

    `newest` pins the run that is the newest now. Raises BadCheckpoint if the name stands for no checkpoint.

    >>> omnitwin.choose("my-run").network.iteration
    1200
    """
    weights = locate_checkpoint(name)
    _check_answers(weights)  # raises BadCheckpoint now, not at the first answer
    if weights == BUNDLED_WEIGHTS:
        write_default(Choice(BUNDLED, None))
    elif weights.parent.parent == runs_folder() and not expand(name).is_file():
        write_default(Choice(weights.parent.name, _pin(weights)))  # by name, so that the home folder can move
    else:
        write_default(Choice(str(expand(name).absolute()), _pin(weights)))
    return chosen()


def _pin(weights: Path) -> str:
    try:
        return digest(weights, "sha256", LARGEST_WEIGHTS)
    except OSError as error:
        raise BadCheckpoint(f"{weights} cannot be read: {error.strerror or error}") from error


def _check_answers(weights: Path) -> None:
    """Raise BadCheckpoint for a file that cannot answer, as far as its header tells. No tensor is read."""
    with opened(weights, "numpy") as file:
        network = describe(weights, record_of(weights, file, FORMAT)).network
        if network.encoder != OWN:
            check_fit(weights, file, layout(network))


def check_checkpoint(name: str | None) -> None:
    """Raise BadCheckpoint if a name stands for no weights file, before torch is imported for it."""
    locate_checkpoint(name)


def chosen() -> ChoiceReport:
    """Return the default network. Raises BadCheckpoint if it is missing or has changed since it was chosen."""
    weights = locate_checkpoint(None)
    return ChoiceReport(name=read_default().name, network=trained_network(weights, read_description(weights)))
