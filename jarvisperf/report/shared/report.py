"""The content of a report, computed once for all formats, and the definition of a format."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from jarvisperf.history.model import History
from jarvisperf.report.shared import headline, table, uncompared
from jarvisperf.report.shared.names import label, short_names
from jarvisperf.report.shared.pairs import pairs_of, side_by_side_of
from jarvisperf.report.shared.reasons import reasons

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jarvisperf.report.findings.model import BenchmarkFinding, Findings, MetricFinding
    from jarvisperf.report.shared.pairs import Pair


@dataclass(frozen=True, slots=True)
class ReportFormat:
    """One format of the report.

    Attributes:
        name: The name that ``--jarvis-report-formats`` selects it by.
        files: Every file that it can produce, relative to the report's folder, with ``/``.
        render: Returns the content of each file by its name. A file with nothing to show is left out; the one from an
            earlier report is then deleted.
        extra: The extra of jarvisperf that it needs; empty: none.
    """

    name: str
    files: tuple[str, ...]
    render: Callable[[Report], Mapping[str, bytes]]
    extra: str = ""


class MetricRow(NamedTuple):
    """One metric of one benchmark: a row of the main table.

    Attributes:
        finding: The benchmark.
        metric_name: The metric's name.
        metric: The metric's findings.
        texts: The cells as text, by column.
    """

    finding: BenchmarkFinding
    metric_name: str
    metric: MetricFinding
    texts: dict[str, str]

    @property
    def label(self) -> str:
        """The benchmark's display name, with the metric unless it is time."""
        return label(self.texts["benchmark"], self.metric_name)


class TableRow(NamedTuple):
    """A row of the whole table, in which benchmarks without figures have a row as well.

    Attributes:
        finding: The benchmark.
        metric: The metric's findings; None if the benchmark has no figures.
        texts: The cells as text, by column.
    """

    finding: BenchmarkFinding
    metric: MetricFinding | None
    texts: dict[str, str]


class Report:
    """The findings, the history behind them, and the rows and lines that several formats show.

    Args:
        findings: The results.
        history: The stored runs behind it; None if there are none.
        files: The files that this report may contain, so that one can refer to another.
    """

    def __init__(
        self,
        findings: Findings,
        history: History | None = None,
        files: frozenset[str] = frozenset(),
    ) -> None:
        self.findings = findings
        self.history = history or History()
        self.files = files

    @cached_property
    def names(self) -> dict[str, str]:
        """The display name of each benchmark, by id."""
        return short_names([finding.id for finding in self.findings.benchmarks])

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The titles of the main table's columns: benchmark, and those in which any row has something."""
        return table.telling(table.columns(self.findings), [row.texts for row in self.table])

    @cached_property
    def footnote(self) -> str:
        """The meaning of the columns; empty if no benchmark has figures."""
        has_figures = any(row.metric is not None and row.metric.head is not None for row in self.table)
        return table.footnote(self.findings, self.columns) if has_figures else ""

    @cached_property
    def rows_by_id(self) -> dict[str, list[MetricRow]]:
        """The rows of each benchmark, by its id, in the order of the run."""
        return {
            finding.id: [
                MetricRow(finding, name, metric, table.row_of(finding, self.names[finding.id], name, metric))
                for name, metric in finding.metrics.items()
            ]
            for finding in self.findings.benchmarks
        }

    @cached_property
    def ordered(self) -> list[BenchmarkFinding]:
        """The benchmarks, group by group, the most serious verdicts first."""
        return table.by_severity(self.findings)

    @cached_property
    def rows(self) -> list[MetricRow]:
        """The rows of the main table, group by group, the most serious verdicts first."""
        return [row for finding in self.ordered for row in self.rows_by_id[finding.id]]

    @cached_property
    def table(self) -> list[TableRow]:
        """A row for each metric of each benchmark, and one for each benchmark without figures, in the same order."""
        return [row for finding in self.ordered for row in self.table_rows(finding)]

    def table_rows(self, finding: BenchmarkFinding) -> list[TableRow]:
        """Return the rows of a benchmark."""
        rows = [TableRow(finding, row.metric, row.texts) for row in self.rows_by_id[finding.id]]
        return rows or [TableRow(finding, None, table.bare_row_of(finding, self.names[finding.id]))]

    @cached_property
    def pairs(self) -> list[Pair]:
        """The benchmarks that have an uncached or naive counterpart, with both medians."""
        return pairs_of(self.findings, self.names)

    @cached_property
    def side_by_side(self) -> dict[str, list[str]]:
        """The lines of each test that compared functions with each other, by a title."""
        return side_by_side_of(self.findings, self.names)

    @cached_property
    def summary(self) -> str:
        """The findings, in one line."""
        return headline.summary_line(self.findings)

    @cached_property
    def commit(self) -> str:
        """The commit, branch and state of the working tree, in one line."""
        return headline.commit_line(self.findings)

    @cached_property
    def machine(self) -> str:
        """The machine, in one line."""
        return headline.machine_line(self.findings)

    @cached_property
    def problems(self) -> list[str]:
        """A line for each benchmark that failed."""
        return uncompared.problem_lines(self.findings)

    @cached_property
    def not_compared(self) -> list[uncompared.NotCompared]:
        """Why benchmarks were skipped, or are new although base was given them."""
        return uncompared.not_compared(self.findings, self.names)

    @cached_property
    def reasons(self) -> list[str]:
        """A line for each regression whose reason is known."""
        return reasons(self.findings)

    @cached_property
    def left_out(self) -> str:
        """How many benchmarks were left out because the change cannot affect them; empty if none was."""
        return uncompared.left_out_line(self.findings)

    @cached_property
    def left_out_names(self) -> list[str]:
        """The display names of these benchmarks."""
        return uncompared.left_out_names(self.findings, self.names)

    @cached_property
    def unexecuted(self) -> str:
        """How many changed functions no benchmark executes, in one line; empty if there are none."""
        return uncompared.unexecuted_line(self.findings)

    @cached_property
    def unexecuted_functions(self) -> list[str]:
        """These functions, a line each."""
        return uncompared.unexecuted_functions(self.findings)
