"""The facts about this machine that a bug report needs (`omnitwin env`)."""

import os

import torch

from omnitwin.answers.choosing import chosen
from omnitwin.errors import BadCheckpoint
from omnitwin.reports.answers import ChoiceReport, EnvironmentReport
from omnitwin.system.device import available_devices, describe_device, select_device, select_precision
from omnitwin.system.paths import HOME_VARIABLE, cache_folder, data_folder
from omnitwin.system.versions import versions

VARIABLES = {  # with what each does, for README.md and docs/COMMANDS.md
    HOME_VARIABLE: "keep everything under this folder; it may be a link, what is in it may not",
    "OMNITWIN_MIRROR": "take Omniglot from this folder, zip file or base URL (https), as `download --from` does",
    "OMNITWIN_OFFLINE": "never use the network",
    "OMNITWIN_DEBUG": "show the traceback of any error",
    "NO_COLOR": "pictures made of characters, no colours",
}


def describe_environment() -> EnvironmentReport:
    """Report versions, devices, folders, the environment variables that omnitwin heeds, and the default network."""
    device = select_device("auto")
    network, problem = _default_network()
    return EnvironmentReport(
        versions=versions(),
        devices=tuple(describe_device(torch.device(name)) for name in available_devices()),
        chosen_device=str(device),
        precision=select_precision("auto", device),
        folders={"cache": str(cache_folder()), "data": str(data_folder())},
        variables={name: os.environ[name] for name in VARIABLES if name in os.environ},
        default_network=network,
        default_problem=problem,
    )


def _default_network() -> tuple[ChoiceReport | None, str | None]:
    try:
        return chosen(), None
    except BadCheckpoint as error:
        return None, error.line()
