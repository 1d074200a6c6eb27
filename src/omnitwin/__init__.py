"""omnitwin: train a twin (Siamese) network to tell whether two images show the same thing.

    import omnitwin

    twin = omnitwin.load()
    twin.compare("a.png", "b.png").verdict

The command line is `omnitwin`. Names are imported when they are first asked for: `import omnitwin` costs nothing.
"""

TYPE_CHECKING = False  # typing's own costs more than all the rest here; type checkers know this name, too

__version__ = "0.1.0"

if TYPE_CHECKING:
    from typing import Any

    from omnitwin.answers.calibrating import calibrate
    from omnitwin.answers.choosing import choose
    from omnitwin.answers.runs import list_runs, remove_runs, rename_run
    from omnitwin.answers.twin import Twin, load
    from omnitwin.api import Evaluation, Run, evaluate, plan, train, train_folds, write_report
    from omnitwin.config import EvalConfig, SourceConfig, TrainConfig
    from omnitwin.data.acquire import download
    from omnitwin.data.cached import clear_cache, list_cache
    from omnitwin.data.imageset import ImageSet
    from omnitwin.data.opening import ImageParts, open_images
    from omnitwin.errors import BadCheckpoint, BadImage, BadInput, CannotRun, OmnitwinError
    from omnitwin.exams.exam import Exam
    from omnitwin.galleries import duplicates, group, map_of
    from omnitwin.gallery.doors import embed, index, search
    from omnitwin.gallery.indexes import list_indexes, remove_index
    from omnitwin.recipes import RECIPES, Recipe, View
    from omnitwin.reports.answers import Comparison
    from omnitwin.reports.progress import Reporter

_HOMES = {  # the module of each public name
    "BadCheckpoint": "errors",
    "BadImage": "errors",
    "BadInput": "errors",
    "CannotRun": "errors",
    "Comparison": "reports.answers",
    "EvalConfig": "config",
    "Evaluation": "api",
    "Exam": "exams.exam",
    "ImageParts": "data.opening",
    "ImageSet": "data.imageset",
    "OmnitwinError": "errors",
    "RECIPES": "recipes",
    "Recipe": "recipes",
    "Reporter": "reports.progress",
    "Run": "api",
    "SourceConfig": "config",
    "TrainConfig": "config",
    "Twin": "answers.twin",
    "View": "recipes",
    "calibrate": "answers.calibrating",
    "choose": "answers.choosing",
    "clear_cache": "data.cached",
    "download": "data.acquire",
    "duplicates": "galleries",
    "embed": "gallery.doors",
    "evaluate": "api",
    "group": "galleries",
    "index": "gallery.doors",
    "list_cache": "data.cached",
    "list_indexes": "gallery.indexes",
    "list_runs": "answers.runs",
    "load": "answers.twin",
    "map_of": "galleries",
    "open_images": "data.opening",
    "plan": "api",
    "remove_index": "gallery.indexes",
    "remove_runs": "answers.runs",
    "rename_run": "answers.runs",
    "search": "gallery.doors",
    "train": "api",
    "train_folds": "api",
    "write_report": "api",
}
__all__ = [
    "RECIPES",
    "BadCheckpoint",
    "BadImage",
    "BadInput",
    "CannotRun",
    "Comparison",
    "EvalConfig",
    "Evaluation",
    "Exam",
    "ImageParts",
    "ImageSet",
    "OmnitwinError",
    "Recipe",
    "Reporter",
    "Run",
    "SourceConfig",
    "TrainConfig",
    "Twin",
    "View",
    "calibrate",
    "choose",
    "clear_cache",
    "download",
    "duplicates",
    "embed",
    "evaluate",
    "group",
    "index",
    "list_cache",
    "list_indexes",
    "list_runs",
    "load",
    "map_of",
    "open_images",
    "plan",
    "remove_index",
    "remove_runs",
    "rename_run",
    "search",
    "train",
    "train_folds",
    "write_report",
]


def __getattr__(name: str) -> "Any":
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
