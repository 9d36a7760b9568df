"""A change that is known precisely and lies right at its threshold."""

from __future__ import annotations

import msgspec
import pytest
from report.made import compared, rendered, text_of

from jarvisperf.report import terminal
from jarvisperf.report.findings.model import Findings
from jarvisperf.report.shared.failure_lines import figures
from jarvisperf.report.shared.headline import summary_line


def with_interval(ratio: float, interval: tuple[float, float], doubt: str | None = None) -> Findings:
    """Return a comparison with one inconclusive benchmark, whose threshold is 5 %."""
    (one,) = compared(1, first="bench_a.py::test_a").benchmarks
    metric = msgspec.structs.replace(
        one.metrics["time"], ratio=ratio, interval=interval, verdict="inconclusive", doubt=doubt
    )
    return msgspec.structs.replace(
        compared(1), benchmarks=(msgspec.structs.replace(one, metrics={"time": metric}, profile=None),)
    )


def line_of(findings: Findings) -> str:
    return figures("time", findings.benchmarks[0].metrics["time"])


def test_it_is_reported_as_what_it_is():
    findings = with_interval(1.049, (1.043, 1.056))
    assert line_of(findings).startswith("time: 4.9% slower, at your threshold (4.3 to 5.6%): base")
    assert summary_line(findings).startswith("0 of 1 regressed, 1 at threshold;")
    assert "at threshold" in terminal.render(findings, colour=False, columns=160)
    assert "at threshold" in text_of(findings, "text")
    assert "🟡 at threshold" in text_of(findings, "markdown").replace("\u00a0", " ")
    page = rendered(findings, "html")["report.html"].decode()
    assert "4.9% slower, at your threshold" in page
    assert "1 of 1 benchmark lies right at it" in page


def test_the_verdict_that_programs_read_stays_inconclusive():
    findings = with_interval(1.049, (1.043, 1.056))
    assert '"verdict": "inconclusive"' in text_of(findings, "json")
    assert ",inconclusive," in text_of(findings, "csv")


def test_an_improvement_at_the_threshold_is_reported_alike():
    assert line_of(with_interval(0.951, (0.945, 0.957))).startswith("time: 4.9% faster, at your threshold")


@pytest.mark.parametrize(
    ("interval", "doubt"),
    [
        ((0.99, 1.1), None),  # nothing is known about the change
        ((1.02, 1.08), None),  # it may be well below or well above the threshold
        ((1.043, 1.056), "identical code differed in this run"),
    ],
)
def test_what_is_not_known_stays_inconclusive(interval: tuple[float, float], doubt: str | None):
    findings = with_interval(1.049, interval, doubt)
    assert line_of(findings).startswith("time: inconclusive, 4.9% slower (")
    assert "1 inconclusive" in summary_line(findings)
