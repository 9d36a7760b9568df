"""An arm's end of a lockstep run: talks to the coordinator, and takes samples when it asks for them."""

from __future__ import annotations

import os
from contextlib import contextmanager, nullcontext
from statistics import median
from typing import TYPE_CHECKING, Any

import msgspec

from jarvisperf.clocks import REAL, voluntary_switches
from jarvisperf.gate.processes import protocol
from jarvisperf.gate.proof.slowed import SlowedTarget
from jarvisperf.measure.metrics import TIME, OfProcesses, OfSingleCalls
from pytest_jarvisperf.arms.child_processes import ChildProcesses, with_arms_path
from pytest_jarvisperf.measuring.capture import capture_aside
from pytest_jarvisperf.measuring.harness import note_instruments

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping

    from jarvisperf.measure.metrics import MetricKind
    from jarvisperf.measure.sampling import Plan, Samples
    from jarvisperf.measure.side_by_side import Together
    from jarvisperf.measure.startup import Command
    from jarvisperf.measure.targets import Target
    from pytest_jarvisperf.measuring.randomness.generators import SeededRandomness
    from pytest_jarvisperf.measuring.record import BenchmarkRecord

RARE_WAITS = 0.1  # share of the slices: too few to say anything about the target

__tracebackhide__ = True  # the error comes from the user's function


class Conversation:
    """The worker's end of both connections: to the coordinator, and to the other worker.

    It is created, and binds what it calls, before any code of the project is loaded.
    """

    def __init__(self, connection: socket.socket, turns: socket.socket) -> None:
        self._channel = protocol.Channel(connection, protocol.FromCoordinator)
        self._send_byte = turns.send
        self._receive_byte = turns.recv
        self._exit = os._exit

    def send(self, message: protocol.FromWorker) -> None:
        """Send a message to the coordinator."""
        self._channel.send(message)

    def receive(self) -> Any:
        """Wait for a message from the coordinator; exit immediately if it is gone."""
        try:
            return self._channel.receive()
        except protocol.ChannelClosedError:
            self._exit(0)

    def give_turn(self, number: int) -> None:
        """Let the other worker take its slices."""
        self._send_byte(bytes([2 * number]))

    def leave_turns(self, number: int) -> None:
        """Tell the other worker that there are no more slices here, because the target raised."""
        self._send_byte(bytes([2 * number + 1]))

    def wait_turn(self, number: int) -> bool:
        """Wait until the other worker has taken its slices; exit immediately if it is gone.

        Returns:
            False if there are no more slices on the other side.
        """
        while got := self._receive_byte(1):
            if got[0] // 2 == number:
                return got[0] % 2 == 0
        return self._exit(0)


class LockstepHarness:
    """Takes samples of a test's target when the coordinator asks for them.

    Args:
        conversation: The connections to the coordinator and the other arm.
        randomness: Seeds this arm's generators.
        children: Checks the processes that this arm's tests start.
        slowdowns: By how much to slow the targets of tests, as shares by id; for proofs.

    Attributes:
        is_serving: Whether samples are being taken. After the end of a test this means that a thread is still taking
            them and cannot be stopped, because the test and its event loop were ended from outside.
    """

    def __init__(
        self,
        conversation: Conversation,
        randomness: SeededRandomness,
        children: ChildProcesses,
        slowdowns: Mapping[str, float],
    ) -> None:
        self._slowdowns = slowdowns
        self._conversation = conversation
        self._children = children
        self._randomness = randomness
        self.is_serving = False

    def time(self, record: BenchmarkRecord, target: Target, plan: Plan) -> tuple[Any, Samples]:
        """Time a target in lockstep; the result is that of its first call."""
        note_instruments(record)
        with record.watching_target():
            result = target.call()
            self._check_children(record)
            ready = protocol.Ready(TIME.name, target.fixed_iterations, own_clock=target.has_own_clock)
            samples, _ = self._serve(ready, self._slowed(record, target), pauses_collector=plan.pause_collector)
            return result, samples or _one_call(target)

    def rounds(self, record: BenchmarkRecord, target: Target, rounds: int, warmup_rounds: int) -> tuple[Any, Samples]:
        """Time a target with at most the given number of rounds in each process."""
        note_instruments(record)
        with record.watching_target():
            with capture_aside(replay=True):
                for _ in range(warmup_rounds):
                    target.sample(target.fixed_iterations or 1)
            if warmup_rounds:
                self._check_children(record)
            # If each round has a fresh state, any number is allowed; otherwise one is reserved for the result.
            most = None if target.sets_up and rounds > 1 else max(1, rounds - 1)
            ready = protocol.Ready(
                TIME.name, target.fixed_iterations, most_samples=most, own_clock=target.has_own_clock
            )
            samples, result = self._serve(ready, self._slowed(record, target))
            if samples is None:
                samples = _one_call(target)
            if not warmup_rounds:  # the first call already counts
                self._check_children(record)
            return (result if result is not _NOTHING else target.call()), samples

    def compare(self, record: BenchmarkRecord, together: Together, plan: Plan) -> dict[str, Any]:
        """Time all targets together in lockstep: the question is whether a change made any of them slower."""
        results: dict[str, Any] = self.time(record, together, plan)[0]
        return results

    def calls(self, record: BenchmarkRecord, kind: MetricKind, target: Target) -> Any:
        """Call the target as often as the coordinator asks for a value."""
        assert isinstance(kind.measurement, OfSingleCalls)  # noqa: S101  # the caller looked
        with record.watching_target():
            result = target.call()
        self._check_children(record)
        methods = kind.measurement.methods()
        self._conversation.send(self._with_draws(protocol.Ready(kind.name, 1, methods=methods)))
        with self._serving():
            while isinstance(self._conversation.receive(), protocol.Sample):
                with capture_aside():
                    values = kind.measurement.values(target, methods)
                self._conversation.send(protocol.Values(list(values)))
        return result

    def processes(self, record: BenchmarkRecord, kind: MetricKind, command: Command, budget_seconds: float) -> None:  # noqa: ARG002
        """Start a fresh process as often as the coordinator asks for a value."""
        from jarvisperf.measure.startup import Launcher

        measurement = kind.measurement
        assert isinstance(measurement, OfProcesses)  # noqa: S101  # the caller looked
        self._check_children(record)
        command = with_arms_path(command)
        with Launcher(command.env, command.cwd) as launcher:
            with record.watching_target():
                launcher.run(command.words)
            record.note(self._children.check(command))
            self._conversation.send(protocol.Ready(kind.name, 1, methods=measurement.methods))
            while isinstance(self._conversation.receive(), protocol.Sample):
                values = measurement.values(launcher.run(command.words), command, launcher.output)
                self._conversation.send(protocol.Values(list(values)))

    def _slowed(self, record: BenchmarkRecord, target: Target) -> Target:
        share = self._slowdowns.get(record.id)
        return SlowedTarget(target, share) if share else target

    def _with_draws(self, ready: protocol.Ready) -> protocol.Ready:
        """Add which random numbers were drawn so far, so the coordinator can see whether the arms' inputs are equal."""
        randomness = self._randomness
        randomness.unwatch()
        return msgspec.structs.replace(ready, drawn=randomness.state(), system_draws=randomness.system_draws)

    def _check_children(self, record: BenchmarkRecord) -> None:
        self._randomness.unwatch()  # later draws are our own
        for note in self._children.check_started():
            record.note(note)

    def _serve(
        self, ready: protocol.Ready, target: Target, *, pauses_collector: bool = True
    ) -> tuple[Samples | None, Any]:
        """Take samples until the coordinator has enough; return those taken in turns, and the last result seen."""
        from jarvisperf.measure.collector import collect_between_samples, collector_paused
        from jarvisperf.measure.instrumentation import uninstrumented
        from jarvisperf.measure.sampling import Samples

        taken: Samples | None = None
        result: Any = _NOTHING
        ready = self._with_draws(ready)
        with (
            self._serving(),
            uninstrumented(),
            collector_paused() if pauses_collector else nullcontext(),
            capture_aside(replay=ready.most_samples is not None),
        ):
            self._conversation.send(ready)
            while True:
                message = self._conversation.receive()
                waiting = 0.0
                if isinstance(message, protocol.Sample):
                    watch = _WaitWatch()
                    values = target.samples(message.iterations, 1, watch)
                    waiting = watch.usual_wait()
                elif isinstance(message, protocol.TakeTurns):
                    if not ready.own_clock:
                        target.use_clock(REAL.cpu if message.clock == "cpu" else REAL.wall)
                    try:
                        if ready.most_samples == 1 and target.fixed_iterations == 1:
                            values, result = self._single_turn(target, message)
                        elif message.together:
                            values = self._take_together(target, message)
                        else:
                            values, waiting = self._take_turns(target, message)
                    except BaseException:
                        self._conversation.leave_turns(message.number)
                        raise
                    iterations = message.iterations
                    if values:
                        taken = Samples(iterations, tuple(value / iterations for value in values))
                else:
                    return taken, result
                collect_between_samples()
                self._conversation.send(protocol.Values(values, waiting=waiting))

    @contextmanager
    def _serving(self) -> Iterator[None]:
        self.is_serving = True
        try:
            yield
        finally:
            self.is_serving = False

    def _take_turns(self, target: Target, turns: protocol.TakeTurns) -> tuple[list[float], float]:
        """Take one slice per block: A B, B A, A B, …, so each arm takes two in a row except at the start and the end.

        Returns:
            The median sample of each slice, and the share of time that the process waited voluntarily.
        """
        blocks, number, watch = turns.blocks, turns.number, _WaitWatch()
        wait_turn, give_turn = self._conversation.wait_turn, self._conversation.give_turn
        ends_the_round = turns.leads == (blocks % 2 == 0)
        values: list[float] = []
        run = 1 if turns.leads else 2
        goes_on = turns.leads or wait_turn(number)
        while goes_on:
            values += [
                median(target.samples(turns.iterations, turns.samples, watch))
                for _ in range(min(run, blocks - len(values)))
            ]
            run = 2
            goes_on = len(values) < blocks
            if goes_on or not ends_the_round:
                give_turn(number)
            goes_on = goes_on and wait_turn(number)
        return values, watch.usual_wait()

    def _take_together(self, target: Target, turns: protocol.TakeTurns) -> list[float]:
        """Take one slice per block, starting each at the same time as the other arm."""
        values: list[float] = []
        for _ in range(turns.blocks):
            self._conversation.give_turn(turns.number)
            if not self._conversation.wait_turn(turns.number):
                break
            values.append(median(target.samples(turns.iterations, turns.samples, nullcontext())))
        return values

    def _single_turn(self, target: Target, turns: protocol.TakeTurns) -> tuple[list[float], Any]:
        if not turns.leads and not self._conversation.wait_turn(turns.number):
            return [], _NOTHING
        seconds, result = target.timed_call()
        if turns.leads:
            self._conversation.give_turn(turns.number)
        return [seconds], result


_NOTHING = object()


class _WaitWatch:
    """Measures the share of wall time that the process spends off the CPU, if it yields the CPU voluntarily.

    Yielding is detected by voluntary context switches, see getrusage(2). It may be entered repeatedly.
    """

    __slots__ = ("_cpu", "_entered", "_switches", "_waits", "_wall")

    def __init__(self) -> None:
        self._waits: list[float] = []
        self._entered = 0

    def __enter__(self) -> None:
        self._entered += 1
        self._switches = voluntary_switches()
        self._cpu, self._wall = REAL.cpu(), REAL.wall()

    def __exit__(self, *_: object) -> None:
        if voluntary_switches() > self._switches:
            wall, cpu = REAL.wall() - self._wall, REAL.cpu() - self._cpu
            self._waits.append(max(0.0, 1 - cpu / max(wall, 1e-9)))

    def usual_wait(self) -> float:
        """Return the lower quartile of the waits, because in some slices other processes had the CPU."""
        often = len(self._waits) > RARE_WAITS * self._entered
        return sorted(self._waits)[len(self._waits) // 4] if often else 0.0


def _one_call(target: Target) -> Samples:
    from jarvisperf.measure.sampling import Samples

    iterations = target.fixed_iterations or 1
    return Samples(iterations, (target.sample(iterations) / iterations,))
