"""A harness that profiles targets after they have been measured."""

from __future__ import annotations

import importlib.util
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from jarvisperf.measure.metrics import OfSingleCalls
from pytest_jarvisperf.measuring.capture import capture_aside

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from jarvisperf.measure.metrics import MetricKind
    from jarvisperf.measure.sampling import Plan, Samples
    from jarvisperf.measure.side_by_side import Together
    from jarvisperf.measure.startup import Command
    from jarvisperf.measure.targets import Target
    from jarvisperf.profiles.model import Engine
    from jarvisperf.suspects.model import CodeRange, TimedSlices
    from pytest_jarvisperf.measuring.harness import Harness
    from pytest_jarvisperf.measuring.record import BenchmarkRecord

TIMED_SECONDS = 1.0

__tracebackhide__ = True  # hides these frames from tracebacks: the error comes from the user's function


class ProfilingHarness:
    """Profiles a target after another harness has measured it, never at the same time.

    Args:
        inner: The harness that measures.
        roots: The project's folders.
        turn: Returns a context manager for each slice, so that two processes can take turns.
        suspects: The suspects to time, by benchmark.

    Attributes:
        timed: The times of suspects, by benchmark.
    """

    def __init__(
        self,
        inner: Harness,
        roots: Sequence[Path],
        turn: Callable[[], AbstractContextManager[None]] = nullcontext,
        suspects: Mapping[str, tuple[CodeRange, ...]] | None = None,
    ) -> None:
        self._inner = inner
        self._roots = roots
        self._turn = turn
        self._suspects = suspects or {}
        self.timed: dict[str, TimedSlices] = {}

    def time(self, record: BenchmarkRecord, target: Target, plan: Plan) -> tuple[Any, Samples]:
        """Time a target by a plan, then profile it."""
        taken = self._inner.time(record, target, plan)
        self._profile(record, target)
        return taken

    def rounds(self, record: BenchmarkRecord, target: Target, rounds: int, warmup_rounds: int) -> tuple[Any, Samples]:
        """Time a target for a number of rounds, then profile it, unless only a single call is allowed."""
        taken = self._inner.rounds(record, target, rounds, warmup_rounds)
        if rounds > 1 or target.fixed_iterations is None:
            self._profile(record, target)
        return taken

    def compare(self, record: BenchmarkRecord, together: Together, plan: Plan) -> dict[str, Any]:
        """Compare several targets, then profile them together."""
        results = self._inner.compare(record, together, plan)
        self._profile(record, together)
        return results

    def calls(self, record: BenchmarkRecord, kind: MetricKind, target: Target) -> Any:
        """Measure a metric on single calls, then profile it; memory with memray if that is installed."""
        result = self._inner.calls(record, kind, target)
        of_memory = isinstance(kind.measurement, OfSingleCalls) and kind.measurement.profile == "memory"
        self._profile(record, target, engine="memray" if of_memory and importlib.util.find_spec("memray") else None)
        return result

    def processes(self, record: BenchmarkRecord, kind: MetricKind, command: Command, budget_seconds: float) -> None:
        """Measure a metric on fresh processes, which cannot be profiled from here."""
        self._inner.processes(record, kind, command, budget_seconds)

    def _profile(self, record: BenchmarkRecord, target: Target, engine: Engine | None = None) -> None:
        from jarvisperf.measure.instrumentation import uninstrumented
        from jarvisperf.profiles.engines import ProfileError, slices_for, take_sliced
        from jarvisperf.suspects.timing import time_suspects

        request = record.profile_request
        if request is None:
            return
        try:
            with uninstrumented(), capture_aside():
                record.profile = take_sliced(
                    target, self._roots, engine=engine or request.engine, top=request.top, turn=self._turn
                )
        except ProfileError as error:
            record.profile_problem = str(error)
        suspects = self._suspects.get(record.id)
        if suspects:
            waits = record.profile is not None and record.profile.waits
            with uninstrumented(), capture_aside():
                slices = slices_for(target, TIMED_SECONDS, self._turn)
                self.timed[record.id] = time_suspects(
                    target, slices, suspects, self._roots, waits=waits, seconds=TIMED_SECONDS
                )
