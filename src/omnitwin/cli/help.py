"""How help is laid out: plain text in two columns that stays readable at 60 columns, without colours or frames."""

import re
from typing import Any

from typer.core import TyperCommand, TyperGroup

from omnitwin.errors import ExitCode

WIDEST = 120  # columns: longer lines are hard to read
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": WIDEST}


class _Plain:
    """Help that names values by their metavar alone, not by a Python type."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        pieces: list[str] = super().collect_usage_pieces(ctx)  # type: ignore[misc]
        return [re.sub(r"^\{(.*)\}", r"\1", piece) for piece in pieces]  # `{A.png}` as `A.png`

    def get_help_option(self, ctx: Any) -> Any:
        option = super().get_help_option(ctx)  # type: ignore[misc]
        option.callback = _print_help
        return option

    def format_options(self, ctx: Any, formatter: Any) -> None:
        for title, kind in (("Arguments", "argument"), ("Options", "option")):
            parameters = [each for each in self.get_params(ctx) if each.param_type_name == kind]  # type: ignore[attr-defined]
            records = [record for parameter in parameters if (record := parameter.get_help_record(ctx))]
            if records:
                with formatter.section(title):
                    formatter.write_dl([(_with_word(name), _with_plain_default(text)) for name, text in records])


class Command(_Plain, TyperCommand):
    pass


class Group(_Plain, TyperGroup):
    """A command that has commands of its own."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


def summary(text: str) -> str:
    """The first paragraph of a docstring as one line."""
    return " ".join(text.strip().split("\n\n")[0].split())


def _print_help(ctx: Any, parameter: Any, wanted: bool) -> None:
    """Print through sys.stdout, so that a disk that is full is noticed (cli.streams)."""
    if wanted and not ctx.resilient_parsing:
        print(ctx.get_help())
        ctx.exit(ExitCode.DONE)


def _with_word(name: str) -> str:
    """`A.png <path>` as `A.png`, `--seed <int>` as `--seed N`."""
    name = re.sub(r" <int( range)?>$", " N", name)
    name = re.sub(r" <float( range)?>$", " NUMBER", name)
    return re.sub(r" <[^>]+>(\.\.\.)?$", "", name)


def _with_plain_default(text: str) -> str:
    """`[default: (the newest run)]` as `[default: the newest run]`, `x>=1` as `1 or more`."""
    text = re.sub(r"x>=(\d+)\]$", r"\1 or more]", text)
    return re.sub(r"\[default: \((.*)\)", r"[default: \1", text, flags=re.DOTALL)
