"""Change published recipes by the words of a command line: by named options, and by `--override NAME=VALUE`."""

import math
from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any, get_type_hints

from omnitwin.errors import BadInput
from omnitwin.recipes import PARTS, RECIPES, Network, Recipe, check_fields, recipe_called

SCHEMAS = (Recipe, Network, *(part for parts in PARTS.values() for part in parts.values()))
UNSPELLED = ("name", "network", "function", "weights_sha256", "start_sha256")  # that no words may change
OPTIONS = {"start": "--from"}  # whose word is not the field's
KINDS: dict[str, Any] = {
    name: kind
    for schema in SCHEMAS
    for name, kind in get_type_hints(schema).items()
    if name in {each.name for each in fields(schema)} - {*UNSPELLED, *PARTS}
} | dict.fromkeys(PARTS, str)


def default_of(field: str) -> str:
    """Return a field's default in each recipe, for the help."""
    return ", ".join(f"{name}: {recipe.flat()[field]}" for name, recipe in RECIPES.items())


def complete_override(incomplete: str) -> list[str]:
    return [f"{name}=" for name in KINDS if name.startswith(incomplete)]


def published(name: str, options: dict[str, Any], overrides: Iterable[str]) -> Recipe:
    """Return the recipe of that name with the changes of options (None: not given) and overrides. Raises BadInput."""
    return recipe_called(name).changed(**recipe_changes(options, overrides))


def spelled(overrides: Iterable[str]) -> Callable[[str], str]:
    """Return how the command line spells a field of the recipe: `--override rotation` or `--batch-size`."""
    overridden = {word.partition("=")[0] for word in overrides}
    options = {name: f"--override {name}" for name in overridden} | OPTIONS
    return lambda name: options.get(name, f"--{name.replace('_', '-')}")


def recipe_changes(options: dict[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Return values by field. Raises BadInput for a field with two values."""
    found = {name: value for name, value in options.items() if value is not None}
    for name, value in map(_parse, overrides):
        if found.setdefault(name, value) != value:
            raise BadInput(f"{name} is both {found[name]} and {value}", "Give it once.")
    return found


def _parse(word: str) -> tuple[str, Any]:
    """Return field and value of `NAME=VALUE`. Raises BadInput."""
    name, sign, text = word.partition("=")
    check_fields([name], KINDS)
    if not sign:
        raise BadInput(f"--override {name} has no value", f"Write --override {name}=VALUE.")
    parse, wanted = PARSERS[KINDS[name]]
    try:
        return name, parse(text)
    except (KeyError, ValueError):
        raise BadInput(
            f"{name} takes {wanted}, not {text!r}", f"For example: --override {name}={_example(name)}"
        ) from None


def _example(field: str) -> str:
    """Return a field's default, or its value in the first recipe that has it, as `--override` takes it."""
    values = {each.name: each.default for schema in SCHEMAS for each in fields(schema)}
    for recipe in reversed(RECIPES.values()):
        values |= recipe.flat()
    value = values[field]
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value).lower()


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
}
