"""A run as one HTML page that needs nothing else: no network, no script, light and dark, wide and narrow.

Every text goes through text(); pictures are data of the page itself.
"""

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from PIL import Image

from omnitwin.errors import BadInput
from omnitwin.reports.exams import EvalReport, ExamReport, RunReport
from omnitwin.reports.pictures import Picture, ScoredPair
from omnitwin.system.files import write_text
from omnitwin.view.console import clean
from omnitwin.view.exams import (
    circumstances,
    group_cells,
    group_headings,
    group_method,
    interval,
    seen,
    value,
)
from omnitwin.view.plots import as_svg, plots, training_plot
from omnitwin.view.words import percent, trained

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"  # the page asks for nothing, whatever it holds
STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1a1a1a; --line: #d5d5d5; --dim: #5c5c5c; --wrong: #a83200; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #16181c; --ink: #e8e8e8; --line: #3a3d44; --dim: #a8abb2; --wrong: #ffb08a; }
}
* { box-sizing: border-box; }
body { background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; margin: 0 auto;
  max-width: 62rem; padding: 1rem; }
h1 { font-size: 1.6rem; } h2 { border-top: 1px solid var(--line); font-size: 1.25rem; margin-top: 2.5rem;
  padding-top: 1rem; }
h1, h2, h3, p, figcaption, .facts td { overflow-wrap: anywhere; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .8rem 0; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .8rem .25rem 0; text-align: left; vertical-align: top; }
td:first-child { min-width: 7rem; } .figures-only td + td { white-space: nowrap; }
.dim { color: var(--dim); font-size: .9rem; }
.figures { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); }
.figures img { height: auto; max-width: 100%; }
.pairs { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(13.5rem, 1fr)); }
.pairs figure { margin: 0; } .pairs img { border: 1px solid var(--line); height: 6.4rem; image-rendering: pixelated;
  width: 6.4rem; } figcaption { font-size: .85rem; } .wrong { color: var(--wrong); font-weight: 600; }
details { margin: .8rem 0; } summary { cursor: pointer; }
"""


def check_page(path: Path | None) -> None:
    """BadInput for an ending that no browser takes for a page: said before the work, not after it."""
    if path is not None and path.suffix.lower() not in (".html", ".htm"):
        raise BadInput(f"{path} does not end like a page", "Name it FILE.html.")


def text(raw: str) -> str:
    """Text that is nothing but text in a page: no markup, no character that is not seen or turns others round."""
    return escape(clean(raw))


def write_page(report: RunReport) -> None:
    write_text(report.page, page(report))


def page(report: RunReport) -> str:
    """The whole page as HTML text."""
    evaluation = report.evaluation
    assert evaluation.network is not None
    light, dark = plots(evaluation), plots(evaluation, dark=True)
    figures = {name: _figure(as_svg(light[name]), as_svg(dark[name]), name) for name in light}
    body = [
        f"<h1>{text(evaluation.network.recipe)} on {text(evaluation.dataset)}</h1>",
        f"<p>{text(_summary(evaluation))}</p>",
        _headlines(evaluation),
        "<h2>What was trained</h2>",
        _table(("", ""), _facts(report), "facts"),
    ]
    if report.steps:
        bright, dim = (as_svg(training_plot(report.steps, dark=shade)) for shade in (False, True))
        body.append(f'<div class="figures">{_figure(bright, dim, "training")}</div>')
    shared = [figures[name] for name in ("roc", "det") if name in figures]
    if shared:
        body += ["<h2>Curves</h2>", f'<div class="figures">{"".join(shared)}</div>']
    for exam in evaluation.exams:
        own = [picture for name, picture in figures.items() if name.partition("-")[2] == exam.exam]
        body += _exam(exam, own)
    body += ["<h2>Made with</h2>", _table(("", ""), report.versions.items(), "facts")]
    title = text(f"omnitwin: {evaluation.network.recipe} on {evaluation.dataset}")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><style>{STYLE}</style></head>\n'
        f"<body>\n{chr(10).join(body)}\n</body></html>\n"
    )


def _summary(evaluation: EvalReport) -> str:
    assert evaluation.network is not None
    return (
        f"{trained(evaluation.network)}; {evaluation.images:,} images of {evaluation.classes:,} characters in "
        f"{evaluation.alphabets} alphabets: {seen(evaluation)}. Intervals are 95 % intervals."
    )


def _headlines(evaluation: EvalReport) -> str:
    rows = []
    for exam in evaluation.exams:
        first = exam.measures[0]
        name = f"{exam.exam}: {first.label}"
        rows.append((name, value(first), interval(first), f"{first.n:,} {exam.unit}"))
    return _table(("exam", "value", "95 % interval", "n"), rows, "figures-only")


def _facts(report: RunReport) -> list[tuple[str, str]]:
    network = report.evaluation.network
    assert network is not None
    calibration = (
        "none" if network.temperature is None else f"temperature {network.temperature:.4g}, bias {network.bias:.4g}"
    )
    fields = {**report.recipe, **(report.recipe.get("batches") or {})}  # those of the batches on lines of their own
    recipe = [
        ("recipe" if name == "name" else name.replace("_", " "), str(part))
        for name, part in fields.items()
        if not isinstance(part, dict)
    ]
    return [
        *recipe,
        ("iterations done", f"{network.iteration:,}"),
        ("trained on", network.trained_on),
        ("held-out alphabets", ", ".join(network.held_out) or "none"),
        ("threshold", f"{network.threshold:.4g}"),
        ("calibration", calibration),
        ("weights", network.checkpoint),
        ("SHA-256", network.weights_sha256),
    ]


def _exam(exam: ExamReport, figures: Sequence[str]) -> list[str]:
    rows = [(one.label, value(one), interval(one)) for one in exam.measures]
    facts = [f"n = {exam.n:,} {exam.unit}", *dict.fromkeys(one.method for one in exam.measures), *circumstances(exam)]
    parts = [
        f"<h2>{text(exam.exam)}</h2>",
        f"<p>{text(exam.description)}</p>",
        _table(("figure", "value", "95 % interval"), rows, "figures-only"),
        f'<p class="dim">{text("; ".join(facts))}</p>',
    ]
    if exam.published:
        lines = [(one.name, percent(one.error), one.source, one.trained_on) for one in exam.published]
        parts.append(_table(("published", "error", "source", "trained on"), lines))
    if exam.groups:
        cells = [(group.name, *group_cells(group)) for group in exam.groups]
        table = _table((exam.grouped_by, *group_headings(exam)), cells, "figures-only")
        method = f'<p class="dim">{text(group_method(exam))}</p>'
        parts.append(f"<details><summary>By {text(exam.grouped_by)}</summary>{table}{method}</details>")
    if exam.calibration is not None:
        sides = [("as trained", exam.calibration.before), ("calibrated", exam.calibration.after)]
        quality = [
            (name, f"{side.expected_calibration_error:.4f}", f"{side.brier_score:.4f}") for name, side in sides if side
        ]
        parts += [
            _table(("probabilities", "ECE", "Brier score"), quality),
            f'<p class="dim">Prior {text(exam.calibration.prior)}</p>',
        ]
    parts.append(f'<div class="figures">{"".join(figures)}</div>' if figures else "")
    for title, pairs in (("Hardest pairs: the wrong ones scored surest", exam.hardest), ("Some pairs", exam.shown)):
        if pairs:
            parts += [f"<h3>{title}</h3>", f'<div class="pairs">{"".join(map(_pair, pairs))}</div>']
    return parts


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    head = "".join(f"<th>{text(heading)}</th>" for heading in headings) if any(headings) else ""
    lines = "".join("<tr>" + "".join(f"<td>{text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll {kind}"><table>{f"<tr>{head}</tr>" if head else ""}{lines}</table></div>'


def _pair(pair: ScoredPair) -> str:
    right = pair.predicted == pair.similar
    target, predicted = ("similar" if side else "dissimilar" for side in (pair.similar, pair.predicted))
    pictures = "".join(
        f'<img alt="{text(label)}" src="{_png(picture)}"> '
        for picture, label in ((pair.left, pair.left_label), (pair.right, pair.right_label))
    )
    verdict = "right" if right else '<span class="wrong">wrong</span>'
    caption = f"{verdict}; target {target}, predicted {predicted}, score {pair.score:.4f}<br>"
    labels = f'<span class="dim">{text(pair.left_label)}<br>{text(pair.right_label)}</span>'
    return f"<figure>{pictures}<figcaption>{caption}{labels}</figcaption></figure>"


def _png(picture: Picture) -> str:
    content = io.BytesIO()
    image = Image.frombytes("L", (picture.width, picture.height), picture.pixels)
    image.save(content, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"


def _figure(light: str, dark: str, name: str) -> str:
    """One figure in both colour schemes; the browser takes the one that fits."""
    sources = [f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}" for svg in (light, dark)]
    words = text(name.replace("-", " "))
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{sources[1]}">'
        f'<img alt="{words}" src="{sources[0]}"></picture>'
    )
