"""Runs benchmarks in fresh processes of the arms after lockstep: `start`, `answer_of`, and the process's `main`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec
import pytest

from jarvisperf.gate.arms.checkout import BASE
from jarvisperf.gate.processes import descendants
from jarvisperf.gate.processes.interpreter import options_to_pass_on
from jarvisperf.measure.metrics import TIME
from jarvisperf.profiles.pairing import Sliced  # msgspec reads the annotations
from jarvisperf.profiles.turns import Turns
from jarvisperf.suspects.model import CodeRange, Execution, TimedSlices  # likewise
from pytest_jarvisperf.arms.exit_handlers import end_now, run_exit_handlers
from pytest_jarvisperf.collection.records import profile_request
from pytest_jarvisperf.measuring.call_counting import CallCountingHarness
from pytest_jarvisperf.measuring.harness import Harness, QuickHarness
from pytest_jarvisperf.measuring.profiling import ProfilingHarness
from pytest_jarvisperf.measuring.randomness.seeded_tests import SeededArm
from pytest_jarvisperf.measuring.stash_keys import harness_key, record_key

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from jarvisperf.gate.processes.workers import ArmPlace

START_SECONDS = 120.0
STOP_SECONDS = 6.0  # to end the processes that the arm has started
HASH_SEED = "0"  # so that sets have the same order, and the same collisions, in both arms

Answer = TypeVar("Answer", bound=msgspec.Struct)


class ArmOrder(msgspec.Struct, frozen=True):
    """The benchmarks that an arm has to run, what for, and its environment.

    Attributes:
        pytest: pytest's arguments.
        ids: The benchmarks.
        root: The arm's root folder for pytest.
        roots: The arm's folders; functions in them belong to the project.
        paths: The first entries of its module search path.
        answer: The file for the answer.
        arm: The arm's name.
        turns: The file descriptor of the connection to the other arm, to profile; None: count calls.
        suspects: The suspects to time, by benchmark.
        repository: The working tree, from which nothing may come; empty: that is not checked.
        packages: Dotted names of the project's packages, which must come from the arm.
    """

    pytest: list[str]
    ids: list[str]
    root: str
    roots: list[str]
    paths: list[str]
    answer: str
    arm: str
    turns: int | None = None
    suspects: dict[str, tuple[CodeRange, ...]] = {}
    repository: str = ""
    packages: list[str] = []


class ProfileAnswer(msgspec.Struct, frozen=True):
    """An arm's answer: profiles, why others could not be taken, and the times of suspects, by id."""

    profiles: dict[str, Sliced] = {}
    problems: dict[str, str] = {}
    timed: dict[str, TimedSlices] = {}


class CallAnswer(msgspec.Struct, frozen=True):
    """An arm's answer: what each benchmark executes, by id."""

    executions: dict[str, Execution] = {}


class RunningArm(NamedTuple):
    """An arm's process, the file for its answer, and its log."""

    name: str
    process: subprocess.Popen[bytes]
    answer: Path
    log: Path


def start(
    place: ArmPlace,
    words: Sequence[str],
    ids: Sequence[str],
    folder: Path,
    end: socket.socket | None = None,
    suspects: dict[str, tuple[CodeRange, ...]] | None = None,
    *,
    entry: str = __name__,
    repository: str = "",
    packages: Sequence[str] = (),
) -> RunningArm:
    """Start an arm's process.

    Args:
        place: The arm.
        words: pytest's arguments in an arm.
        ids: The benchmarks to run.
        folder: The folder for its files.
        end: This arm's end of the connection to the other one, to profile in turns; None: count calls.
        suspects: The suspects to time, by benchmark.
        entry: The module whose `main` carries out the order.
        repository: The working tree, from which nothing may come; empty: that is not checked.
        packages: Dotted names of the project's packages, which must come from the arm.
    """
    answer, log = (folder / f"{place.name}.{kind}" for kind in ("json", "log"))
    descriptor = None if end is None else end.fileno()
    order = ArmOrder(
        pytest=list(words),
        ids=list(ids),
        root=str(place.cwd),
        roots=[str(root) for root in place.roots],
        paths=list(place.paths),
        answer=str(answer),
        arm=place.name,
        turns=descriptor,
        suspects=suspects or {},
        repository=repository,
        packages=list(packages),
    )
    command = [sys.executable, *options_to_pass_on(), "-c", f"from {entry} import main; main()"]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  # this interpreter
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd=place.cwd,
            env={**place.env, "PYTHONHASHSEED": HASH_SEED},
            pass_fds=[] if descriptor is None else [descriptor],
            start_new_session=True,  # Ctrl-C goes to this process; the arms notice when it ends
        )
    if process.stdin is not None:
        with process.stdin as orders:
            orders.write(msgspec.json.encode(order))
    return RunningArm(place.name, process, answer, log)


def answer_of(running: RunningArm, kind: type[Answer], seconds: float, doing: str, problems: list[str]) -> Answer:
    """Wait for an arm's answer; if it has none, return an empty one and add the reason to the problems.

    Args:
        running: The arm's process.
        kind: The type of the answer.
        seconds: How long it may take, in addition to its start.
        doing: What it does, for messages.
        problems: Messages for the user.
    """
    try:
        running.process.wait(START_SECONDS + seconds)
    except subprocess.TimeoutExpired:
        _stop(running.process)
        problems.append(f"{doing} in {running.name} took too long and was ended")
        return kind()
    try:
        return msgspec.json.decode(running.answer.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        last = running.log.read_text(errors="replace").strip().splitlines()[-1:] or ["it printed nothing"]
        problems.append(f"{doing} in {running.name} failed: {last[0]}")
        return kind()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main() -> None:
    """Count calls or profile, as the order on standard input says."""
    carry_out(lambda order: CallCountingPlugin(order) if order.turns is None else ProfilePlugin(order))


def carry_out(plugin_for: Callable[[ArmOrder], ArmPlugin]) -> None:
    """Carry out the order read from standard input, then end all processes started by it.

    Args:
        plugin_for: Returns the plugin object that runs the benchmarks.
    """
    descendants.adopt_orphans()
    descendants.end_with_parent(signal.SIGTERM)
    signal.signal(signal.SIGTERM, _end_at_once)
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=ArmOrder)
    sys.path[:0] = order.paths  # with -I or -E, PYTHONPATH is ignored
    plugin = plugin_for(order)
    try:
        status = int(pytest.main([*order.pytest, f"--rootdir={order.root}"], plugins=[plugin, SeededArm(HASH_SEED)]))
        run_exit_handlers(status)
    finally:
        descendants.end_orphans()
    end_now(status)


def _end_at_once(*_: object) -> None:
    descendants.end_orphans()
    os._exit(1)


class ArmPlugin:
    """Runs only the wanted benchmarks, and passes their targets to a harness.

    Args:
        order: What the arm has to do.
    """

    def __init__(self, order: ArmOrder) -> None:
        self._order = order
        self._items: list[pytest.Item] = []

    def harness(self) -> Harness:
        """Return the harness for the targets."""
        raise NotImplementedError

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Make the plugin pass all targets to the harness."""
        config.stash[harness_key] = self.harness()
        config.option.jarvis_metrics = TIME.name  # metrics added by the project's ini file need no explanation

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the wanted benchmarks."""
        wanted = set(self._order.ids)
        items[:] = [item for item in items if item.nodeid in wanted]
        self._items = items

    def answer(self, answer: msgspec.Struct) -> None:
        """Write the answer."""
        Path(self._order.answer).write_bytes(msgspec.json.encode(answer))


class ProfilePlugin(ArmPlugin):
    """The plugin object that profiles each benchmark."""

    def harness(self) -> Harness:
        """Return the harness that profiles."""
        turns = Turns(socket.socket(fileno=self._order.turns), leads=self._order.arm == BASE)
        roots = [Path(root) for root in self._order.roots]
        self._profiling = ProfilingHarness(QuickHarness(), roots, turns.turn, self._order.suspects)
        return self._profiling

    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Request a profile, whatever the markers say."""
        if record_key in item.stash:
            item.stash[record_key].profile_request = profile_request(item, always=True)

    def pytest_sessionfinish(self) -> None:
        """Write the answer."""
        records = [item.stash[record_key] for item in self._items if record_key in item.stash]
        self.answer(
            ProfileAnswer(
                {record.id: record.profile for record in records if record.profile},
                {record.id: record.profile_problem for record in records if record.profile_problem},
                self._profiling.timed,
            )
        )


class CallCountingPlugin(ArmPlugin):
    """The plugin object that counts the calls of each benchmark, and watches the preparation of its data."""

    def harness(self) -> Harness:
        """Return the harness that counts."""
        self._counting = CallCountingHarness([Path(root) for root in self._order.roots])
        return self._counting

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Watch what prepares the target: fixtures, and the test itself."""
        with self._counting.watching_test(getattr(item, "fixturenames", ())):
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object]) -> Generator[None, object, object]:
        """Keep what a shared fixture runs for all tests that use it."""
        if fixturedef.scope == "function":
            return (yield)
        with self._counting.watching_shared_fixture(fixturedef.argname):
            return (yield)

    def pytest_sessionfinish(self) -> None:
        """Write the answer."""
        self.answer(CallAnswer(self._counting.executions))
