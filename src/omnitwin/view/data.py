"""Draw what is known of a folder or table of images as text for a terminal, on stdout."""

from collections.abc import Iterator, Sequence

from rich.console import Console

from omnitwin.reports.data import DataReport, LeftOutFile, Spread
from omnitwin.reports.nouns import counted
from omnitwin.view.console import say
from omnitwin.view.pictures import draw_images, draw_pairs
from omnitwin.view.tables import show_rows
from omnitwin.view.words import listed, percent, split_in_words

NAMED = 5  # files and pairs of a kind; JSON has them all
ALL_OF_THEM = "--json names all"


def show_data(report: DataReport, console: Console) -> None:
    """Print the facts, what needs a look, pictures and pairs."""
    say(console, f"{report.place}: {counted(report.images, 'image')} of {_classes(report)}", "bold")
    show_rows(_facts(report), console)
    for line, style in _remarks(report):
        say(console, line, style)
    if report.pictures:
        shown = f"{counted(len(report.pictures), 'random image')} of the {report.shown} part, seed {report.seed}"
        say(console, shown, "bold")
        console.print(draw_images(report.pictures, console))
    if report.pairs:
        shown = f"{counted(len(report.pairs), 'random pair')} of the {report.shown} part, seed {report.seed}"
        say(console, shown, "bold")
        console.print(draw_pairs(report.pairs, console))
    if report.problem is not None:
        say(console, f"It cannot be trained on: {report.problem}.", "bold red")
    elif report.next_step is not None:
        step = report.next_step
        colours = "in colours" if step.channels == 3 else "grey"
        say(console, f"Train on it: {step.command}", "bold green")
        say(console, f"By their look: recipe {step.recipe}, {step.height} x {step.width} pixels, {colours}.")


def _classes(report: DataReport) -> str:
    groups = f" in {counted(report.groups, 'group')}" if report.groups else ""
    return counted(report.classes, "class") + groups


def _facts(report: DataReport) -> list[tuple[str, str]]:
    parts = [
        (f"  {part.name}", f"{counted(part.classes, 'class')}, {counted(part.images, 'image')}")
        for part in report.parts
    ]
    singles = f"; {_singles(report.single_classes)}" if report.single_classes else ""
    return [
        ("images a class", _range(report.images_per_class) + singles),
        ("width", f"{_range(report.width)} pixels"),
        ("height", f"{_range(report.height)} pixels"),
        ("width by height", _range(report.aspect, digits=2)),
        ("look", f"{report.look}: {percent(report.coloured)} in colour, {percent(report.ink)} ink on paper"),
        ("broken files", f"{len(report.broken):,}, left out" if report.broken else "none"),
        ("same pixels", _same(report)),
        ("nearly the same", _near(report)),
        ("test and elsewhere", _leaks(report)),
        ("split", split_in_words(report.split, report.seed)),
        *parts,
    ]


def _singles(count: int) -> str:
    if count == 1:
        return "1 class has one image, which serves for dissimilar pairs only"
    return f"{count:,} classes have one image each, which serve for dissimilar pairs only"


def _range(spread: Spread, digits: int = 0) -> str:
    """Return `41 to 84, median 56`, or `64` if all are the same."""
    least, median, most = (f"{number:,.{digits}f}" for number in (spread.least, spread.median, spread.most))
    return least if least == most else f"{least} to {most}, median {median}"


def _same(report: DataReport) -> str:
    groups = report.duplicates.same
    if not groups:
        return "none"
    images = sum(len(group.paths) for group in groups)
    across = report.duplicates.same_across_classes
    return f"{counted(images, 'image')} in {counted(len(groups), 'group')}, {across:,} of them across classes"


def _near(report: DataReport) -> str:
    within, across = report.duplicates.near_within_classes, report.duplicates.near_across_classes
    if not within + across:
        return "none"
    return f"{counted(within + across, 'pair')}, {across:,} of them across classes"


def _leaks(report: DataReport) -> str:
    count = len(report.duplicates.leaks)
    if not count:
        return "no picture is in both"
    return f"{counted(count, 'test image')} {'is' if count == 1 else 'are'} in another part, too, exactly or nearly"


def _remarks(report: DataReport) -> Iterator[tuple[str, str]]:
    """Yield lines, with their style, on what a person should look at."""
    for note in report.notes:
        yield f"Note: {note}", "dim"
    if report.others:
        yield f"Note: {_others(report.others)} by name", "dim"
    yield from _files("Broken", report.broken)
    yield from _files("Left out", report.left_out)
    yield from _few("Blank, of one colour all over", list(report.blank))
    across = [group for group in report.duplicates.same if len(group.classes) > 1]
    yield from _few(
        "The same pixels in several classes (are the labels right?)", [listed(group.paths) for group in across]
    )
    near = report.duplicates.near[: report.duplicates.near_across_classes]
    yield from _few("Nearly the same in two classes", [f"{pair.left}, {pair.right}" for pair in near])
    yield from _few("In the test part and in another", list(report.duplicates.leaks))


def _others(count: int) -> str:
    return "1 file was passed over: it is no image" if count == 1 else f"{count:,} files were passed over: no images"


def _files(title: str, files: Sequence[LeftOutFile]) -> Iterator[tuple[str, str]]:
    yield from _few(title, [f"{file.path}: {file.reason}" for file in files])


def _few(title: str, lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield a title with the first few lines below it."""
    if lines:
        yield f"{title}: {len(lines):,}", "bold yellow"
        for line in lines[:NAMED]:
            yield f"  {line}", ""
        if len(lines) > NAMED:
            yield f"  and {len(lines) - NAMED:,} more ({ALL_OF_THEM})", "dim"
