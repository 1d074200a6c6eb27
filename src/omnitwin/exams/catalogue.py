"""The exams by name, in the order in which they are taken. config.EXAMS has the same names, without torch."""

from collections.abc import Sequence

from omnitwin.config import OLDER_EXAMS, SEVERAL_EXAMS
from omnitwin.errors import BadInput
from omnitwin.exams.all_pairs import all_pairs, check_groups, same_group
from omnitwin.exams.beyond import beyond, check_drawn
from omnitwin.exams.exam import Exam, Take
from omnitwin.exams.retrieval import retrieval
from omnitwin.exams.trials import check_episodes, check_official, fetch_runs, official, one_shot, random_pairs

EXAMS = {
    exam.name: exam
    for exam in (
        Exam(name="pairs", take=random_pairs),
        Exam(name="all-pairs", take=all_pairs),
        Exam(name="same-group", take=same_group, check=check_groups),
        Exam(name="one-shot", take=one_shot, check=check_episodes),
        Exam(name="official", take=official, check=check_official, fetch=fetch_runs),
        Exam(name="retrieval", take=retrieval),
        Exam(name="beyond", take=beyond, check=check_drawn, long_on_own=True),
    )
}


def chosen(asked: Sequence[str | Exam | Take]) -> dict[Exam, bool]:
    """Return the exams to take, and whether each was asked for by itself (not by `all` or `usual`).

    Those of the catalogue come first and in its order. A function is an exam by its name that fits every set. Raises
    BadInput if none is asked for.
    """
    names = {OLDER_EXAMS.get(exam, exam) for exam in asked if isinstance(exam, str)}
    several = not names.isdisjoint(SEVERAL_EXAMS)
    found = {exam: name in names for name, exam in EXAMS.items() if several or name in names}
    for own in asked:
        if isinstance(own, Exam):
            found[own] = True
        elif not isinstance(own, str):
            found[Exam(name=getattr(own, "__name__", type(own).__name__).replace("_", "-"), take=own)] = True
    if not found:
        raise BadInput("no exam is named", f"Use {', '.join((*EXAMS, *SEVERAL_EXAMS))}, or a function of your own.")
    return found
