"""`proof.html`: the proof as a page, a single file that loads nothing and has no script."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.report.html.report import filled
from jarvisperf.report.proof import text
from jarvisperf.report.shared.names import short_names
from jarvisperf.report.shared.units import interval, percent, ratio

if TYPE_CHECKING:
    from jarvisperf.gate.proof.model import KnownComparison, Proof

TEMPLATE = "proof.html.j2"


class ProofPage(NamedTuple):
    """The content of the page, as text."""

    headline: str
    state: str
    facts: list[tuple[str, str]]
    alarms: str
    detections: list[tuple[str, str, str]]
    noticeable: list[tuple[str, str, str]]
    recommendations: list[str]
    to_fix: list[str]
    comparisons: list[tuple[str, str, str, str, str]]


def rendered_page(proof: Proof) -> bytes:
    """Render the page."""
    source = (resources.files(__package__) / TEMPLATE).read_text(encoding="utf-8")
    names = short_names(list(dict.fromkeys(row.id for row in proof.comparisons)))
    page = ProofPage(
        headline=text.headline_of(proof),
        state="good" if proof.is_good else "bad",
        facts=[
            ("commit", f"{proof.commit[:12]}, compared with itself"),
            ("machine", proof.machine),
            ("when", f"{proof.created}, took {proof.seconds / 60:.1f} minutes"),
            ("rounds", f"{proof.rounds}{', ended early' if proof.interrupted else ''}"),
        ],
        alarms=text.alarms_sentence(proof),
        detections=[text.detection_words(found) for found in proof.detections],
        noticeable=text.noticeable_rows(proof),
        recommendations=text.recommendations(proof),
        to_fix=text.to_fix(proof),
        comparisons=[(names[row.id], *_cells(row)) for row in proof.comparisons],
    )
    return filled(source, page)


def _cells(row: KnownComparison) -> tuple[str, str, str, str]:
    injected = percent(row.injected) if row.injected else "identical code"
    if row.ratio is None or row.interval is None:
        return injected, row.error or "no verdict", "", ""
    return injected, row.verdict or "", ratio(row.ratio), interval(row.interval)
