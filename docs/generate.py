"""Write COMMANDS.md beside this file from the program itself; with --check, exit 1 if it differs.

python docs/generate.py [--check]

The text comes from the commands' docstrings and the declarations of their options. It does not come from the pages that
--help draws: those depend on the terminal and on the version of Typer.
"""

import inspect
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import typer

from omnitwin.answers.environment import VARIABLES
from omnitwin.cli import COMMANDS, app
from omnitwin.errors import ExitCode

PAGE = Path(__file__).parent / "COMMANDS.md"
HEAD = """# Commands

Written by `python docs/generate.py` from the program itself; do not edit. Every command takes `--help` (`-h`), too. All
end with one of these [exit codes](#exit-codes), and heed these [environment variables](#environment-variables).

"""
COMPLETION = "`omnitwin` alone takes {}, too, which are Typer's."
WORDS = {int: "N", float: "NUMBER"}  # for the value of an option that names no metavar
Function = Callable[..., Any]


def page() -> str:
    """Return the text of COMMANDS.md."""
    group = typer.main.get_command(app)
    callback = app.registered_callback
    assert callback is not None
    assert callback.callback is not None
    contents = "\n".join(
        f"- [`omnitwin {name}`](#omnitwin-{name}): {first_sentence(command)}" for name, command in COMMANDS.items()
    )
    ours = [option for option in group.params if option.name in inspect.signature(callback.callback).parameters]
    of_typer = [code(word) for option in group.params if option not in ours for word in option.opts]
    parts = [
        HEAD + contents,
        section("omnitwin", group.help, ours, callback.callback, " COMMAND ..."),
        COMPLETION.format(" and ".join(of_typer)),
        *sections(group),
        "## Exit codes\n\n" + table(("code", "meaning"), exit_codes()),
        "## Environment variables\n\nAn empty one counts as not set.\n\n"
        + table(("variable", "effect"), ((code(name), escape(effect)) for name, effect in VARIABLES.items())),
    ]
    return "\n\n".join(parts) + "\n"


def sections(group: Any) -> Iterable[str]:
    """Yield the section of each command, and after it those of its subcommands."""
    for name, command in COMMANDS.items():
        yield section(f"omnitwin {name}", inspect.getdoc(command), group.commands[name].params, command)
        for part, of_part in getattr(group.commands[name], "commands", {}).items():
            function = of_part.callback
            yield section(f"omnitwin {name} {part}", of_part.help, of_part.params, function)


def section(title: str, text: str | None, parameters: list[Any], function: Function, more: str = "") -> str:
    """Return a command's section: what it does, its usage, its arguments and its options."""
    assert text, f"{title} has no docstring"
    arguments = [parameter for parameter in parameters if not is_option(parameter)]
    options = [parameter for parameter in parameters if is_option(parameter) and not parameter.hidden]
    kinds = get_type_hints(function, include_extras=True)
    usage = "".join(" " + usage_of(argument) for argument in arguments)
    parts = [f"## {title}", escape(text), f"```text\n{title} [OPTIONS]{usage}{more}\n```"]
    if arguments:
        rows = ((code(argument.metavar), escape(argument.help), default(argument)) for argument in arguments)
        parts.append(table(("argument", "meaning", "default"), rows))
    rows = ((spelled(option, kinds), escape(option.help), default(option)) for option in options)
    parts.append(table(("option", "meaning", "default"), rows))
    return "\n\n".join(parts)


def usage_of(argument: Any) -> str:
    """Return an argument in a usage line: `A.png`, `B.png...` or `[RUN]`."""
    word = argument.metavar + "..." * (argument.nargs == -1)
    return word if argument.required else f"[{word}]"


def is_option(parameter: Any) -> bool:
    return bool(parameter.opts[0].startswith("-"))


def spelled(option: Any, kinds: dict[str, Any]) -> str:
    """Return the spellings of an option: `--batches N` (1 or more), or `--quiet`, `-q`."""
    kind = kinds[option.name]
    value = "" if holds(kind, bool) else f" {option.metavar or word_for(kind)}"
    words = ", ".join(code(word + value) for word in option.opts)
    least = [part.min for part in get_args(kind) if getattr(part, "min", None) is not None]
    return f"{words} ({least[0]} or more)" if least else words


def word_for(kind: Any) -> str:
    return next((word for number, word in WORDS.items() if holds(kind, number)), "TEXT")


def holds(kind: Any, wanted: type) -> bool:
    """Return whether an annotation, such as Annotated[int | None, ...], has a type among its parts."""
    return kind is wanted or any(holds(part, wanted) for part in get_args(kind))


def default(parameter: Any) -> str:
    if isinstance(parameter.show_default, str):
        return escape(parameter.show_default)
    if parameter.required:
        return "required"
    return "" if parameter.default is None or parameter.default is False else code(str(parameter.default))


def first_sentence(command: Function) -> str:
    return escape((inspect.getdoc(command) or "").split("\n\n")[0].replace("\n", " "))


def exit_codes() -> list[tuple[str, str]]:
    """Return each exit code with the comment on its line."""
    found = re.findall(r"^    ([A-Z_]+) = (\d+)  # (.+)$", inspect.getsource(ExitCode), flags=re.M)
    assert [(name, int(number)) for name, number, _ in found] == [(known.name, known.value) for known in ExitCode]
    return [(number, escape(meaning)) for _, number, meaning in found]


def table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [headings, ("---",) * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines).replace("|  |", "| |")


def escape(text: str) -> str:
    """Return text as Markdown that shows it unchanged; text between backticks is code."""
    parts = text.split("`")
    return "`".join(
        re.sub(r"[|\\]" if index % 2 else r"[\\|<>\[\]*]", r"\\\g<0>", part) for index, part in enumerate(parts)
    )


def code(text: str) -> str:
    return f"`{text.replace('|', chr(92) + '|')}`"


def main(check: bool, target: Path = PAGE) -> int:
    """Write the page to target, or only check it: 1 if what is there is out of date."""
    text = page()
    if not check:
        target.write_text(text, encoding="utf-8")
    elif not target.exists() or target.read_text(encoding="utf-8") != text:
        print(f"out of date: {target.name}; run: python docs/generate.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv))
