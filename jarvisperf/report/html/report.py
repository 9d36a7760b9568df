"""`report.html`: a single file that loads nothing and runs only its own script.

Everything from outside is escaped in one place, `svg.escaped`: by the pictures themselves, and for all other text by
the template engine. The Content-Security-Policy allows one style sheet and one script by their hashes, so nothing else
can run even if the escaping misses something.
"""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources
from typing import TYPE_CHECKING

from jarvisperf.report.html.page import page_of
from jarvisperf.report.html.svg import escaped
from jarvisperf.report.shared.report import ReportFormat

if TYPE_CHECKING:
    from jarvisperf.report.shared.report import Report

FILE = "report.html"


def render(report: Report) -> dict[str, bytes]:
    """Render `report.html`."""
    source, js = (asset(name) for name in ("page.html.j2", "page.js"))
    return {FILE: filled(source, page_of(report), js)}


def asset(name: str) -> str:
    """Return the text of a file that pages consist of."""
    return (resources.files(__package__) / "assets" / name).read_text(encoding="utf-8")


def filled(source: str, page: object, js: str = "") -> bytes:
    """Fill a template that has the page's style, escaping all text from outside.

    Args:
        source: The template.
        page: What it shows.
        js: Its script; empty: none.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    css = asset("page.css")
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else Markup(escaped(str(value))),  # noqa: S704  # escaped
    )
    environment.filters["breakable"] = _breakable
    environment.filters["svg"] = Markup  # of pictures, which escape their own text
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(css)}'; script-src '{_hash(js)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    text = environment.from_string(source).render(
        page=page,
        css=Markup(css),  # noqa: S704  # the package's own file
        js=Markup(js),  # noqa: S704  # the package's own file
        policy=Markup(policy),  # noqa: S704  # made of our own words and hashes
    )
    return text.encode("utf-8", "replace")


def _breakable(name: str) -> object:
    """Return a name that may be broken between its words."""
    from markupsafe import Markup

    return Markup(re.sub(r"([_\[=,./:-])", r"\1<wbr>", escaped(name)))  # noqa: S704  # escaped


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


FORMAT = ReportFormat("html", (FILE,), render)
