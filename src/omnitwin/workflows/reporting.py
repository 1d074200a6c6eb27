"""`omnitwin report`: all that there is to say of a run, from its training to its exams."""

from dataclasses import asdict
from pathlib import Path

from omnitwin.config import EvalConfig
from omnitwin.exam_reports import RunReport
from omnitwin.files import check_writable
from omnitwin.model.checkpoint import locate_checkpoint, read_description
from omnitwin.reports import SILENT, Reporter
from omnitwin.workflows.environment import versions
from omnitwin.workflows.evaluation import evaluate
from omnitwin.workflows.runlog import read_steps

PAGE = "report.html"


def report_run(config: EvalConfig, page: Path | None = None, reporter: Reporter = SILENT) -> RunReport:
    """Take the exams of config and gather what the run's folder knows; page: where the page is to go, or beside it."""
    weights = locate_checkpoint(config.checkpoint)
    description, steps = read_description(weights), read_steps(weights.parent)
    page = page or weights.parent / PAGE
    check_writable(page)
    return RunReport(
        evaluation=evaluate(config, reporter),
        recipe=asdict(description.recipe),
        steps=steps,
        versions=versions(),
        page=page,
    )
