"""Tables that compare two stored runs: differences of their environments, and ratios of their medians."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from jarvisperf.escaping import visible
from jarvisperf.measure.metrics import BUILT_IN, SECONDS
from jarvisperf.report.shared import units
from jarvisperf.report.shared.change_words import change_words
from jarvisperf.report.shared.table import NOTHING
from jarvisperf.runs.machine import differing, machine_facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jarvisperf.runs.model import Benchmark, Metric, Run


BENCHMARK_TITLES = ("benchmark", "metric", "A", "B", "change", "by yardstick")


def environment_rows(first: Run, second: Run) -> list[tuple[str, str, str]]:
    """Return how the environments of two runs differ: name, value in the first, value in the second."""
    return differing(_environment(first), _environment(second))


def benchmark_rows(first: Run, second: Run) -> list[tuple[str, ...]]:
    """Return a row for each metric of each benchmark of either run.

    Returns:
        Id, metric, both medians, the change, and for times what of it the yardsticks do not explain.
    """
    ours = {benchmark.id: benchmark for benchmark in first.benchmarks}
    theirs = {benchmark.id: benchmark for benchmark in second.benchmarks}
    rows: list[tuple[str, ...]] = []
    for benchmark in dict.fromkeys([*ours, *theirs]):
        before, after = ours.get(benchmark), theirs.get(benchmark)
        speed = _yardstick_ratio(_yardstick(first, before), _yardstick(second, after))
        rows += [
            (benchmark, name, *_cells(name, _metric(before, name), _metric(after, name), speed))
            for name in dict.fromkeys([*(before.metrics if before else ()), *(after.metrics if after else ())])
        ]
    return rows


def aligned(rows: Iterable[Sequence[str]], left: int | None = None) -> list[str]:
    """Align rows of cells in columns.

    Args:
        rows: Rows of equal length.
        left: Number of left-aligned columns, before the right-aligned ones; None: all.
    """
    from rich.cells import cell_len  # a Chinese character is two columns wide

    table = [list(map(visible, row)) for row in rows]

    def wide(cell: str) -> int:
        return len(cell) if cell.isascii() else cell_len(cell)

    widths = [max(map(wide, column)) for column in zip(*table, strict=True)]
    last_left = len(widths) if left is None else left
    return [
        "  ".join(
            _padded(cell, width - wide(cell), left=place < last_left)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]


def _padded(cell: str, blanks: int, *, left: bool) -> str:
    return cell + " " * blanks if left else " " * blanks + cell


def _environment(run: Run) -> dict[str, str]:
    commit = run.commit
    shown = {
        "commit": NOTHING if commit is None else commit.id[:12] + (" (changed)" if commit.dirty else ""),
        "branch": NOTHING if commit is None else commit.branch or NOTHING,
        **machine_facts(run.machine),
    }
    shown |= {f"yardstick {name}": SECONDS.text(summary.median) for name, summary in run.yardstick.items()}
    return shown


def _metric(benchmark: Benchmark | None, name: str) -> Metric | None:
    return None if benchmark is None else benchmark.metrics.get(name)


def _yardstick(run: Run, benchmark: Benchmark | None) -> Mapping[str, float]:
    if benchmark is not None and benchmark.yardstick:
        return benchmark.yardstick
    return {name: summary.median for name, summary in run.yardstick.items()}


def _yardstick_ratio(before: Mapping[str, float], after: Mapping[str, float]) -> float | None:
    ratios = [after[name] / before[name] for name in before.keys() & after.keys() if before[name] > 0 < after[name]]
    return statistics.median(ratios) if ratios else None


def _cells(name: str, before: Metric | None, after: Metric | None, speed: float | None) -> tuple[str, str, str, str]:
    medians = [units.quantity(metric.summary.median, metric.unit) if metric else NOTHING for metric in (before, after)]
    ratio = by_yardstick = NOTHING
    if before and after and before.summary.median > 0:
        plain = after.summary.median / before.summary.median
        ratio = change_words(plain, after.unit).change
        if speed and BUILT_IN.of(name, after.unit).follows_machine:
            by_yardstick = change_words(plain / speed, after.unit).change
    return medians[0], medians[1], ratio, by_yardstick
