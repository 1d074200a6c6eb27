"""Why an image gets no answer: it is unlike what the network was trained for, or intake found no one drawing on it.

doubts_about("a.png", image, 1.5)  # ("a.png: unlike any image that the network was trained for",)
"""

from omnitwin.images.views import Seen
from omnitwin.reports.answers import UNFAMILIAR

LIMIT = 1.0  # of novelty, which is a distance divided by its own limit


def doubts_about(name: str, image: Seen, novelty: float | None) -> tuple[str, ...]:
    """Return the reasons not to judge an image, each `NAME: REASON`; none if it can be judged.

    novelty: as of Verifier.novelties; None: not known, which is no reason
    """
    found = [UNFAMILIAR] if novelty is not None and novelty > LIMIT else []
    found += getattr(image, "findings", ())  # what intake says of the page
    return tuple(f"{name}: {reason}" for reason in found)
