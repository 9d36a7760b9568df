"""Inside an arm: runs each benchmark in a fork and watches what it executes, opens and imports.

Each fork starts after collection, when everything has been imported and no benchmark has run. So a
cache that one of them fills does not hide what another would execute.
"""

from __future__ import annotations

import math
import os
import signal
import threading
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from _pytest.runner import runtestprotocol

from jarvisperf.clocks import REAL
from jarvisperf.gate.affected.model import Touched, Watched
from jarvisperf.gate.affected.watch import CodeWatch
from jarvisperf.gate.processes import descendants
from pytest_jarvisperf.arms.exit_handlers import forget_inherited_handlers
from pytest_jarvisperf.arms.foreign_modules import ForeignModules, move_editable_installations
from pytest_jarvisperf.explaining.processes import ArmPlugin, carry_out
from pytest_jarvisperf.measuring.capture import capture_aside
from pytest_jarvisperf.measuring.harness import QuickHarness

if TYPE_CHECKING:
    from jarvisperf.gate.affected.model import Links
    from jarvisperf.measure.metrics import MetricKind
    from jarvisperf.measure.sampling import Plan, Samples
    from jarvisperf.measure.side_by_side import Together
    from jarvisperf.measure.startup import Command
    from jarvisperf.measure.targets import Target
    from pytest_jarvisperf.explaining.processes import ArmOrder
    from pytest_jarvisperf.measuring.harness import Harness
    from pytest_jarvisperf.measuring.record import BenchmarkRecord

__tracebackhide__ = True  # hides these frames from tracebacks: the error comes from the user's function

MOST_CALLS = 200  # of each target: some do something else once in a while
CALLING_SECONDS = 0.1
FAILED = "it did not pass when it was watched"


def main() -> None:
    """Watch the benchmarks that the order on standard input names."""
    carry_out(_plugin_for)


def _plugin_for(order: ArmOrder) -> ArmPlugin:
    root, repository = Path(order.roots[0]).resolve(), Path(order.repository).resolve()
    move_editable_installations(repository, root)
    foreign = ForeignModules([root], order.packages, repository)
    foreign.find()  # what is loaded by now is this plugin's own
    watch = CodeWatch(root)
    watch.start()
    return WatchingPlugin(order, watch, foreign)


class WatchingPlugin(ArmPlugin):
    """The plugin object that watches each benchmark.

    Args:
        order: What the arm has to do.
        watch: Watches this process.
        foreign: Finds modules that do not come from the arm.
    """

    def __init__(self, order: ArmOrder, watch: CodeWatch, foreign: ForeignModules) -> None:
        super().__init__(order)
        self._watch = watch
        self._foreign = foreign
        self._found: dict[str, Touched] = {}
        self._links: Links = {}
        self._seen = Path(order.answer).with_suffix(".seen")

    def harness(self) -> Harness:
        """Return the harness that calls each target several times."""
        return RepeatingHarness()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Count every process from now on."""
        self._watch.has_begun = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool:
        """Run a benchmark in a fork, and keep what it touched."""
        if threading.active_count() > 1:
            self._found[item.nodeid] = Touched(unseen=("threads were running before it started",))
            return True
        if not self._links:
            self._links = self._watch.links()
        own = descendants.children()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # about threads of libraries written in C
            child = self._watch.fork()
        if child == 0:
            self._run_and_exit(item)
        os.waitpid(child, 0)
        descendants.end_orphans(spared=own)
        found = self._read(item.nodeid)
        self._found |= found.benchmarks
        for file, names in found.links.items():  # of modules that only a benchmark imports
            known = self._links.setdefault(file, {})
            known |= {name: known.get(name, frozenset()) | files for name, files in names.items()}
        return True

    def _run_and_exit(self, item: pytest.Item) -> None:
        status = 1
        try:
            descendants.end_with_parent(signal.SIGKILL)
            forget_inherited_handlers()
            self._watch.forget_files()
            reports = runtestprotocol(item, log=False, nextitem=None)
            self._watch.lost()
            touched = self._watch.touched()
            problems = [] if all(report.passed for report in reports) else [FAILED]
            problems += [f"{name} does not come from the checkout" for name in self._foreign.find()]
            touched = msgspec.structs.replace(touched, unseen=(*touched.unseen, *problems))
            found = Watched({item.nodeid: touched}, self._watch.links(self._links))
            self._seen.write_bytes(msgspec.json.encode(found))
            status = 0
        finally:
            os._exit(status)

    def _read(self, name: str) -> Watched:
        try:
            return msgspec.json.decode(self._seen.read_bytes(), type=Watched)
        except (FileNotFoundError, msgspec.DecodeError):
            return Watched({name: Touched(unseen=(FAILED,))})
        finally:
            self._seen.unlink(missing_ok=True)

    def pytest_sessionfinish(self) -> None:
        """Write the answer."""
        self.answer(Watched(self._found, self._links))


class RepeatingHarness:
    """Calls each target several times, as often as it may be called."""

    def __init__(self) -> None:
        self._quick = QuickHarness()

    def time(self, record: BenchmarkRecord, target: Target, plan: Plan) -> tuple[Any, Samples]:
        """Call the target, and then again."""
        taken = self._quick.time(record, target, plan)
        _repeat(target, MOST_CALLS)
        return taken

    def rounds(self, record: BenchmarkRecord, target: Target, rounds: int, warmup_rounds: int) -> tuple[Any, Samples]:
        """Call the target, and then again if the test allows more than a single call."""
        taken = self._quick.rounds(record, target, rounds, warmup_rounds)
        _repeat(target, rounds + warmup_rounds - 1 if target.fixed_iterations is not None else MOST_CALLS)
        return taken

    def compare(self, record: BenchmarkRecord, together: Together, plan: Plan) -> dict[str, Any]:
        """Call each target, and then again."""
        results = self._quick.compare(record, together, plan)
        _repeat(together, MOST_CALLS)
        return results

    def calls(self, record: BenchmarkRecord, kind: MetricKind, target: Target) -> Any:
        """Call the target, and then again."""
        result = self._quick.calls(record, kind, target)
        _repeat(target, MOST_CALLS)
        return result

    def processes(self, record: BenchmarkRecord, kind: MetricKind, command: Command, budget_seconds: float) -> None:
        """Run the process once; what it executes cannot be seen from here, so the benchmark is not left out."""
        self._quick.processes(record, kind, command, budget_seconds)


def _repeat(target: Target, most_calls: int) -> None:
    iterations = target.fixed_iterations or 1
    until = REAL.wall() + CALLING_SECONDS
    with capture_aside():
        for _ in range(math.floor(min(most_calls, MOST_CALLS) / iterations)):
            if REAL.wall() > until:
                break
            target.samples(iterations, 1, nullcontext())
