"""`omnitwin use`: which network answers where none is named."""

from omnitwin.default import read_default, write_default
from omnitwin.model.description import BUNDLED_WEIGHTS, locate_checkpoint, read_description
from omnitwin.paths import BUNDLED, expand, runs_folder
from omnitwin.reports import ChoiceReport


def choose(name: str) -> ChoiceReport:
    """Make a run, a weights file or `bundled` the default; `newest` is the run that is the newest now."""
    weights = locate_checkpoint(name)
    read_description(weights)  # BadCheckpoint where it is none: said now, not when it has to answer
    if weights == BUNDLED_WEIGHTS:
        write_default(BUNDLED)
    elif weights.parent.parent == runs_folder() and not expand(name).is_file():
        write_default(weights.parent.name)  # a run moves with its folder
    else:
        write_default(str(expand(name).absolute()))
    return chosen()


def chosen() -> ChoiceReport:
    """The default as it stands; BadCheckpoint where it is gone."""
    weights = locate_checkpoint(None)
    description = read_description(weights)
    return ChoiceReport(
        name=read_default(),
        bundled=weights == BUNDLED_WEIGHTS,
        checkpoint=weights,
        recipe=description.recipe.name,
        iteration=description.iteration,
        iterations=description.recipe.iterations,
    )
