"""Takes samples of a test's target as the coordinator of a lockstep run asks for them."""

from __future__ import annotations

import resource
import statistics
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import msgspec

from jarvisperf.clocks import REAL
from jarvisperf.gate.processes import protocol
from pytest_jarvisperf.arms.child_processes import ChildProcesses, with_arms_path
from pytest_jarvisperf.measuring.capture import capture_aside
from pytest_jarvisperf.measuring.harness import note_instruments

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jarvisperf.measure.sampling import Plan, Samples
    from jarvisperf.measure.startup import Command, Launcher
    from jarvisperf.measure.targets import Target
    from pytest_jarvisperf.arms.conversation import Conversation
    from pytest_jarvisperf.measuring.randomness import SeededRandomness
    from pytest_jarvisperf.measuring.record import Record

RARE_WAITS = 0.1  # of the slices: so few say nothing of the target

__tracebackhide__ = True  # what raised is the user's function


class LockstepHarness:
    """Takes samples of a test's target as the coordinator asks for them.

    Args:
        conversation: With the coordinator and the other arm.
        randomness: What stands behind this arm's generators.
        children: The processes that this arm's tests start.

    Attributes:
        is_serving: Whether samples are being taken. After the end of a test it means that a thread still takes them,
            which nobody can end: the test was ended from outside, and its event loop too.
    """

    def __init__(self, conversation: Conversation, randomness: SeededRandomness, children: ChildProcesses) -> None:
        self._conversation = conversation
        self._children = children
        self._randomness = randomness
        self.is_serving = False

    def time(self, record: Record, target: Target, plan: Plan) -> tuple[Any, Samples]:
        """Time a target in lockstep; the result is that of its first call."""
        note_instruments(record)
        with record.watching_target():
            result = target.call()
            self._check_children(record)
            ready = protocol.Ready("time", target.fixed_iterations, own_clock=target.has_own_clock)
            samples, _ = self._serve(ready, target, pauses_collector=plan.pause_collector)
            return result, samples or _one_call(target)

    def rounds(self, record: Record, target: Target, rounds: int, warmup_rounds: int) -> tuple[Any, Samples]:
        """Time a target whose rounds its author decided: there are no more of them than that in any process."""
        note_instruments(record)
        with record.watching_target():
            with capture_aside(replay=True):
                for _ in range(warmup_rounds):
                    target.sample(target.fixed_iterations or 1)
            if warmup_rounds:
                self._check_children(record)
            # Where each round has a fresh state there may be as many as are wanted; one is kept for the result.
            most = None if target.sets_up and rounds > 1 else max(1, rounds - 1)
            ready = protocol.Ready("time", target.fixed_iterations, most_samples=most, own_clock=target.has_own_clock)
            samples, result = self._serve(ready, target)
            if samples is None:
                samples = _one_call(target)
            if not warmup_rounds:  # the first call was one of those that count
                self._check_children(record)
            return (result if result is not _NOTHING else target.call()), samples

    def memory(self, record: Record, target: Target) -> Any:
        """Measure peak memory as often as the coordinator asks."""
        from jarvisperf.measure.memory import memory_method, peak_bytes

        with record.watching_target():
            result = target.call()
        self._check_children(record)
        method = memory_method()
        self._conversation.send(self._with_draws(protocol.Ready("memory", 1, method=method)))
        with self._serving():
            while isinstance(self._conversation.receive(), protocol.Sample):
                with capture_aside():
                    peak = peak_bytes(target, method)
                self._conversation.send(protocol.Values([float(peak)]))
        return result

    def startup(self, record: Record, command: Command, budget_seconds: float) -> None:  # noqa: ARG002
        """Start a fresh process as often as the coordinator asks."""
        from jarvisperf.measure.startup import Launcher

        self._check_children(record)
        command = with_arms_path(command)
        with Launcher(command.env, command.cwd) as launcher:
            with record.watching_target():
                launcher.run(command.words)
            record.note(self._children.check(command))
            self._conversation.send(protocol.Ready("startup", 1))
            while isinstance(self._conversation.receive(), protocol.Sample):
                self._conversation.send(_started(launcher, command.words))

    def _with_draws(self, ready: protocol.Ready) -> protocol.Ready:
        """Say what was drawn so far, which tells the coordinator whether both arms have the same inputs."""
        randomness = self._randomness
        randomness.unwatch()
        return msgspec.structs.replace(ready, drawn=randomness.state(), system_draws=randomness.system_draws)

    def _check_children(self, record: Record) -> None:
        self._randomness.unwatch()  # what is drawn from here on is ours
        for note in self._children.check_started():
            record.note(note)

    def _serve(
        self, ready: protocol.Ready, target: Target, *, pauses_collector: bool = True
    ) -> tuple[Samples | None, Any]:
        """Take samples until the coordinator has enough; give those taken in turns, and the last result seen."""
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
                    watch = _Watch()
                    values = target.samples(message.iterations, 1, watch)
                    waiting = watch.usual_wait()
                elif isinstance(message, protocol.Turns):
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

    def _take_turns(self, target: Target, turns: protocol.Turns) -> tuple[list[float], float]:
        """Take one slice per block: A B, B A, A B, …, so each arm takes two at a time but for the first and last.

        Returns:
            The median sample of each slice, and how much of the time the process waited voluntarily.
        """
        blocks, number, watch = turns.blocks, turns.number, _Watch()
        wait_turn, give_turn = self._conversation.wait_turn, self._conversation.give_turn
        ends_the_round = turns.leads == (blocks % 2 == 0)
        values: list[float] = []
        run = 1 if turns.leads else 2
        goes_on = turns.leads or wait_turn(number)
        while goes_on:
            values += [
                statistics.median(target.samples(turns.iterations, turns.samples, watch))
                for _ in range(min(run, blocks - len(values)))
            ]
            run = 2
            goes_on = len(values) < blocks
            if goes_on or not ends_the_round:
                give_turn(number)
            goes_on = goes_on and wait_turn(number)
        return values, watch.usual_wait()

    def _take_together(self, target: Target, turns: protocol.Turns) -> list[float]:
        """Take one slice per block, beginning each at the same time as the other arm."""
        values: list[float] = []
        for _ in range(turns.blocks):
            self._conversation.give_turn(turns.number)
            if not self._conversation.wait_turn(turns.number):
                break
            values.append(statistics.median(target.samples(turns.iterations, turns.samples, nullcontext())))
        return values

    def _single_turn(self, target: Target, turns: protocol.Turns) -> tuple[list[float], Any]:
        if not turns.leads and not self._conversation.wait_turn(turns.number):
            return [], _NOTHING
        seconds, result = target.timed_call()
        if turns.leads:
            self._conversation.give_turn(turns.number)
        return [seconds], result


_NOTHING = object()


class _Watch:
    """Notes what share of the wall time the process spends off the processor, if it gives that up voluntarily.

    That it does is read from its voluntary context switches, see getrusage(2). It may be entered repeatedly.
    """

    __slots__ = ("_cpu", "_entered", "_switches", "_waits", "_wall")

    def __init__(self) -> None:
        self._waits: list[float] = []
        self._entered = 0

    def __enter__(self) -> None:
        self._entered += 1
        self._switches = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
        self._cpu, self._wall = REAL.cpu(), REAL.wall()

    def __exit__(self, *_: object) -> None:
        if resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw > self._switches:
            wall, cpu = REAL.wall() - self._wall, REAL.cpu() - self._cpu
            self._waits.append(max(0.0, 1 - cpu / max(wall, 1e-9)))

    def usual_wait(self) -> float:
        """Give the lower quartile of the waits: in some slices others had the processor, which looks like a wait."""
        often = len(self._waits) > RARE_WAITS * self._entered
        return sorted(self._waits)[len(self._waits) // 4] if often else 0.0


def _one_call(target: Target) -> Samples:
    from jarvisperf.measure.sampling import Samples

    iterations = target.fixed_iterations or 1
    return Samples(iterations, (target.sample(iterations) / iterations,))


def _started(launcher: Launcher, argv: Sequence[str]) -> protocol.Values:
    sample = launcher.run(argv)
    return protocol.Values([sample.seconds], [float(sample.peak_rss_bytes)])
