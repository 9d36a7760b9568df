"""Pairs of benchmarks of one run: before and after, uncached and cached, naive and batched."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.report.shared.change_words import change_words
from jarvisperf.report.shared.table import label

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jarvisperf.report.findings.model import Findings


class Pair(NamedTuple):
    """The medians of a benchmark and of its uncached or naive counterpart.

    Attributes:
        name: The benchmark's display name.
        metric: The metric's name.
        unit: The metric's unit.
        before: The counterpart's median.
        after: The benchmark's own median.
    """

    name: str
    metric: str
    unit: str
    before: float
    after: float

    @property
    def label(self) -> str:
        """The display name, with the metric unless it is time."""
        return label(self.name, self.metric)

    @property
    def magnitude(self) -> float:
        """The improvement in powers of ten; negative if the median after is larger."""
        return math.log10(self.before) - math.log10(self.after)

    @property
    def comparison(self) -> str:
        """The ratio in words."""
        return change_words(self.after / self.before, self.unit).change


def pairs_of(findings: Findings, names: Mapping[str, str]) -> list[Pair]:
    """Return every pair whose medians are both above 0.

    Args:
        findings: The report's findings.
        names: The display name of each benchmark, by id.
    """
    by_id = {finding.id: finding for finding in findings.benchmarks}
    pairs = []
    for finding in findings.benchmarks:
        for metric in finding.before.ratios if finding.before else ():
            head = finding.metrics[metric].head
            twin = by_id[finding.before.id].metrics[metric].head if finding.before else None
            if head and twin:
                pairs.append(Pair(names[finding.id], metric, finding.metrics[metric].unit, twin.median, head.median))
    return pairs
