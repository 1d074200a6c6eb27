"""Alphabets kept out of training, on which thresholds, calibration and the best checkpoint are chosen."""

import torch

from omnitwin.data.packed import PackedSet
from omnitwin.errors import BadInput


def hold_out(packed: PackedSet, count: int, generator: torch.Generator) -> tuple[PackedSet, PackedSet | None]:
    """The set without `count` alphabets that the generator picks, and those alphabets (None for a count of 0)."""
    if count == 0:
        return packed, None
    alphabets = len(packed.alphabet_names)
    if count >= alphabets:
        raise BadInput(
            f"{packed.name} has {alphabets} alphabets; holding out {count} leaves none to train on",
            f"Start a new run with --holdout {alphabets - 1} or less.",
        )
    held_A = torch.zeros(alphabets, dtype=torch.bool)
    held_A[torch.randperm(alphabets, generator=generator)[:count]] = True
    return packed.of_classes(~held_A[packed.alphabet_C]), packed.of_classes(held_A[packed.alphabet_C])


def only_alphabets(packed: PackedSet, names: tuple[str, ...]) -> PackedSet:
    """The images of the alphabets with these names; BadInput where the set lacks one."""
    missing = sorted(set(names) - set(packed.alphabet_names))
    if missing:
        raise BadInput(f"{packed.name} has no alphabet {missing[0]}", "The network was trained on another set.")
    held_A = torch.tensor([name in names for name in packed.alphabet_names])
    return packed.of_classes(held_A[packed.alphabet_C])
