"""`report.html`: one file for the browser that loads nothing and runs nothing but its own script.

Everything that comes from outside is escaped by the template engine, and the Content-Security-Policy names the one
style and the one script by their hashes, so that nothing else could run even if something slipped through.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import TYPE_CHECKING

from jarvisperf.history.model import History
from jarvisperf.report.formats.base import Report
from jarvisperf.report.html.page import page_of
from jarvisperf.runs.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from jarvisperf.report.findings.model import Findings


class HtmlReport(Report):
    """Writes `report.html`.

    Args:
        history: The stored runs behind the findings; None: there are none.
    """

    files = ("report.html",)

    def __init__(self, history: History | None = None) -> None:
        self._history = history or History()

    def write(self, findings: Findings, folder: Path) -> list[Path]:
        """Write `report.html` in UTF-8."""
        path = folder / "report.html"
        write_whole(path, render(findings, self._history).encode("utf-8", "replace"))
        return [path]


def render(findings: Findings, history: History) -> str:
    """Write the findings as a page.

    Args:
        findings: What to report.
        history: The stored runs behind them.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    folder = resources.files("jarvisperf.report") / "page"
    css, js, source = ((folder / name).read_text(encoding="utf-8") for name in ("page.css", "page.js", "page.html.j2"))
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(css)}'; script-src '{_hash(js)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return environment.from_string(source).render(
        page=_with_pictures(findings, history),
        css=Markup(css),  # noqa: S704  # the package's own file
        js=Markup(js),  # noqa: S704  # the package's own file
        policy=Markup(policy),  # noqa: S704  # hashes and words of ours
    )


def _with_pictures(findings: Findings, history: History) -> object:
    """Make the page, and let its pictures through unescaped: `Drawing` and the flame graph escape what is in them."""
    from markupsafe import Markup

    page = page_of(findings, history)
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
