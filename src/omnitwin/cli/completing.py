"""What shells ask on TAB: environment variables that Typer answers, checked here first.

A completion script calls the program without words. So a variable that somebody left set can never make a failed
`omnitwin compare a b` look like an answer.
"""

import os
from collections.abc import Sequence

from omnitwin.errors import BadInput

ASKED = "_OMNITWIN_COMPLETE"
SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")
FISH = "_TYPER_COMPLETE_FISH_ACTION"
MOST_DIGITS = 6  # of a word's number on a command line


def is_asked(given: Sequence[str]) -> bool:
    """Return whether a shell asks for completions. Raises BadInput for a question that no completion script asks."""
    question = os.environ.get(ASKED)
    if not question:
        return False
    hint = f"Unset {ASKED}."
    action, _, shell = question.partition("_")
    if given:
        raise BadInput(f"{ASKED} is set, as completion scripts set it, but there are words to run", hint)
    if action not in ("complete", "source") or shell not in SHELLS:
        raise BadInput(f"{ASKED}={question} asks for nothing that can be completed", hint)
    if question == "complete_bash":
        number = os.environ.get("COMP_CWORD", "")
        if "COMP_WORDS" not in os.environ or not (number.isdecimal() and len(number) <= MOST_DIGITS):
            raise BadInput("COMP_WORDS and COMP_CWORD do not name a word of a command line", hint)
    if question == "complete_fish" and os.environ.get(FISH) not in ("get-args", "is-args"):
        raise BadInput(f"{FISH} is neither get-args nor is-args", hint)
    return True
