"""The line of figures with which a benchmark fails or is annotated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.measure.metrics.instructions import INSTRUCTIONS
from jarvisperf.report.findings.borderline import is_at_threshold
from jarvisperf.report.findings.model import over_limit
from jarvisperf.report.shared import units
from jarvisperf.report.shared.change_words import change_words

if TYPE_CHECKING:
    from jarvisperf.gate.lockstep.tally import Witness
    from jarvisperf.report.findings.model import MetricFinding


def witness_words(witness: Witness) -> str:
    """Say what the instructions of both arms show, in a few words.

    Args:
        witness: The counts.
    """
    counted = f"{units.quantity(witness.head, INSTRUCTIONS.unit.symbol)} per call"
    if witness.is_equal:
        return f"both arms execute the same instructions ({counted})"
    change = change_words(witness.ratio, INSTRUCTIONS.unit.symbol, (witness.lowest, witness.highest)).whole
    return f"instructions: {change} ({counted})"


def figures(name: str, metric: MetricFinding, limit: float | None = None) -> str:
    """Describe a metric's verdict in one line: change, interval, base, head, threshold.

    ``time: 41% slower (38 to 43%): base 3.78 µs, head 5.46 µs, threshold 5%``

    Args:
        name: The metric's name.
        metric: The metric's findings.
        limit: The absolute limit, in the metric's unit; None: no limit.
    """
    head = units.short(metric.head.median, metric.unit) if metric.head else "-"
    words = []
    if metric.base is not None and metric.ratio is not None and metric.interval is not None:
        base = units.short(metric.base.median, metric.unit)
        threshold = "no threshold" if metric.threshold is None else f"threshold {metric.threshold * 100:.3g}%"
        words_of_change = change_words(metric.ratio, metric.unit, metric.interval)
        change = words_of_change.whole
        if is_at_threshold(metric):
            change = f"{words_of_change.change}, at your threshold ({words_of_change.interval})"
        words.append(f"{change}: base {base}, head {head}, {threshold}")
    if metric.head is not None and limit is not None and over_limit(metric.head, limit):
        exactly = [units.quantity(value, metric.unit) for value in (metric.head.median, limit)]
        words.append("head {} is over the limit of {}".format(*exactly))
    if metric.doubt is not None:
        words.append(metric.doubt)
    if metric.witness is not None:
        words.append(witness_words(metric.witness))
    verdict = "inconclusive, " if metric.verdict == "inconclusive" and not is_at_threshold(metric) else ""
    return f"{name}: {verdict}{'; '.join(words) or metric.verdict}"
