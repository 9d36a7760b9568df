"""Pictures show a metric of which more is better in the opposite colours: a fall is bad and a rise is good."""

from __future__ import annotations

import re

import msgspec
import pytest
from report.made import compared, history_of, rendered

from jarvisperf.history.model import History


def colours(unit: str, step: float = 1.5) -> dict[str, set[str]]:
    """Return the colours in which the page writes each word for a change."""
    findings = compared(4, first="benchmarks/bench_0.py::test_x")
    history = history_of(findings, step=step)
    changed = [
        msgspec.structs.replace(one, metrics={"it": msgspec.structs.replace(one.metrics["time"], unit=unit)})
        for one in findings.benchmarks
    ]
    series = {
        name: {"it": msgspec.structs.replace(found["time"], metric="it", unit=unit)}
        for name, found in history.series.items()
    }
    page = rendered(
        msgspec.structs.replace(findings, benchmarks=tuple(changed)), "html", History(history.occasions, series)
    )
    (content,) = page.values()
    found: dict[str, set[str]] = {}
    for colour, text in re.findall(r'class="[^"]*?(good|bad)[^"]*"[^>]*>([^<]+)<', content.decode()):
        found.setdefault(text.strip(), set()).add(colour)
    return found


@pytest.mark.parametrize(
    ("unit", "good", "bad"), [("s", "faster", "slower"), ("B", "smaller", "larger"), ("score", "higher", "lower")]
)
def test_the_ends_of_the_axis_have_the_colours_of_what_they_mean(unit: str, good: str, bad: str):
    found = colours(unit)
    assert {colour for text, seen in found.items() if good in text for colour in seen} == {"good"}
    assert {colour for text, seen in found.items() if bad in text for colour in seen} == {"bad"}
