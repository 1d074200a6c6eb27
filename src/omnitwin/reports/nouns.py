"""What a set of images calls its classes, and their groups and sources, in reports and messages; and counted nouns.

nouns_of("omniglot/test").groups  # alphabets
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Nouns:
    """The words for a set's parts, in the singular and the plural."""

    group: str = "group"
    groups: str = "groups"
    kinds: str = "classes"
    source: str = "source"
    sources: str = "sources"
    held_out: str = "classes"  # what is kept out of training


OWN = Nouns()
WRITING = Nouns(
    group="alphabet",
    groups="alphabets",
    kinds="characters",
    source="drawer",
    sources="drawers",
    held_out="alphabets",
)
OF_SETS = {"omniglot": WRITING, "synthetic": WRITING}


def counted(count: int, name: str) -> str:
    """Return `1 image`, `1,000 images`, `2 classes`, `3 entries`. name: the singular"""
    if count == 1:
        return f"1 {name}"
    if name.endswith("y") and name[-2] not in "aeou":
        return f"{count:,} {name[:-1]}ies"
    return f"{count:,} {name}{'es' if name.endswith('s') else 's'}"


def nouns_of(dataset: str) -> Nouns:
    """Return the words for the set of this name, such as `omniglot/test`."""
    return OF_SETS.get(dataset.partition("/")[0], OWN)
