"""Why an image gets no answer: it is unlike what the network was trained for, or intake found no one drawing on it.

doubts_about("a.png", image, 1.5, True)  # ("a.png: unlike any image that the network was trained for",)
"""

from omnitwin.images.views import Seen
from omnitwin.reports.answers import UNFAMILIAR
from omnitwin.reports.pages import BLANK, EMPTY_FORM, REASONS

EMPTY = (BLANK, EMPTY_FORM)  # which says all
LIMIT = 1.0  # of novelty, which is a distance divided by its own limit


def doubts_about(name: str, image: Seen, novelty: float | None, of_drawings: bool) -> tuple[str, ...]:
    """Return the reasons not to judge an image, each `NAME: REASON`; none if it can be judged.

    novelty: as of Verifier.novelties; None: not known, which is no reason
    of_drawings: whether the network was trained on pages with one drawing each. For another, a word or several parts
        may be what it was trained for, and only an empty page is none.
    """
    findings = [finding for finding in image.findings if of_drawings or finding in EMPTY]
    reasons = [REASONS[finding] for finding in findings]
    if novelty is not None and novelty > LIMIT and not set(findings) & set(EMPTY):
        reasons.append(UNFAMILIAR)
    return tuple(f"{name}: {reason}" for reason in reasons)
