"""`--jarvis-prove`: compares the commit with itself for some minutes, partly slowed, and reports what the gate saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jarvisperf.clocks import now
from pytest_jarvisperf.extensions import this_machine
from pytest_jarvisperf.measuring.stash_keys import record_key
from pytest_jarvisperf.sessions.comparison import Comparison
from pytest_jarvisperf.sessions.progress import LONGEST_NAME, ProgressLine

if TYPE_CHECKING:
    from pathlib import Path

    from jarvisperf.gate.arms.revision import Repository
    from jarvisperf.gate.lockstep.model import Progress
    from jarvisperf.gate.proof.model import Proof
    from jarvisperf.gate.proof.rounds import Rounds
    from jarvisperf.runs.store import RunStore
    from pytest_jarvisperf.options import Options

NOTHING = "nothing was proven: no benchmark was collected"


class ProofSession:
    """The plugin object that proves the gate; no test is run in this process.

    Args:
        config: pytest's config.
        options: This plugin's options.
        repository: The repository; both of its commits are HEAD.
        store: Keeps the proof.
    """

    def __init__(self, config: pytest.Config, options: Options, repository: Repository, store: RunStore) -> None:
        self._config = config
        self._options = options
        self._repository = repository
        self._store = store
        self._created = now().isoformat(timespec="seconds")
        self._proof: Proof | None = None
        self._problems: list[str] = []
        self._written: list[Path] = []
        self._kept: str | None = None

    def pytest_report_header(self) -> str:
        """Announce how long it takes."""
        return f"jarvisperf: proving the gate for {(self._options.prove_seconds or 0.0) / 60:g} minutes"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Compare instead of running the tests.

        Raises:
            KeyboardInterrupt: Ctrl-C; what was compared by then is reported.
        """
        if session.config.option.collectonly:
            return None
        items = [item for item in session.items if record_key in item.stash]
        if not items:
            self._problems.append(NOTHING)
            return True
        from jarvisperf.gate.arms.git import GitError
        from jarvisperf.gate.arms.prepare import InstallError
        from jarvisperf.gate.lockstep.model import LockstepError
        from jarvisperf.gate.processes.workers import WorkerError

        line = ProgressLine(self._config)
        try:
            self._prove(items, line)
        except (GitError, InstallError, LockstepError, WorkerError, OSError) as error:
            self._problems.append(f"nothing was proven: {error}")
        finally:
            line.clear()
        return True

    def _prove(self, items: list[pytest.Item], line: ProgressLine) -> None:
        from jarvisperf.gate.proof import Rounds

        comparison = Comparison(self._config, self._options, self._repository)
        with comparison.prepared(items) as campaign:
            rounds = Rounds(
                campaign, self._options.prove_seconds or 0.0, lambda progress: line.show(_told(rounds, progress))
            )
            try:
                rounds.run()
            except (KeyboardInterrupt, pytest.exit.Exception):
                self._conclude(rounds, interrupted=True)
                raise
            self._conclude(rounds, interrupted=False)
        self._problems += comparison.warnings

    def _conclude(self, rounds: Rounds, *, interrupted: bool) -> None:
        machine = this_machine(self._config)
        self._proof = rounds.proof(
            created=self._created,
            machine=f"{machine.cpu}, {machine.cores} cores, {machine.python}, {machine.system}",
            commit=self._repository.head or "",
            interrupted=interrupted,
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write and keep the proof; one with a false alarm, or without any verdict, fails."""
        if self._config.option.collectonly:
            return
        if self._proof is not None:
            self._write(self._proof)
        if (self._proof is None or not self._proof.is_good) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _write(self, proof: Proof) -> None:
        from jarvisperf.report.proof import write_proof
        from jarvisperf.report.proof.writing import encoded_proof
        from jarvisperf.runs.store import RunStoreError

        try:
            self._written = write_proof(proof, self._options.report_folder)
        except OSError as error:
            self._problems.append(f"the proof could not be written: {error}")
        try:
            self._kept = f"{self._store.keep_proof(proof.created, encoded_proof(proof))} in {self._store.shown}"
        except RunStoreError as error:
            self._problems.append(f"the proof could not be kept: {error}")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the proof, where it was written, and what went wrong."""
        from jarvisperf.escaping import log_line
        from jarvisperf.report.proof import proof_lines
        from jarvisperf.report.proof.text import headline_of

        if self._config.option.collectonly:
            return
        lines = proof_lines(self._proof) if self._proof is not None else []
        if self._written:
            lines.append(f"Proof in {self._options.report_folder}: {', '.join(path.name for path in self._written)}")
        if self._kept:
            lines.append(f"Kept as {self._kept}")
        lines += [line for problem in self._problems for line in f"jarvisperf: {problem}".splitlines()]
        if self._proof is not None:
            lines.append(f"jarvisperf: {headline_of(self._proof)}")
        terminalreporter.section("proof (jarvisperf)")
        for line in lines:
            terminalreporter.write_line(log_line(line))


def _told(rounds: Rounds, progress: Progress) -> str:
    return (
        f"round {rounds.count + 1}, launch {progress.launch}: {progress.undecided} of {progress.total} undecided, "
        f"about {rounds.seconds_left:.0f} s of the proof left  {progress.benchmark[-LONGEST_NAME:]}"
    )
