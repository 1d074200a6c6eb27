"""Write API.md beside this file from the docstrings of `import omnitwin`; with --check, exit 1 if it differs.

python docs/api.py [--check]
"""

import dataclasses
import inspect
import re
import sys
from pathlib import Path
from typing import Any

import omnitwin

PAGE = Path(__file__).parent / "API.md"
HEAD = """# Python

Written by `python docs/api.py` from the docstrings; do not edit. Every name here is imported from `omnitwin`:

```python
import omnitwin

twin = omnitwin.load()  # the bundled weights; or a run's name, or a path
twin.compare("a.png", "b.png").verdict  # files, PIL images or arrays
twin.embed(["a.png", "b.png"])  # (N, D) float32
images = omnitwin.open_images("omniglot")
run = omnitwin.train(images, recipe="fast", iterations=300, callback=print)
omnitwin.evaluate(run.twin, images.test, exams=["all-pairs"]).frame()  # rows for pandas.DataFrame
```

`import omnitwin` imports nothing else; a name is imported when it is first used. Errors are subclasses of
[`OmnitwinError`](#omnitwinerror), and their `line()` says what is wrong and what to do. Arrays and tensors: B images or
pairs, N images, D features, C channels, H x W pixels.
"""
PACKAGES = ("omnitwin", "torch", "typing", "collections", "contextlib", "pathlib", "os", "numpy", "PIL")
KINDS = (  # heading, and whether a value belongs under it
    ("Functions", inspect.isfunction),
    ("Classes", lambda value: inspect.isclass(value) and not issubclass(value, Exception)),
    ("Errors", lambda value: inspect.isclass(value) and issubclass(value, Exception)),
    ("Constants", lambda value: not inspect.isclass(value) and not inspect.isfunction(value)),
)


def page() -> str:
    """Return the text of API.md."""
    parts = [HEAD]
    for heading, belongs in KINDS:
        names = [name for name in omnitwin.__all__ if belongs(getattr(omnitwin, name))]
        parts.append(f"## {heading}\n\n" + "\n\n".join(section(name, getattr(omnitwin, name)) for name in names))
    return re.sub(r"\n{3,}", "\n\n", "\n\n".join(parts)).rstrip() + "\n"


def section(name: str, value: Any) -> str:
    if not inspect.isclass(value) and not inspect.isfunction(value):
        return f"### {name}\n\n" + listed(value)
    parts = [f"### {name}", text(value)]
    if inspect.isfunction(value):
        parts.insert(1, signature(name, value))
    elif dataclasses.is_dataclass(value):
        parts.insert(1, fields(name, value))
    if inspect.isclass(value) and not issubclass(value, Exception):
        parts += [member(name, each, value) for each in members(value)]
    elif inspect.isclass(value):
        bases = [base.__name__ for base in value.__mro__[1:] if base.__module__.startswith("omnitwin")]
        parts.insert(1, f"`{name}({bases[0] if bases else 'Exception'})`")
    return "\n\n".join(parts)


def members(value: type) -> list[str]:
    """Return the names of a class's own public methods and properties, in the order of the source."""
    fields = {field.name for field in dataclasses.fields(value)} if dataclasses.is_dataclass(value) else set()
    return [
        name
        for name, found in vars(value).items()
        if not name.startswith("_")
        and name not in fields
        and (callable(found) or isinstance(found, property | classmethod) or cached(found))
    ]


def cached(member: Any) -> bool:
    return type(member).__name__ == "cached_property"


def member(owner: str, name: str, value: type) -> str:
    found = inspect.getattr_static(value, name)
    if isinstance(found, property) or cached(found):
        return f"#### {owner}.{name}\n\n{text(found)}"
    function = getattr(value, name)
    return f"#### {owner}.{name}\n\n{signature(name, function)}\n\n{text(function)}"


def signature(name: str, function: Any) -> str:
    """Return the parameters and their types as in the source, a parameter a line if there are many."""
    shown = []
    star = False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            shown.append("*")
            star = True
        shown.append(plain(str(parameter)))
    result = inspect.signature(function).return_annotation
    kind = result if isinstance(result, str) else inspect.formatannotation(result)
    arrow = "" if result is inspect.Signature.empty else f" -> {plain(kind)}"
    joined = ", ".join(shown)
    if len(joined) > 90:
        joined = "\n    " + ",\n    ".join(shown) + ",\n"
    return f"```python\n{name}({joined}){arrow}\n```"


def fields(name: str, value: Any) -> str:
    """Return a record's fields with their types and defaults."""
    lines = []
    for field in dataclasses.fields(value):
        if not field.name.startswith("_"):
            default = "" if field.default is dataclasses.MISSING else f" = {field.default!r}"
            if len(default) > 60:
                default = " = ..."
            kind = field.type if isinstance(field.type, str) else inspect.formatannotation(field.type)
            lines.append(f"    {field.name}: {plain(kind)}{plain(default)}")
    return f"```python\n{name}(\n" + ",\n".join(lines) + ",\n)\n```"


def plain(words: str) -> str:
    """Return types without the names of their modules."""
    words = re.sub(r"<function (\w+) at 0x[0-9a-f]+>", r"\1", words)
    words = re.sub(r"<omnitwin\.[\w.]+\._Silent object at 0x[0-9a-f]+>", "SILENT", words)
    words = words.replace("numpy.ndarray[typing.Any, numpy.dtype[typing.Any]]", "Array")
    words = re.sub(r"(?<=: )'([^']*)'", r"\1", words)  # a quoted type; a default stands behind an equals sign
    return re.sub(
        r"\b(?:omnitwin|torch|typing|collections|contextlib|pathlib|os|numpy|PIL)(?:\.\w+)*\.(?=\w)", "", words
    )


def text(value: Any) -> str:
    """Return a docstring as Markdown: its examples as code, its lines about a field as a list."""
    out: list[str] = []
    used = False
    for line in (inspect.getdoc(value) or "").splitlines():
        if line.startswith(">>>") and not used:
            out.append("```python")
            used = True
        elif used and not line.strip():
            out.append("```")
            used = False
        field = None if used else re.match(r"[a-z_]+(, [a-z_]+)*: ", line)
        out.append(f"- `{field[0][:-2]}`: {line[field.end() :]}" if field else line)
    return "\n".join([*out, "```"] if used else out)


def listed(value: Any) -> str:
    return "\n".join(f"- `{name}`" for name in value)


def main() -> None:
    wanted = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(wanted, encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != wanted:
        sys.exit("docs/API.md is not current. Run: make reference")


if __name__ == "__main__":
    main()
