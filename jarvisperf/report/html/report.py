"""`report.html`: a single file that loads nothing and runs only its own script.

The template engine escapes everything that comes from outside. The Content-Security-Policy allows one style sheet and
one script by their hashes, so nothing else can run even if the escaping misses something.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import TYPE_CHECKING

from jarvisperf.report.html.page import page_of
from jarvisperf.report.shared.report import ReportFormat

if TYPE_CHECKING:
    from jarvisperf.report.shared.report import Report

FILE = "report.html"


def render(report: Report) -> dict[str, bytes]:
    """Render `report.html`."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    folder = resources.files(__package__)
    css, js, source = ((folder / name).read_text(encoding="utf-8") for name in ("page.css", "page.js", "page.html.j2"))
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(css)}'; script-src '{_hash(js)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    page = environment.from_string(source).render(
        page=_with_pictures(report),
        css=Markup(css),  # noqa: S704  # the package's own file
        js=Markup(js),  # noqa: S704  # the package's own file
        policy=Markup(policy),  # noqa: S704  # made of our own words and hashes
    )
    return {FILE: page.encode("utf-8", "replace")}


def _with_pictures(report: Report) -> object:
    """Build the page and mark its pictures as safe: `Drawing` and the flame graph escape their own text."""
    from markupsafe import Markup

    page = page_of(report)
    details = [
        detail._replace(
            metrics=[
                metric._replace(
                    pictures=[(caption, Markup(picture)) for caption, picture in metric.pictures]  # noqa: S704
                )
                for metric in detail.metrics
            ],
            profile=detail.profile and detail.profile._replace(flame=Markup(detail.profile.flame)),  # noqa: S704
        )
        for detail in page.details
    ]
    lines = [line._replace(picture=Markup(line.picture)) for line in page.overview.lines]  # noqa: S704
    return page._replace(overview=page.overview._replace(lines=lines), details=details)


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


FORMAT = ReportFormat("html", (FILE,), render)
