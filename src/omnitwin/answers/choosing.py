"""`omnitwin use`: which network answers where none is named."""

from omnitwin.model.description import read_description
from omnitwin.model.locating import (
    BUNDLED_WEIGHTS,
    Choice,
    locate_checkpoint,
    read_default,
    trained_network,
    write_default,
)
from omnitwin.reports.answers import ChoiceReport
from omnitwin.system.files import digest
from omnitwin.system.paths import BUNDLED, expand, runs_folder


def choose(name: str) -> ChoiceReport:
    """Make a run, a weights file or `bundled` the default, as it is now; `newest` is the run that is the newest now."""
    weights = locate_checkpoint(name)
    read_description(weights)  # BadCheckpoint where it is none: said now, not when it has to answer
    if weights == BUNDLED_WEIGHTS:
        write_default(Choice(BUNDLED, None))
    elif weights.parent.parent == runs_folder() and not expand(name).is_file():
        write_default(Choice(weights.parent.name, digest(weights, "sha256")))  # a run moves with its folder
    else:
        write_default(Choice(str(expand(name).absolute()), digest(weights, "sha256")))
    return chosen()


def chosen() -> ChoiceReport:
    """The default as it stands; BadCheckpoint where it is gone or has changed."""
    weights = locate_checkpoint(None)
    return ChoiceReport(name=read_default().name, network=trained_network(weights, read_description(weights)))
