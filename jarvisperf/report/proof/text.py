"""A proof in words, for the terminal and the page."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from jarvisperf.report.shared.headline import counted
from jarvisperf.report.shared.names import short_names
from jarvisperf.report.shared.units import percent

if TYPE_CHECKING:
    from jarvisperf.gate.proof.model import Detection, Proof

MOST_SHOWN = 30


def headline_of(proof: Proof) -> str:
    """Summarize the proof in one sentence."""
    if not proof.identical:
        return "Nothing was proven: no comparison had a verdict"
    if proof.false_alarms:
        return f"{counted(proof.false_alarms, 'false alarm')} in {_identical(proof)}"
    return f"No false alarm in {_identical(proof)}"


def _identical(proof: Proof) -> str:
    return f"{counted(proof.identical, 'comparison')} of identical code"


def alarms_sentence(proof: Proof) -> str:
    """State the false alarms with their bound."""
    return (
        f"False alarms: {proof.false_alarms} of {proof.identical}; with 95% confidence, fewer than "
        f"{percent(proof.alarms_at_most)} of such comparisons. Inconclusive: {proof.undecided} of {proof.identical}."
    )


def detection_words(found: Detection) -> tuple[str, str, str]:
    """Return the size, how many were found, and the bound."""
    size = f"{found.times_threshold:g} times the threshold"
    return (
        size,
        f"{found.found} of {found.comparisons} found",
        f"with 95% confidence, more than {percent(found.at_least)}",
    )


def recommendations(proof: Proof) -> list[str]:
    """Return the recommended threshold and budget, as sentences."""
    if not proof.identical:
        return []
    sound = sum(not one.to_fix for one in proof.benchmarks)
    without = ", without those to fix," if 0 < sound < len(proof.benchmarks) else ""
    if proof.threshold is None:
        first = "No usual threshold fits most benchmarks at the current budget: see what to fix, or raise the budget."
    else:
        first = (
            f"Recommended threshold at the current budget: {proof.threshold * 100:g}%. It is the smallest usual one "
            f"that 95 of 100 benchmarks{without} support: identical code is found unchanged, and none raised an alarm."
        )
    if proof.budget_seconds is None:
        return [first, "No usual budget is enough for the current thresholds: see what to fix, or raise the threshold."]
    second = (
        f"Recommended budget for the current thresholds: {proof.budget_seconds:g} s per benchmark. This assumes that "
        "the error shrinks with the square root of the budget."
    )
    return [first, second]


def noticeable_rows(proof: Proof) -> list[tuple[str, str, str]]:
    """Return each benchmark's name, smallest noticeable change and threshold, the least sensitive first."""
    names = short_names([one.id for one in proof.benchmarks])
    ordered = sorted(proof.benchmarks, key=lambda one: -math.inf if one.noticeable is None else -one.noticeable)
    return [
        (
            names[one.id],
            "unknown" if one.noticeable is None else percent(one.noticeable),
            f"threshold {one.threshold * 100:g}%, budget {one.budget_seconds:g} s",
        )
        for one in ordered
    ]


def to_fix(proof: Proof) -> list[str]:
    """Return a line for each thing that makes a benchmark noisy or impossible to measure."""
    names = short_names([one.id for one in proof.benchmarks])
    return [f"{names[one.id]}: {why}" for one in proof.benchmarks for why in one.to_fix]


def proof_lines(proof: Proof) -> list[str]:
    """Return a proof as lines of text."""
    slowed = sum(found.comparisons for found in proof.detections)
    duration = f"{counted(proof.rounds, 'round')} and {proof.seconds / 60:.1f} minutes"
    what = f"{_identical(proof)} and {slowed} with an injected slowdown"
    lines = [
        f"{counted(len(proof.benchmarks), 'benchmark')}, {what}, in {duration}",
        alarms_sentence(proof),
    ]
    if proof.detections:
        lines += ["Injected slowdowns:"]
        lines += [f"  {size}: {words}; {bound}" for size, words, bound in map(detection_words, proof.detections)]
    rows = noticeable_rows(proof)
    if rows:
        lines += ["The smallest slowdown that each benchmark would notice in 95 of 100 comparisons:"]
        lines += [f"  {name}: {size} ({settings})" for name, size, settings in rows[:MOST_SHOWN]]
        lines += [f"  and {len(rows) - MOST_SHOWN} more, which notice smaller ones"] if len(rows) > MOST_SHOWN else []
    lines += recommendations(proof)
    if fixes := to_fix(proof):
        lines += ["What to fix:", *(f"  {line}" for line in fixes)]
    if proof.interrupted:
        lines.append("This proof was ended early.")
    return lines
