"""Whether the pairs of some images are enough to show what a threshold's target asks for."""

from omnitwin.config import Target
from omnitwin.errors import BadInput
from omnitwin.metrics.operating import pairs_needed, smallest_far


def check_shown(target: Target, dissimilar: int, whose: str, hint: str) -> None:
    """Raise BadInput if a number of dissimilar pairs cannot show the FAR that a target asks for, by the rule of three.

    whose: the images or classes of these pairs, in words; hint: how to have more

    >>> check_shown(Target("far", 0.01), 300, "the folds", "Choose another --target.")
    """
    needed = pairs_needed(target.kind, target.value)
    if dissimilar < needed:
        raise BadInput(
            f"{target} cannot be shown: the {dissimilar:,} dissimilar pairs of {whose} show a FAR of "
            f"{smallest_far(dissimilar):.2g} at best (rule of three), and it needs {needed:,}",
            hint,
        )
