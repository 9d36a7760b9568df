"""After lockstep, profiles regressed benchmarks in both arms, in fresh processes that take turns."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pytest

from jarvisperf.gate.arms.checkout import BASE
from jarvisperf.gate.processes import descendants
from jarvisperf.gate.processes.interpreter import options_to_pass_on
from jarvisperf.measure.metrics import TIME
from jarvisperf.profiles.model import joined
from jarvisperf.profiles.pairing import Sliced, matched
from jarvisperf.profiles.turns import Turns
from pytest_jarvisperf.arms.exit_handlers import end_now, run_exit_handlers
from pytest_jarvisperf.collection.records import profile_request
from pytest_jarvisperf.measuring.harness import QuickHarness
from pytest_jarvisperf.measuring.profiling import ProfilingHarness
from pytest_jarvisperf.measuring.record import record_key
from pytest_jarvisperf.measuring.seeded_tests import SeededArm
from pytest_jarvisperf.state import harness_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jarvisperf.gate.processes.workers import ArmPlace
    from jarvisperf.profiles.model import Profile

MOST_BENCHMARKS = 10
LAUNCHES = 3  # fresh pairs of processes: memory layout alone can differ as much as a small slowdown
SECONDS_PER_BENCHMARK = 30.0
START_SECONDS = 120.0
STOP_SECONDS = 6.0  # to end the processes that the arm has started
HASH_SEED = "0"  # so that sets have the same order, and the same collisions, in both arms


class ProfileOrder(msgspec.Struct, frozen=True):
    """The benchmarks that an arm has to profile, and its environment.

    Attributes:
        pytest: pytest's arguments.
        ids: The benchmarks.
        root: The arm's root folder for pytest.
        roots: The arm's folders; functions in them belong to the project.
        paths: The first entries of its module search path.
        answer: The file for the profiles.
        turns: The file descriptor of the connection to the other arm.
        arm: The arm's name.
    """

    pytest: list[str]
    ids: list[str]
    root: str
    roots: list[str]
    paths: list[str]
    answer: str
    turns: int
    arm: str


class ProfileAnswer(msgspec.Struct, frozen=True):
    """An arm's answer: profiles by id, and why others could not be taken, by id."""

    profiles: dict[str, Sliced] = {}
    problems: dict[str, str] = {}


def profile_arms(
    places: Sequence[ArmPlace], words: Sequence[str], ids: Sequence[str], folder: Path
) -> tuple[dict[str, tuple[Profile | None, Profile | None]], list[str]]:
    """Profile benchmarks in base and head, at most 10.

    Args:
        places: Base and head.
        words: pytest's arguments in an arm.
        ids: The benchmarks.
        folder: The folder for files of the arms' processes.

    Returns:
        The profiles of base and head by id; and messages for the user, one line each.
    """
    chosen = list(ids[:MOST_BENCHMARKS])
    problems: list[str] = []
    if len(ids) > len(chosen):
        problems.append(f"{len(chosen)} of {len(ids)} benchmarks that regressed were profiled")
    if not chosen:
        return {}, problems
    # All at the same time: within a pair one arm waits for the other, and the influence of other pairs cancels out.
    pairs = [_start_pair(places, words, chosen, folder / f"profiles-{number}") for number in range(LAUNCHES)]
    answers = []
    for pair in pairs:
        new: list[str] = []
        base, head = (_answer(one, len(chosen), new) for one in pair)
        answers.append((base, head))
        problems += [problem for problem in new if problem not in problems]
    launches = [(base.profiles, head.profiles) for base, head in answers]
    found = {name: _joined(name, launches) for name in chosen}
    problems += [why for name, pair in found.items() if (why := _what_is_lacking(name, pair, answers)) is not None]
    return {name: pair for name, pair in found.items() if pair[1] is not None}, problems


def _what_is_lacking(
    name: str, pair: tuple[Profile | None, Profile | None], answers: Sequence[tuple[ProfileAnswer, ProfileAnswer]]
) -> str | None:
    """Describe what a benchmark's profile lacks, and why; None if it lacks nothing, even if single launches failed."""
    if None not in pair:
        return None
    lacking = 1 if pair[1] is None else 0
    why = next((arms[lacking].problems[name] for arms in answers if name in arms[lacking].problems), None)
    if why is None:  # an arm that ended early has reported that for all of its benchmarks
        return None
    if lacking == 1:
        return f"{name} was not profiled: {why}"
    return f"{name}: only head was profiled, so the report does not show which function grew: in base {why}"


def _start_pair(places: Sequence[ArmPlace], words: Sequence[str], ids: list[str], folder: Path) -> list[_ProfilingArm]:
    """Start profiling in a fresh pair of processes, which take turns."""
    folder.mkdir()
    ends = socket.socketpair()
    with ends[0], ends[1]:
        return [_started(place, words, ids, folder, end) for place, end in zip(places, ends, strict=True)]


def _joined(
    name: str, launches: Sequence[tuple[dict[str, Sliced], dict[str, Sliced]]]
) -> tuple[Profile | None, Profile | None]:
    """Combine the profiles of a benchmark from all launches; base may not have it."""
    pairs = [(base[name], head[name]) for base, head in launches if name in base and name in head]
    if pairs:
        return matched(pairs)
    alone = [head[name].profile for _, head in launches if name in head]
    return None, joined(alone) if alone else None


class _ProfilingArm(NamedTuple):
    """An arm's process, the file for its answer, and its log."""

    name: str
    process: subprocess.Popen[bytes]
    answer: Path
    log: Path


def _started(place: ArmPlace, words: Sequence[str], ids: list[str], folder: Path, end: socket.socket) -> _ProfilingArm:
    answer, log = (folder / f"{place.name}.{kind}" for kind in ("json", "log"))
    order = ProfileOrder(
        pytest=list(words),
        ids=ids,
        root=str(place.cwd),
        roots=[str(root) for root in place.roots],
        paths=list(place.paths),
        answer=str(answer),
        turns=end.fileno(),
        arm=place.name,
    )
    command = [sys.executable, *options_to_pass_on(), "-c", f"from {__name__} import main; main()"]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  # this interpreter
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd=place.cwd,
            env={**place.env, "PYTHONHASHSEED": HASH_SEED},
            pass_fds=[end.fileno()],
            start_new_session=True,  # Ctrl-C goes to this process; the arms notice when it ends
        )
    if process.stdin is not None:
        with process.stdin as orders:
            orders.write(msgspec.json.encode(order))
    return _ProfilingArm(place.name, process, answer, log)


def _answer(running: _ProfilingArm, benchmarks: int, problems: list[str]) -> ProfileAnswer:
    try:
        running.process.wait(START_SECONDS + SECONDS_PER_BENCHMARK * benchmarks)
    except subprocess.TimeoutExpired:
        _stop(running.process)
        problems.append(f"profiling in {running.name} took too long and was ended")
        return ProfileAnswer()
    try:
        found = msgspec.json.decode(running.answer.read_bytes(), type=ProfileAnswer)
    except (OSError, msgspec.DecodeError):
        last = running.log.read_text(errors="replace").strip().splitlines()[-1:] or ["it printed nothing"]
        problems.append(f"profiling in {running.name} failed: {last[0]}")
        return ProfileAnswer()
    return found


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main() -> None:
    """Run the profiling order read from standard input, then end all processes started by it."""
    descendants.adopt_orphans()
    descendants.end_with_parent(signal.SIGTERM)
    signal.signal(signal.SIGTERM, _end_at_once)
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=ProfileOrder)
    sys.path[:0] = order.paths  # with -I or -E, PYTHONPATH is ignored
    status = int(
        pytest.main([*order.pytest, f"--rootdir={order.root}"], plugins=[ProfilePlugin(order), SeededArm(HASH_SEED)])
    )
    run_exit_handlers(status)
    descendants.end_orphans()
    end_now(status)


def _end_at_once(*_: object) -> None:
    descendants.end_orphans()
    os._exit(1)


class ProfilePlugin:
    """The plugin object that runs only the wanted benchmarks, and profiles each."""

    def __init__(self, order: ProfileOrder) -> None:
        self._order = order
        self._items: list[pytest.Item] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Make the plugin pass all targets to the profiler."""
        turns = Turns(socket.socket(fileno=self._order.turns), leads=self._order.arm == BASE)
        roots = [Path(root) for root in self._order.roots]
        config.stash[harness_key] = ProfilingHarness(QuickHarness(), roots, turns.turn)
        config.option.jarvis_metrics = TIME.name  # metrics added by the project's ini file are not profiled

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the wanted benchmarks."""
        wanted = set(self._order.ids)
        items[:] = [item for item in items if item.nodeid in wanted]
        self._items = items

    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Request a profile, whatever the markers say."""
        if record_key in item.stash:
            item.stash[record_key].profile_request = profile_request(item, always=True)

    def pytest_sessionfinish(self) -> None:
        """Write the answer."""
        records = [item.stash[record_key] for item in self._items if record_key in item.stash]
        answer: dict[str, Any] = {
            "profiles": {record.id: record.profile for record in records if record.profile},
            "problems": {record.id: record.profile_problem for record in records if record.profile_problem},
        }
        Path(self._order.answer).write_bytes(msgspec.json.encode(answer))
