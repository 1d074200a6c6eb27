"""`omnitwin report`: everything about a run, from its training to its exams."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from omnitwin.config import EvalConfig
from omnitwin.errors import BadCheckpoint, BadInput
from omnitwin.exams.evaluation import evaluate
from omnitwin.model.description import Description, read_description
from omnitwin.model.locating import BUNDLED_WEIGHTS, folder_of, locate_checkpoint
from omnitwin.reports.exams import RunReport
from omnitwin.reports.progress import SILENT, Reporter
from omnitwin.system.files import check_replaceable, check_writable
from omnitwin.system.paths import NEWEST, PAGE_FILE
from omnitwin.system.versions import versions
from omnitwin.training.runs import read_steps


def report_run(config: EvalConfig, page: Path | None = None, reporter: Reporter = SILENT) -> RunReport:
    """Take the exams of config, and read what the run's folder knows of its training.

    config: without a checkpoint, the report is about the newest run. page: where the page goes, by default into the
    run's folder. Raises BadInput for the bundled weights without a page, BadCheckpoint, and CannotWrite also for a page
    that is there and no plain file.
    """
    if page is not None:
        check_replaceable(page)
    name = config.checkpoint or NEWEST
    config = replace(config, checkpoint=name)
    weights = locate_checkpoint(name)
    if weights == BUNDLED_WEIGHTS and page is None:
        raise BadInput("the bundled weights have no folder for a page", "Say where: --output FILE.html")
    folder = folder_of(name, weights)
    description, steps = read_description(weights), read_steps(folder, reporter.note)
    page = page or folder / PAGE_FILE
    check_writable(page)
    return RunReport(
        evaluation=evaluate(config, reporter),
        recipe=_fields(description),
        steps=steps,
        versions=versions(),
        page=page,
    )


def _fields(description: Description) -> dict[str, Any]:
    """Return the recipe's fields by name. If the recipe is unknown here, return its record as it was written."""
    try:
        return description.whole_recipe().flat()
    except BadCheckpoint:
        return description.recipe
