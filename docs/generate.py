"""Write COMMANDS.md beside this file from the program itself, or with --check compare it with what it would be.

python docs/generate.py [--check]

What is told of a command comes from its docstring and the declarations of its options, never from the pages that
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
WORDS = {int: "N", float: "NUMBER"}  # for the value of an option that names none
Function = Callable[..., Any]


def page() -> str:
    """The whole of COMMANDS.md."""
    group = typer.main.get_command(app)
    callback = app.registered_callback
    assert callback is not None
    assert callback.callback is not None
    contents = "\n".join(
        f"- [`omnitwin {name}`](#omnitwin-{name}): {first_sentence(command)}" for name, command in COMMANDS.items()
    )
    ours = [one for one in group.params if one.name in inspect.signature(callback.callback).parameters]
    of_typer = [code(word) for one in group.params if one not in ours for word in one.opts]
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
    """Each command, and behind it the commands that it has."""
    for name, command in COMMANDS.items():
        yield section(f"omnitwin {name}", inspect.getdoc(command), group.commands[name].params, command)
        for part, of_part in getattr(group.commands[name], "commands", {}).items():
            function = of_part.callback
            yield section(f"omnitwin {name} {part}", of_part.help, of_part.params, function)


def section(title: str, text: str | None, parameters: list[Any], function: Function, more: str = "") -> str:
    """A command: what it does, its usage, its arguments and its options."""
    assert text, f"{title} says nothing of itself"
    arguments = [one for one in parameters if not is_option(one)]
    options = [one for one in parameters if is_option(one)]
    kinds = get_type_hints(function, include_extras=True)
    usage = "".join(" " + usage_of(one) for one in arguments)
    parts = [f"## {title}", escape(text), f"```text\n{title} [OPTIONS]{usage}{more}\n```"]
    if arguments:
        rows = ((code(one.metavar), escape(one.help), default(one)) for one in arguments)
        parts.append(table(("argument", "meaning", "default"), rows))
    rows = ((spelled(one, kinds), escape(one.help), default(one)) for one in options)
    parts.append(table(("option", "meaning", "default"), rows))
    return "\n\n".join(parts)


def usage_of(argument: Any) -> str:
    """`A.png`, `B.png...` or `[RUN]`."""
    word = argument.metavar + "..." * (argument.nargs == -1)
    return word if argument.required else f"[{word}]"


def is_option(parameter: Any) -> bool:
    return bool(parameter.opts[0].startswith("-"))


def spelled(option: Any, kinds: dict[str, Any]) -> str:
    """`--batches N` (1 or more), `--quiet`, `-q`."""
    kind = kinds[option.name]
    value = "" if holds(kind, bool) else f" {option.metavar or word_for(kind)}"
    words = ", ".join(code(word + value) for word in option.opts)
    least = [one.min for one in get_args(kind) if getattr(one, "min", None) is not None]
    return f"{words} ({least[0]} or more)" if least else words


def word_for(kind: Any) -> str:
    return next((word for one, word in WORDS.items() if holds(kind, one)), "TEXT")


def holds(kind: Any, one: type) -> bool:
    """Whether an annotation, such as Annotated[int | None, ...], is of that type."""
    return kind is one or any(holds(part, one) for part in get_args(kind))


def default(parameter: Any) -> str:
    if isinstance(parameter.show_default, str):
        return escape(parameter.show_default)
    if parameter.required:
        return "required"
    return "" if parameter.default is None or parameter.default is False else code(str(parameter.default))


def first_sentence(command: Function) -> str:
    return escape((inspect.getdoc(command) or "").split("\n\n")[0].replace("\n", " "))


def exit_codes() -> list[tuple[str, str]]:
    """Each code with the comment on its line."""
    found = re.findall(r"^    ([A-Z_]+) = (\d+)  # (.+)$", inspect.getsource(ExitCode), flags=re.M)
    assert [(name, int(number)) for name, number, _ in found] == [(one.name, one.value) for one in ExitCode]
    return [(number, escape(meaning)) for _, number, meaning in found]


def table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [headings, ("---",) * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines).replace("|  |", "| |")


def escape(text: str) -> str:
    """Text as Markdown that shows it as it is; what stands between backticks is code."""
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
