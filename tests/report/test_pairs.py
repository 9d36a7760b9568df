"""Pairs: a benchmark and its uncached or naive counterpart, measured in turns or not."""

from __future__ import annotations

import json
import math

import pytest
from builders import metric, run_of
from report.made import rendered, text_of

from jarvisperf.gate.lockstep.tally import MetricTally
from jarvisperf.gate.verdict import judge
from jarvisperf.measure.metrics import TIME
from jarvisperf.report import Report
from jarvisperf.report.findings.model import Findings, findings_of
from jarvisperf.report.findings.pairs import MeasuredPairs, with_pairs
from jarvisperf.report.formats.json import decode_findings, encode_findings
from jarvisperf.runs.model import Benchmark

NAME = "a::cached"


def findings() -> Findings:
    """Return a run in which the medians, measured one after the other, differ twofold."""
    return findings_of(
        run_of(
            Benchmark(id="a::plain", metrics={"time": metric(2.0)}),
            Benchmark(id=NAME, before="a::plain", metrics={"time": metric(1.0)}),
        )
    )


def in_turns(*ratios: float) -> Findings:
    """Return the run with the pair's launches."""
    log_ratios = [math.log(ratio) for ratio in ratios]
    tally = MetricTally(TIME, log_ratios=log_ratios, base=[1.0], head=[math.exp(sum(log_ratios) / len(log_ratios))])
    tally.judgement = judge({NAME: log_ratios}, {NAME: 0.01}, tests=1)[NAME]
    return with_pairs(findings(), MeasuredPairs(in_turns={NAME: {"time": tally}}))


def words_of(found: Findings) -> str:
    (pair,) = Report(found).pairs
    return pair.comparison


def test_a_report_from_before_pairs_were_measured_in_turns_still_shows_its_ratios():
    older = json.loads(encode_findings(findings()))
    for benchmark in older["benchmarks"]:
        if benchmark["before"]:
            del benchmark["before"]["metrics"]
    assert decode_findings(json.dumps(older).encode()) == findings()


@pytest.mark.parametrize(
    ("ratios", "words"),
    [
        ((0.25, 0.251, 0.249, 0.25), "4.00x faster ("),
        ((1.8, 1.81, 1.79, 1.8), "1.80x slower ("),
        ((1.0, 1.002, 0.999, 1.001), "no difference found (-0."),
        ((0.9, 1.3, 0.8, 1.2), "no difference found ("),
    ],
)
def test_measured_in_turns_a_pair_has_an_interval_and_a_plain_word(ratios: tuple[float, ...], words: str):
    assert words_of(in_turns(*ratios)).startswith(words)


def test_the_ratio_measured_in_turns_counts_and_not_that_of_the_medians():
    found = in_turns(0.25, 0.251, 0.249, 0.25)
    before = found.benchmarks[1].before
    assert before is not None
    assert before.ratios["time"] == pytest.approx(4.0, rel=0.01)
    assert "4.000x (" in text_of(found, "text")


def test_what_was_not_measured_in_turns_says_so():
    assert words_of(findings()) == "2.0x faster (not in turns)"
    assert "2.000x (not in turns)" in text_of(findings(), "text")
    single = with_pairs(findings(), MeasuredPairs(single={NAME: "one call of each takes 53 s"}))
    assert words_of(single) == "2.0x faster (single measurement)"
    assert "2.000x (single)" in text_of(single, "text")


def test_every_format_shows_the_pair():
    found = in_turns(0.25, 0.251, 0.249, 0.25)
    assert decode_findings(encode_findings(found)) == found
    assert "4.00x faster (" in rendered(found, "html")["report.html"].decode()
    png, svg = rendered(found, "before_after").values()
    assert png.startswith(b"\x89PNG")
    assert "4.00x faster (" in svg.decode()
    assert "4.000x (" in text_of(found, "markdown")


def test_a_pair_without_a_difference_is_neither_better_nor_worse():
    page = rendered(in_turns(1.0, 1.002, 0.999, 1.001), "html")["report.html"].decode()
    assert 'class="words unchanged">no difference found' in page
    assert "no difference found from plain" in page
