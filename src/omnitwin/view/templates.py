"""Templates of HTML pages: every value is escaped, and pictures are data of the page.

template(path).render(title="<b>")  # &lt;b&gt;
"""

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING

from omnitwin.reports.pictures import Picture
from omnitwin.view.console import clean

if TYPE_CHECKING:
    from jinja2 import Template

QUALITY = 85  # of JPEG, as which colours are kept: a thumbnail in PNG has five times the bytes


def template(path: Path) -> "Template":
    """Return a template. Its filter `png` draws a picture without loss, `thumbnail` one in colour with little loss."""
    from jinja2 import Environment, StrictUndefined  # 20 ms, and only a page needs it

    def harmless(part: object) -> object:
        return part if hasattr(part, "__html__") else clean(str(part))  # tables and pictures are HTML already

    environment = Environment(
        autoescape=True, finalize=harmless, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["png"] = _png
    environment.filters["thumbnail"] = _thumbnail
    return environment.from_string(path.read_text(encoding="utf-8"))


def uri(kind: str, content: str | bytes) -> str:
    """Return content as a URI of a page's image. kind: `png`, `jpeg` or `svg+xml`"""
    raw = content.encode() if isinstance(content, str) else content
    return f"data:image/{kind};base64,{base64.b64encode(raw).decode()}"


def _png(picture: Picture) -> str:
    return uri("png", encoded(picture, format="PNG", optimize=True))


def _thumbnail(picture: Picture) -> str:
    if picture.channels == 1:
        return _png(picture)
    return uri("jpeg", encoded(picture, format="JPEG", quality=QUALITY))


def encoded(picture: Picture, **how: object) -> bytes:
    """Return a picture as the content of an image file. how: as of Pillow's save"""
    from PIL import Image

    content = io.BytesIO()
    Image.frombytes(picture.mode, picture.size, picture.pixels).save(content, **how)  # type: ignore[arg-type]
    return content.getvalue()
