"""What a set of images calls its classes, and their groups and sources, in reports and messages.

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


def nouns_of(dataset: str) -> Nouns:
    """Return the words for the set of this name, such as `omniglot/test`."""
    return OF_SETS.get(dataset.partition("/")[0], OWN)
