"""Adds to findings what pairs measured in turns showed."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import msgspec

from jarvisperf.gate.lockstep.tally import MetricTally  # msgspec reads the annotations
from jarvisperf.measure.metrics.units import unit_of
from jarvisperf.report.findings.model import PairFinding, in_json, interval_in_json, paired

if TYPE_CHECKING:
    from jarvisperf.gate.verdict.decide import Judgement
    from jarvisperf.report.findings.model import BenchmarkFinding, Findings

NO_DIFFERENCE = "no difference found"


class MeasuredPairs(msgspec.Struct, frozen=True):
    """What is known about the pairs of a run, by the id of the benchmark that names its counterpart.

    Attributes:
        in_turns: The results of pairs that were measured in turns, by metric.
        single: Pairs with calls so long that their figures are single measurements, with an explanation.
        failed: Why other pairs could not be measured in turns.
    """

    in_turns: dict[str, dict[str, MetricTally]] = {}
    single: dict[str, str] = {}
    failed: dict[str, str] = {}


def with_pairs(findings: Findings, pairs: MeasuredPairs) -> Findings:
    """Return findings in which pairs have the ratios measured in turns, and the others say why they have none."""
    return paired(
        msgspec.structs.replace(findings, benchmarks=tuple(_with_pair(one, pairs) for one in findings.benchmarks))
    )


def _with_pair(finding: BenchmarkFinding, pairs: MeasuredPairs) -> BenchmarkFinding:
    if finding.before is None:
        return finding
    found = {name: _marked(finding.id, pairs, one) for name, one in finding.before.metrics.items()}
    for name, tally in pairs.in_turns.get(finding.id, {}).items():
        if name in found and tally.judgement is not None:
            found[name] = _in_turns(tally, tally.judgement)
    return msgspec.structs.replace(finding, before=msgspec.structs.replace(finding.before, metrics=found))


def _marked(name: str, pairs: MeasuredPairs, by_medians: PairFinding) -> PairFinding:
    if name in pairs.single:
        return msgspec.structs.replace(by_medians, how="single measurement", why_not=pairs.single[name])
    return msgspec.structs.replace(by_medians, why_not=pairs.failed.get(name))


def _in_turns(tally: MetricTally, judgement: Judgement) -> PairFinding:
    before, after = (statistics.median(values) for values in (tally.base, tally.head))
    return PairFinding(
        before=before,
        after=after,
        ratio=in_json(judgement.ratio),
        how="in turns",
        interval=interval_in_json(judgement.interval),
        word=pair_word(judgement, tally.kind.unit.symbol),
        launches=judgement.launches,
    )


def pair_word(judgement: Judgement, unit: str) -> str:
    """Return what a judgement says about a pair, in a word: ``faster``, ``slower``, or that no difference was found."""
    if judgement.verdict not in {"regressed", "improved"}:
        return NO_DIFFERENCE
    words = unit_of(unit)
    return words.worse if judgement.ratio > 1 else words.better
