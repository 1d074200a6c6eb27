"""Published recipes changed by the words of a command line: named options, and `--override NAME=VALUE` for the rest."""

import math
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from typing import Any, get_type_hints

from omnitwin.errors import BadInput
from omnitwin.recipes import RECIPES, Batches, Recipe

OF_BATCHES = {field.name for field in fields(Batches)}
KINDS = {name: kind for of in (Recipe, Batches) for name, kind in get_type_hints(of).items() if name != "name"}


def default_of(field: str) -> str:
    """A field's default in each recipe, for the help."""
    return ", ".join(f"{name}: {getattr(recipe, field)}" for name, recipe in RECIPES.items())


def complete_override(incomplete: str) -> list[str]:
    return [f"{name}=" for name in KINDS if name.startswith(incomplete)]


def published(name: str, options: dict[str, Any], overrides: Iterable[str]) -> Recipe:
    """The recipe of that name, changed as options (None: not given) and overrides say; BadInput where they cannot."""
    if name not in RECIPES:
        raise BadInput(f"no recipe is called {name!r}", f"Use {', '.join(RECIPES)}.")
    changes = _changes(options, overrides)
    recipe_changes = {name: value for name, value in changes.items() if name not in OF_BATCHES}
    batches_changes = {name: value for name, value in changes.items() if name in OF_BATCHES}
    recipe = RECIPES[name]
    if batches_changes:
        batches = recipe_changes.get("batches", recipe.batches)
        if batches is None:
            words = ", ".join(batches_changes)
            raise BadInput(f"{words}: of no use where {name} does not train on all pairs of a batch", "Leave it out.")
        recipe_changes["batches"] = replace(batches, **batches_changes)
    return replace(recipe, **recipe_changes)


def resumed(recorded: Recipe, options: dict[str, Any], overrides: Iterable[str]) -> Recipe:
    """The recorded recipe, with more iterations where asked for; nothing else of it can change half way."""
    changes = _changes(options, overrides)
    known = vars(recorded) | (vars(recorded.batches) if recorded.batches else {})
    changed = [name for name, value in changes.items() if name != "iterations" and value != known.get(name)]
    refuse_changes(f"--{name.replace('_', '-')}" if name in options else f"--override {name}" for name in changed)
    return replace(recorded, iterations=changes.get("iterations", recorded.iterations))


def refuse_changes(changed: Iterable[str]) -> None:
    """BadInput that names the options that say otherwise than the run that is resumed."""
    if words := ", ".join(changed):
        raise BadInput(f"{words} cannot change in a run that is resumed", "Leave it out, or start a new run.")


def _changes(options: dict[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Values by field; BadInput where a field is given two."""
    found = {name: value for name, value in options.items() if value is not None}
    for name, value in map(_parse, overrides):
        if found.setdefault(name, value) != value:
            raise BadInput(f"{name} is given as {found[name]} and as {value}", "Give it once.")
    return found


def _parse(word: str) -> tuple[str, Any]:
    """Field and value of `NAME=VALUE`."""
    name, sign, text = word.partition("=")
    if name not in KINDS:
        raise BadInput(f"no field of a recipe is called {name!r}", f"Fields: {', '.join(KINDS)}.")
    if not sign:
        raise BadInput(f"{name} is given no value", f"Write --override {name}=VALUE.")
    parse, wanted = PARSERS[KINDS[name]]
    try:
        return name, parse(text)
    except (KeyError, ValueError):
        raise BadInput(f"{name} takes {wanted}, not {text!r}", "") from None


def _number(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(text)
    return number


def _two_numbers(text: str) -> tuple[float, float]:
    first, second = map(_number, text.split(","))
    return first, second


PARSERS: dict[Any, tuple[Callable[[str], Any], str]] = {
    int: (int, "a whole number"),
    float: (_number, "a number"),
    bool: (lambda text: {"true": True, "false": False}[text.lower()], "true or false"),
    str: (str, "a word"),
    tuple[float, float]: (_two_numbers, "two numbers, such as 0.9,0.99"),
    Batches | None: ({"none": None}.__getitem__, "none"),
}
