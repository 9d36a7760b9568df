"""A harness that counts the calls of functions in a few calls of each target."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jarvisperf.suspects.call_counts import CallCounter, count_calls
from pytest_jarvisperf.measuring.capture import capture_aside
from pytest_jarvisperf.measuring.harness import QuickHarness

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from jarvisperf.measure.metrics import MetricKind
    from jarvisperf.measure.sampling import Plan, Samples
    from jarvisperf.measure.side_by_side import Together
    from jarvisperf.measure.startup import Command
    from jarvisperf.measure.targets import Target
    from jarvisperf.suspects.model import Execution
    from pytest_jarvisperf.measuring.record import BenchmarkRecord

__tracebackhide__ = True  # hides these frames from tracebacks: the error comes from the user's function


class CallCountingHarness:
    """Calls each target once, and then counts calls.

    Args:
        roots: The arm's folders.

    Attributes:
        executions: What each benchmark executes, by id; without those that allow a single call or start processes.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        self._quick = QuickHarness()
        self._roots = roots
        self._own = CallCounter()
        self._shared: dict[str, CallCounter] = {}
        self._fixtures: Sequence[str] = ()
        self.executions: dict[str, Execution] = {}

    @contextmanager
    def watching_test(self, fixtures: Sequence[str]) -> Iterator[None]:
        """Watch what a test runs before its target is counted.

        Args:
            fixtures: The names of the fixtures that it uses.
        """
        self._own, self._fixtures = CallCounter(), fixtures
        with self._own:
            yield

    @contextmanager
    def watching_shared_fixture(self, name: str) -> Iterator[None]:
        """Watch the setup of a fixture that several tests use; it belongs to each of them."""
        with self._shared.setdefault(name, CallCounter()):
            yield

    def time(self, record: BenchmarkRecord, target: Target, plan: Plan) -> tuple[Any, Samples]:
        """Call the target once, then count."""
        taken = self._quick.time(record, target, plan)
        self._count(record, target)
        return taken

    def rounds(self, record: BenchmarkRecord, target: Target, rounds: int, warmup_rounds: int) -> tuple[Any, Samples]:
        """Call the target once, then count, unless the test allows only a single call."""
        taken = self._quick.rounds(record, target, rounds, warmup_rounds)
        if rounds > 1 or target.fixed_iterations is None:
            self._count(record, target)
        return taken

    def compare(self, record: BenchmarkRecord, together: Together, plan: Plan) -> dict[str, Any]:
        """Call each target once, then count the calls of all of them."""
        results = self._quick.compare(record, together, plan)
        self._count(record, together)
        return results

    def calls(self, record: BenchmarkRecord, kind: MetricKind, target: Target) -> Any:
        """Call the target once, then count."""
        result = self._quick.calls(record, kind, target)
        self._count(record, target)
        return result

    def processes(self, record: BenchmarkRecord, kind: MetricKind, command: Command, budget_seconds: float) -> None:
        """Run the process once; what it executes cannot be seen from here."""
        self._quick.processes(record, kind, command, budget_seconds)

    def _count(self, record: BenchmarkRecord, target: Target) -> None:
        with capture_aside():
            prepared = [self._own, *(self._shared[name] for name in self._fixtures if name in self._shared)]
            self.executions[record.id] = count_calls(target, prepared, self._roots)
