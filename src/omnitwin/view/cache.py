"""Draw what the cache keeps, and what was removed from it."""

from rich.console import Console

from omnitwin.reports.cache import CacheClearing, CachedPictures, CacheList
from omnitwin.reports.nouns import counted
from omnitwin.view.console import say
from omnitwin.view.words import age_in_words, bytes_in_words

COLOURS = {1: "grey", 3: "in colour"}  # by the number of channels


def show_cache(report: CacheList, console: Console, chosen: bool = False) -> None:
    """Print each place and its facts. chosen: whether the report may leave some out"""
    if not report.stores and chosen:
        say(console, f"No pictures in {report.folder} are that old.")
        return
    if not report.stores:
        say(console, f"No pictures in {report.folder}. Training on your own images keeps them there, decoded.")
        return
    for each in report.stores:
        _show(each, console)
    say(console, f"{bytes_in_words(report.bytes)} in {report.folder}. To clear it: omnitwin cache --clear")


def show_clearing(report: CacheClearing, console: Console) -> None:
    """Print what was removed, or would be, and what was not."""
    for each in (*report.removed, *report.kept):
        _show(each, console)
    if not report.removed:
        say(console, "Nothing was removed." if report.kept else "There is nothing to remove.")
    else:
        verb = "Would remove" if report.dry_run else "Removed"
        say(console, f"{verb} {bytes_in_words(report.bytes)}.")


def _show(each: CachedPictures, console: Console) -> None:
    say(console, each.place or "unknown images", "bold")
    say(console, f"  {', '.join(_facts(each))}")
    if each.gone:
        say(console, "  the images themselves are no longer there", "dim")
    if each.holder is not None:
        say(console, f"  in use by {each.holder}", "dim")
    if each.problem is not None:
        say(console, f"  {each.problem}", "bold red")


def _facts(each: CachedPictures) -> list[str]:
    facts = []
    if each.images is not None:
        facts.append(counted(each.images, "image"))
        colours = COLOURS.get(each.channels or 0, f"in {each.channels} channels")
        facts.append(f"{each.height} x {each.width} pixels {colours} ({each.frame})")
    facts.append(bytes_in_words(each.bytes))
    if each.age is not None:
        facts.append(f"made {_ago(each.age)}")
    if each.unused is not None:
        facts.append(f"last used {_ago(each.unused)}")
    return [*facts, f"key {each.key}"]


def _ago(seconds: float) -> str:
    age = age_in_words(seconds)
    return age if age == "now" else f"{age} ago"
