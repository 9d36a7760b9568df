"""Writes the results of a finished run: the stored run, the report, and the terminal's summary."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.escaping import log_line
from pytest_jarvisperf.extensions import announce_finished_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pytest

    from jarvisperf.history.model import History
    from jarvisperf.report import ReportFormat
    from jarvisperf.report.findings.model import Findings
    from jarvisperf.runs.model import Run
    from jarvisperf.runs.store import RunStore
    from pytest_jarvisperf.options import Options


@dataclass(slots=True)
class Messages:
    """The lines that the terminal shows below the table.

    Attributes:
        warnings: Warnings for the user.
        problems: Failures.
    """

    warnings: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Outputs:
    """Saves a run, writes its report, and shows both on the terminal; a failure of one does not stop the others.

    Args:
        config: pytest's config.
        options: This plugin's options.
        store: The store of runs; None if runs are not stored.
        formats: The formats of the report.
        messages: The lines to show in the terminal.
    """

    def __init__(
        self,
        config: pytest.Config,
        options: Options,
        store: RunStore | None,
        formats: Sequence[ReportFormat],
        messages: Messages,
    ) -> None:
        self._config = config
        self._options = options
        self._store = store
        self._formats = formats
        self._messages = messages
        self._written: list[Path] = []
        self._saved: str | None = None

    def save(self, run: Run | None) -> None:
        """Store the run if requested, whatever the outcome of its tests."""
        if self._store is None or self._options.save is None:
            return
        if run is None or not any(benchmark.metrics for benchmark in run.benchmarks):
            self._messages.problems.append("the run was not saved: it has no figures")
            return
        try:
            stored = self._store.save(run, self._options.save)
        except Exception as error:  # noqa: BLE001  # a failing store must not hide the outcome of the tests
            self._messages.problems.append(f"the run was not saved: {error}")
            return
        self._messages.warnings += stored.warnings
        if stored.where == "store":
            self._saved = f"saved as {stored.entry.name} ({stored.entry.token}) in {self._store.shown}"
        else:
            self._saved = f"kept as {stored.entry.name} ({stored.entry.token}) until the store can be written"

    def write(self, findings: Findings) -> None:
        """Write the report."""
        from jarvisperf.report import UnwrittenError, write_reports

        try:
            self._written = write_reports(
                findings, self._options.report_folder, self._history(findings), formats=self._formats
            )
        except UnwrittenError as error:
            self._written = error.written
            self._messages.problems.append(f"the report could not be written: {error}")
        except Exception as error:  # noqa: BLE001  # a failing report must not hide the outcome of the tests
            self._messages.problems.append(f"the report could not be written: {type(error).__name__}: {error}")

    def announce(self, run: Run, findings: Findings) -> bool:
        """Tell other plugins that the run has finished; return False if one of them failed."""
        problems = announce_finished_run(self._config, run, findings)
        self._messages.problems += problems
        return not problems

    def _history(self, findings: Findings) -> History | None:
        """Read the stored runs under the name that this run is compared with or stored under."""
        name = self._options.compare or self._options.save
        if self._store is None or name is None:
            return None
        from jarvisperf.history.reading import read_history
        from jarvisperf.runs.bounds import bounded_id
        from jarvisperf.runs.store import RunStoreError

        try:
            entries = self._store.find(name, findings.machine.fingerprint).entries
            history = read_history(self._store, entries, frozenset(bounded_id(one.id) for one in findings.benchmarks))
        except (RunStoreError, ValueError) as error:
            self._messages.warnings.append(f"the report has no history: {error}")
            return None
        if history.unsearched:
            self._messages.warnings.append(history.unsearched)
        return history

    def show(self, reporter: pytest.TerminalReporter, findings: Findings | None) -> None:
        """Show the table, what was written where, and the messages."""
        if findings is None and not self._messages.problems:
            return
        reporter.section("benchmarks (jarvisperf)")
        notes = [*self._where_written(), *((f"jarvisperf: {text}", "yellow") for text in self._messages.warnings)]
        notes += [(f"jarvisperf: {text}", "red") for text in self._messages.problems]
        if findings is None:
            for text, colour in notes:
                reporter.write_line(log_line(text), **{colour: True} if colour else {})
            return
        if os.environ.get("GITHUB_ACTIONS") == "true":  # these lines annotate the sources on a pull request
            from jarvisperf.report.terminal.github import workflow_commands

            for line in workflow_commands(findings, _root_in_workspace(self._config.rootpath)):
                reporter.write_line(line)
        reporter.write(_rendered(reporter, findings, notes))

    @staticmethod
    def conclude(reporter: pytest.TerminalReporter, findings: Findings, *, is_good: bool) -> None:
        """Repeat the summary of the findings below pytest's own last line."""
        from jarvisperf.report.shared.headline import summary_line
        from jarvisperf.report.terminal.summary import wraps_lines
        from jarvisperf.report.terminal.wrapping import wrapped

        line = f"jarvisperf: {summary_line(findings)}"
        wraps = wraps_lines(is_terminal=bool(reporter.isatty))
        reporter.ensure_newline()
        for part in wrapped(line, _columns()) if wraps else [line]:
            reporter.write_line(part, bold=True, green=is_good, red=not is_good)

    def _where_written(self) -> list[tuple[str, str]]:
        lines = []
        if self._written:
            folder = self._options.report_folder
            names = ", ".join(str(path.relative_to(folder)) for path in self._written)
            here = self._config.invocation_params.dir
            shown = folder.relative_to(here) if folder.is_relative_to(here) else folder
            lines.append((f"Report in {shown}: {names}", ""))
        if self._saved:
            lines.append((self._saved, ""))
        return lines


def _rendered(reporter: pytest.TerminalReporter, findings: Findings, notes: Sequence[tuple[str, str]]) -> str:
    from jarvisperf.report.terminal.summary import render, shows_unicode, wraps_lines

    return render(
        findings,
        colour=reporter.hasmarkup,
        columns=_columns(),
        unicode=shows_unicode(getattr(sys.stdout, "encoding", None)),
        wraps=wraps_lines(is_terminal=bool(reporter.isatty)),
        notes=notes,
    )


def _columns() -> int:
    return shutil.get_terminal_size(fallback=(120, 24)).columns


def _root_in_workspace(root: Path) -> str:
    """Return the prefix of paths relative to GitHub's workspace, like ``packages/core/``."""
    workspace = Path(os.environ.get("GITHUB_WORKSPACE", "")).resolve()
    inside = root.resolve().relative_to(workspace).as_posix() if root.resolve().is_relative_to(workspace) else "."
    return "" if inside == "." else f"{inside}/"


def joined_notes(notes: Mapping[str, Iterable[str]]) -> list[str]:
    """Return one line per note, with the benchmarks that it applies to.

    Args:
        notes: The notes, by the benchmark's id.
    """
    from jarvisperf.report.shared.uncompared import listed

    names: dict[str, list[str]] = {}
    for name, texts in notes.items():
        for text in texts:
            names.setdefault(text, []).append(name)
    return [f"{listed(them)}: {text}" for text, them in names.items()]
