"""What was compared within one run: pairs of benchmarks, before and after, and functions side by side."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.escaping import visible
from jarvisperf.measure.metrics import SECONDS
from jarvisperf.report.findings.pairs import NO_DIFFERENCE
from jarvisperf.report.shared import units
from jarvisperf.report.shared.change_words import UNBOUNDED, change_words
from jarvisperf.report.shared.names import label

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jarvisperf.report.findings.model import Findings, PairFinding
    from jarvisperf.runs.model import PairRatio, SideBySide

SHORT_WAYS = {"one after the other": "not in turns", "single measurement": "single"}


class Pair(NamedTuple):
    """A benchmark and its uncached or naive counterpart.

    Attributes:
        name: The benchmark's display name.
        metric: The metric's name.
        unit: The metric's unit.
        found: How they compare.
    """

    name: str
    metric: str
    unit: str
    found: PairFinding

    @property
    def label(self) -> str:
        """The display name, with the metric unless it is time."""
        return label(self.name, self.metric)

    @property
    def before(self) -> float:
        """The counterpart's median."""
        return self.found.before

    @property
    def after(self) -> float:
        """The benchmark's own median."""
        return self.found.after

    @property
    def interval(self) -> tuple[float, float] | None:
        """The interval of the median after, if that before is exact; None unless both were measured in turns."""
        if self.found.interval is None:
            return None
        low, high = self.found.interval
        return self.before * low, UNBOUNDED if high >= UNBOUNDED else self.before * high

    @property
    def magnitude(self) -> float:
        """The improvement in powers of ten; negative if the median after is larger."""
        return math.log10(self.before) - math.log10(self.after)

    @property
    def direction(self) -> str:
        """The verdict of a comparison that would look like this pair: ``improved``, ``regressed`` or ``unchanged``."""
        if self.found.word == NO_DIFFERENCE:
            return "unchanged"
        return "improved" if self.magnitude >= 0 else "regressed"

    @property
    def comparison(self) -> str:
        """The ratio in words, with its interval or how it was measured."""
        words = change_words(self.found.ratio, self.unit, self.found.interval)
        if self.found.word == NO_DIFFERENCE:
            return f"{NO_DIFFERENCE} ({words.span})"
        if self.found.interval is None:
            how = "not in turns" if self.found.how == "one after the other" else self.found.how
            return f"{words.change} ({how})"
        is_exact = self.found.interval[0] == self.found.interval[1]
        return words.change if is_exact or words.interval in words.change else words.whole


def pair_cell(found: PairFinding) -> str:
    """Write before / after for a table: ``4.00x (3.90x to 4.10x)``, or with how it was measured."""
    speed_up = units.times(
        1 / found.ratio if found.how == "in turns" and found.ratio > 0 else found.before / found.after
    )
    if found.interval is None:
        return f"{speed_up} ({SHORT_WAYS.get(found.how, found.how)})"
    low, high = (units.times(1 / end) if 0 < end < UNBOUNDED else None for end in reversed(found.interval))
    return speed_up if low == high else f"{speed_up} ({low or '0x'} to {high or 'unbounded'})"


def side_by_side_lines(found: SideBySide) -> list[str]:
    """Return a line for each function that a test measured side by side, the fastest first; ties share a rank."""
    to_first = {pair.second: pair for pair in found.pairs if pair.first == found.ranking[0].name}
    lines = []
    for one in found.ranking:
        words = f"{one.rank}. {visible(one.name)}: {units.quantity(one.median, SECONDS.symbol)}"
        pair = to_first.get(one.name)
        if pair is not None:
            words += f", {_compared_with_first(pair)}"
        others = [visible(name) for name in one.tied_with if pair is None or name != pair.first]
        tie = f"; cannot be told apart from {', '.join(others)}" if others and found.pairs[0].interval else ""
        lines.append(words + tie)
    return lines


def _compared_with_first(pair: PairRatio) -> str:
    first = visible(pair.first)
    words = change_words(pair.ratio, SECONDS.symbol, pair.interval)
    if pair.interval is None:
        return f"{words.change} than {first}, without an interval"
    if pair.word == NO_DIFFERENCE:
        return f"{NO_DIFFERENCE} from {first} ({words.span})"
    return f"{words.change} than {first} ({words.interval})"


def side_by_side_of(findings: Findings, names: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the lines of each test that compared functions, under a title.

    Args:
        findings: The report's findings.
        names: The display name of each benchmark, by id.
    """
    return {
        f"{names[one.id]}, side by side ({one.side_by_side.how})": side_by_side_lines(one.side_by_side)
        for one in findings.benchmarks
        if one.side_by_side is not None
    }


def pairs_of(findings: Findings, names: Mapping[str, str]) -> list[Pair]:
    """Return every pair whose medians are both above 0.

    Args:
        findings: The report's findings.
        names: The display name of each benchmark, by id.
    """
    return [
        Pair(names[finding.id], metric, finding.metrics[metric].unit, found)
        for finding in findings.benchmarks
        if finding.before is not None
        for metric, found in finding.before.metrics.items()
    ]
