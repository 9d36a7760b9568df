"""A report shows any figures: 0, the largest float, ratios that nothing bounds. None of them may cost the report."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from builders import metric
from report.made import compared

from jarvisperf.gate.bounded import interval_of, ratio_of
from jarvisperf.report import csv_file, terminal, units, write_reports
from jarvisperf.report.findings import Findings, MetricFinding
from jarvisperf.report.json_file import decode_findings, encode_findings, json_schema
from jarvisperf.report.json_numbers import UNBOUNDED, in_json, interval_in_json
from jarvisperf.report.merging import merged

LARGEST, SMALLEST = sys.float_info.max, math.ulp(0.0)


def with_ratio(logarithm: float, reach: float, verdict: str = "inconclusive") -> Findings:
    """Make a comparison of three benchmarks, the second with this ratio and interval."""
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


def read_strictly(text: str) -> Any:
    """Read JSON as RFC 8259 has it: without the infinities and nan that Python's reader takes."""
    return json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


@pytest.mark.parametrize("logarithm", [0.0, 0.1, 3.0, 800.0, -800.0, 5.0])
@pytest.mark.parametrize("reach", [0.0, 0.5, 800.0, math.inf])
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
    assert "0.000 to inf" in shown
    metric = json.loads(encode_findings(findings))["benchmarks"][1]["metrics"]["time"]
    assert metric["interval"] == [0.0, sys.float_info.max]
    assert f"0.0,{sys.float_info.max!r}," in csv_file.render(findings)


def test_parts_with_open_intervals_are_joined():
    findings = with_ratio(0.0, math.inf)
    read = decode_findings(encode_findings(findings))
    parts = [msgspec.structs.replace(read, benchmarks=(one,)) for one in read.benchmarks]
    assert merged(parts)[0].benchmarks == findings.benchmarks


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0.000"), (1.0, "1.000"), (999.9, "999.900"), (12_345.0, "1.23e+04"), (UNBOUNDED, "inf"), (math.inf, "inf")],
)
def test_a_ratio_is_short_whatever_it_is(value: float, shown: str):
    assert units.ratio(value) == shown


def test_one_wild_interval_does_not_flatten_the_others_in_the_pictures():
    from jarvisperf.report.ratio_scale import LEAST_REACH, WIDEST_REACH, clipped, reach_of

    def found(ratio: float, low: float, high: float) -> MetricFinding:
        summary = metric(1.0).summary
        return MetricFinding("s", "lower", "m", summary, summary, ratio, (low, high), 0.05, "unchanged", "lockstep")

    assert reach_of([]) == reach_of([found(1.0, 1.0, 1.0)]) == LEAST_REACH
    assert reach_of([found(1.0, 0.9, 1.2), found(1.0, 0.99, 1.0)]) == pytest.approx(0.22)
    assert reach_of([found(1.0, 0.9, 1.2), found(1.0, 0.0, UNBOUNDED)]) == WIDEST_REACH
    assert clipped(UNBOUNDED, WIDEST_REACH) == 1 + WIDEST_REACH
    assert clipped(0.5, 0.1) == 0.9
