"""Tests that a report can show any figures: 0, the largest float, unbounded ratios. None of them may prevent the
report."""

from __future__ import annotations

import datetime
import json
import math
import re
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import msgspec
import pytest
from builders import metric
from hypothesis import given, settings
from hypothesis import strategies as st
from report.made import compared, profile, text_of

from jarvisperf.gate.verdict.bounded import interval_of, ratio_of
from jarvisperf.history.model import History, Occasion, Point, Series
from jarvisperf.history.reading import with_changes
from jarvisperf.report import write_reports
from jarvisperf.report.findings.merging import merged
from jarvisperf.report.findings.model import (
    BeforeAfter,
    BenchmarkFinding,
    Findings,
    MetricFinding,
    PairFinding,
    in_json,
    interval_in_json,
    paired,
)
from jarvisperf.report.formats.json import decode_findings, encode_findings, json_schema
from jarvisperf.report.html import pictures
from jarvisperf.report.plots.history import draw_history, sorted_by_change
from jarvisperf.report.shared import units
from jarvisperf.report.shared.change_axis import change_axis
from jarvisperf.report.shared.pairs import Pair
from jarvisperf.report.shared.ticks import log_ticks
from jarvisperf.report.terminal import github
from jarvisperf.report.terminal import summary as terminal
from jarvisperf.runs.summary import Summary, summarize

LARGEST, SMALLEST = sys.float_info.max, math.ulp(0.0)


def with_ratio(logarithm: float, reach: float, verdict: str = "inconclusive") -> Findings:
    """Create a comparison of three benchmarks, the second with this ratio and interval."""
    findings = compared(3)
    first, second, third = findings.benchmarks
    found = msgspec.structs.replace(
        second.metrics["time"],
        ratio=in_json(ratio_of(logarithm)),
        interval=interval_in_json(interval_of(logarithm, reach)),
        verdict=verdict,
    )
    return msgspec.structs.replace(
        findings, benchmarks=(first, msgspec.structs.replace(second, metrics={"time": found}), third)
    )


def read_strictly(data: str) -> Any:
    """Read JSON according to RFC 8259, without the infinities and NaN that Python's parser accepts."""
    return json.loads(data, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


@pytest.mark.parametrize(("logarithm", "reach"), [(0.1, math.inf), (3.0, 0.5), (800.0, 0.0), (-800.0, 800.0)])
def test_a_ratio_that_nothing_bounds_is_in_every_format(logarithm: float, reach: float, tmp_path: Path, require):
    findings = with_ratio(logarithm, reach)
    written = {path.name: path for path in write_reports(findings, tmp_path, None, {})}
    assert {"report.json", "report.csv", "report.html", "report.md", "metrics.txt", "ratios.png"} <= written.keys()
    data = read_strictly(written["report.json"].read_text())
    require("jsonschema").Draft202012Validator(json_schema()).validate(data)
    assert decode_findings(written["report.json"].read_bytes()) == findings
    for columns in (40, 200):
        assert "inconclusive" in terminal.render(findings, colour=False, columns=columns)
    for file in ("report.html", "report.csv", "metrics.txt", "report.txt"):
        assert "nan" not in written[file].read_text()


def test_an_open_interval_reads_as_inf_for_people_and_as_the_largest_float_for_programs():
    findings = with_ratio(0.0, math.inf)
    shown = terminal.render(findings, colour=False, columns=200)
    assert "-100.0% to unbounded" in shown
    metric = json.loads(encode_findings(findings))["benchmarks"][1]["metrics"]["time"]
    assert metric["interval"] == [0.0, sys.float_info.max]
    assert f"0.0,{sys.float_info.max!r}," in text_of(findings, "csv")


def test_parts_with_open_intervals_are_joined():
    findings = with_ratio(0.0, math.inf)
    read = decode_findings(encode_findings(findings))
    parts = [msgspec.structs.replace(read, benchmarks=(one,)) for one in read.benchmarks]
    assert merged(parts)[0].benchmarks == findings.benchmarks


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0.000"), (1.0, "1.000"), (999.9, "999.900"), (12_345.0, "1.23e+04"), (LARGEST, "inf"), (math.inf, "inf")],
)
def test_a_ratio_is_short_whatever_it_is(value: float, shown: str):
    assert units.ratio(value) == shown


def test_one_wild_interval_does_not_flatten_the_others_in_the_pictures():
    def found(ratio: float, low: float, high: float) -> MetricFinding:
        summary = metric(1.0).summary
        return MetricFinding("s", "lower", "m", summary, summary, ratio, (low, high), 0.05, "unchanged", "lockstep")

    assert 0 < change_axis([]).reach < change_axis([found(1.0, 1.0, 1.0)]).reach
    near = change_axis([found(1.0, 0.9, 1.2), found(1.0, 0.99, 1.0)])
    assert near.place(1.2) < 1
    wild = change_axis([found(1.0, 0.9, 1.2), found(1.0, 0.0, LARGEST)])
    assert wild.place(1.2) > 0.4
    assert (wild.place(0.0), wild.place(LARGEST)) == (-1, 1)
    assert wild.is_beyond(LARGEST)


@given(st.floats(0, 1e6), st.none() | st.floats(1e-9, 1e4))
def test_an_axis_of_changes_always_has_labels_on_both_sides_of_no_change(ratio: float, threshold: float | None):
    summary = metric(1.0).summary
    axis = change_axis([MetricFinding("s", "lower", "m", summary, summary, ratio, None, threshold, "unchanged")])
    places = [tick.place for tick in axis.ticks()]
    assert places == sorted(places)
    assert places[0] < 0 < places[-1]


@given(st.floats(1e-12, 1e9), st.floats(1.0001, 1e12), st.sampled_from([2, 10]))
def test_a_logarithmic_axis_always_has_two_labels(low: float, span: float, base: int):
    ticks = log_ticks(low, low * span, 6, base)
    assert 2 <= len(ticks) <= 7
    assert all(low * 0.999 <= tick <= low * span * 1.001 for tick in ticks)


SUMMARIES = st.lists(st.floats(0, allow_infinity=False) | st.sampled_from([0.0, 1.0, SMALLEST, LARGEST]), min_size=1)


@st.composite
def any_findings(draw: st.DrawFn) -> Findings:
    """Create a report with figures of all sizes: a pair, and another benchmark that may be compared."""
    arms = [summarize(draw(SUMMARIES)) for _ in range(4)]
    unit = draw(st.sampled_from(["s", "B"]))
    compares = draw(st.booleans())
    centre, half = draw(st.floats(-1_500, 1_500)), draw(st.floats(0, 1_500) | st.just(math.inf))
    threshold = draw(st.none() | st.floats(1e-9, 1e4))
    verdict = draw(st.sampled_from(["regressed", "improved", "unchanged", "inconclusive"]))

    def found(base: Summary, head: Summary) -> MetricFinding:
        if not compares:
            return MetricFinding(unit, "lower", "m", None, head, None, None, None, "new")
        ratio, interval = in_json(ratio_of(centre)), interval_in_json(interval_of(centre, half))
        return MetricFinding(unit, "lower", "m", base, head, ratio, interval, threshold, verdict, "lockstep")

    whole = compared(1)
    profiles = {"profile": profile(1e-3), "base_profile": profile(2e-3)} if compares else {}
    one = BenchmarkFinding("a.py::test_one", None, {}, {"time": found(arms[0], arms[1])}, **profiles)
    two = BenchmarkFinding("a.py::test_two", None, {}, {"time": found(arms[2], arms[3])}, BeforeAfter("a.py::test_one"))
    base = whole.base if compares else None
    return paired(msgspec.structs.replace(whole, base=base, benchmarks=(one, two)))


@given(any_findings())
@settings(max_examples=20)
def test_every_text_format_shows_any_figures(findings: Findings):
    assert decode_findings(encode_findings(findings)) == findings
    read_strictly(encode_findings(findings).decode())
    for shown in (
        terminal.render(findings, colour=False, columns=120),
        *(text_of(findings, name) for name in ("text", "markdown", "csv", "open_metrics", "html")),
        *github.workflow_commands(findings),
    ):
        assert not re.search(r"\bnan\b", shown)


@given(any_findings())
@settings(max_examples=4)
def test_every_picture_shows_any_figures(findings: Findings):
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("error")
        write_reports(findings, Path(folder), None, {})


@given(st.lists(st.floats(0, allow_infinity=False), min_size=1, max_size=30), st.sampled_from(["s", "B"]))
@settings(max_examples=8)
def test_a_history_of_any_figures_is_drawn(values: list[float], unit: str):
    occasions = tuple(
        Occasion(f"r{place}", datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), None, False, "main")
        for place in range(len(values))
    )
    points = tuple(
        Point(place, value, value / 2, value, speed=1 + value / LARGEST) for place, value in enumerate(values)
    )
    series = with_changes([Series("a.py::test_one", "time", unit, points)])[0]  # type: ignore[arg-type]
    history = History(occasions, {"a.py::test_one": {"time": series}})
    assert "nan" not in pictures.history_line(series, history)
    drawable = sorted_by_change([series])
    if drawable:
        draw_history(drawable, history, "svg")


@pytest.mark.parametrize(("before", "after"), [(LARGEST, SMALLEST), (SMALLEST, LARGEST), (SMALLEST, SMALLEST)])
def test_a_pair_of_any_two_figures_has_a_comparison(before: float, after: float):
    pair = Pair("x", "time", "s", PairFinding(before, after, in_json(after / before), "one after the other"))
    words = pair.comparison.removesuffix(" (not in turns)")
    assert words in {"infinitely faster", "infinitely slower", "no change"}
    assert math.isfinite(pair.magnitude)
