"""Inside an arm: a pytest session that runs single tests on demand and lets the coordinator take the samples.

See `jarvisperf/gate/protocol.py` for the conversation and `jarvisperf/gate/nursery.py` for how the process begins.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import socket
import statistics
import sys
import threading
import time
import types
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from jarvisperf.gate import descendants, protocol
from pytest_jarvisperf.child_processes import ChildProcesses, with_arms_path
from pytest_jarvisperf.editable import move_editable_installations
from pytest_jarvisperf.exit_handlers import end_process, forget_inherited_handlers
from pytest_jarvisperf.foreign_modules import ForeignModules
from pytest_jarvisperf.record import Record, as_text, record_key
from pytest_jarvisperf.state import harness_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jarvisperf.bench.sampling import Plan, Samples
    from jarvisperf.bench.startup import Command, Launcher
    from jarvisperf.bench.targets import Target

RARE_WAITS = 0.1  # of the slices: so few say nothing of the target

__tracebackhide__ = True  # what raised is the user's function


def main(arm: Mapping[str, Any], args: Mapping[str, Any]) -> NoReturn:
    """Run as a worker: collect, answer the coordinator until it says goodbye, end the process.

    Args:
        arm: The nursery's description of this arm.
        args: ``pytest``: the arguments of pytest; ``packages``: dotted names of the project's packages, which must
            come from the arm's checkout; ``repository``: the working tree, from which nothing may come; ``filters``:
            the lines of pytest's ``filterwarnings``.
    """
    move_editable_installations(Path(args["repository"]).resolve(), Path(arm["roots"][0]).resolve())
    conversation = Conversation(socket.socket(fileno=arm["channel"]), socket.socket(fileno=arm["turns"]))
    roots = [Path(root).resolve() for root in arm["roots"]]
    foreign = ForeignModules(roots, args["packages"], Path(args["repository"]).resolve())
    plugin = WorkerPlugin(conversation, foreign, arm["core"], writes_bytecode=arm["writes_bytecode"])
    # Of equal length in both arms, and apart from pytest's numbered folders, of which only the last few are kept.
    temporary = Path(arm["log"]).with_suffix(".tmp")
    words = [*args["pytest"], *_known_filters(args.get("filters", []))]
    end_process(int(pytest.main([*words, f"--rootdir={arm['cwd']}", f"--basetemp={temporary}"], plugins=[plugin])))


def _known_filters(filters: Sequence[str]) -> list[str]:
    """Leave out the filters of warnings that this arm's code does not have: pytest would not start with them."""
    known = [line for line in filters if _is_known(line)]
    return [] if len(known) == len(filters) else ["-o", "filterwarnings=" + "\n".join(known)]


def _is_known(line: str) -> bool:
    from _pytest.config import parse_warning_filter

    try:
        parse_warning_filter(line, escape=False)
    except pytest.UsageError:
        return False
    return True


class Conversation:
    """The worker's end of both connections: to the coordinator, and to the other worker."""

    def __init__(self, connection: socket.socket, turns: socket.socket) -> None:
        self._channel = protocol.Channel(connection, protocol.FromCoordinator)
        self._turns = turns

    def send(self, message: protocol.FromWorker) -> None:
        """Send a message to the coordinator."""
        self._channel.send(message)

    def receive(self) -> Any:
        """Wait for the coordinator; when it is gone, end this process at once."""
        try:
            return self._channel.receive()
        except protocol.ChannelClosedError:
            os._exit(0)

    def give_turn(self, number: int) -> None:
        """Let the other worker take its slices."""
        self._turns.send(bytes([2 * number]))

    def leave_turns(self, number: int) -> None:
        """Tell the other worker that there are no more slices here: the target raised."""
        self._turns.send(bytes([2 * number + 1]))

    def wait_turn(self, number: int) -> bool:
        """Wait until the other worker has taken its slices; when it is gone, end this process at once.

        Returns:
            False where there are no more slices on the other side.
        """
        while got := self._turns.recv(1):
            if got[0] // 2 == number:
                return got[0] % 2 == 0
        os._exit(0)


class LockstepHarness:
    """Takes samples of a test's target as the coordinator asks for them."""

    def __init__(self, conversation: Conversation, children: ChildProcesses) -> None:
        self._conversation = conversation
        self._children = children

    def time(self, record: Record, target: Target, plan: Plan) -> tuple[Any, Samples]:  # noqa: ARG002
        """Time a target in lockstep; the result is that of its first call."""
        with self._children.watched():
            result = target.call()
        ready = protocol.Ready("time", target.fixed_iterations, own_clock=target.has_own_clock)
        samples, _ = self._serve(ready, target)
        return result, samples or _one_call(target)

    def rounds(self, record: Record, target: Target, rounds: int, warmup_rounds: int) -> tuple[Any, Samples]:  # noqa: ARG002
        """Time a target whose rounds its author decided: there are no more of them than that in any process."""
        with self._children.watched():
            for _ in range(warmup_rounds):
                target.sample(target.fixed_iterations or 1)
        # Where each round has a fresh state there may be as many as are wanted; one is kept for the result.
        most = None if target.sets_up and rounds > 1 else max(1, rounds - 1)
        ready = protocol.Ready("time", target.fixed_iterations, most_samples=most, own_clock=target.has_own_clock)
        samples, result = self._serve(ready, target)
        if samples is None:
            samples = _one_call(target)
        return (result if result is not _NOTHING else target.call()), samples

    def memory(self, record: Record, target: Target) -> Any:  # noqa: ARG002
        """Measure peak memory as often as the coordinator asks."""
        from jarvisperf.bench.memory import memory_method, peak_bytes

        result = target.call()
        method = memory_method()
        self._conversation.send(protocol.Ready("memory", 1, method=method))
        while isinstance(self._conversation.receive(), protocol.Sample):
            self._conversation.send(protocol.Values([float(peak_bytes(target, method))]))
        return result

    def startup(self, record: Record, command: Command, budget_seconds: float) -> None:  # noqa: ARG002
        """Start a fresh process as often as the coordinator asks."""
        from jarvisperf.bench.startup import Launcher

        command = with_arms_path(command)
        with Launcher(command.env, command.cwd) as launcher:
            launcher.run(command.words)
            self._children.check(command)
            self._conversation.send(protocol.Ready("startup", 1))
            while isinstance(self._conversation.receive(), protocol.Sample):
                self._conversation.send(_started(launcher, command.words))

    def _serve(self, ready: protocol.Ready, target: Target) -> tuple[Samples | None, Any]:
        """Take samples until the coordinator has enough; give those taken in turns, and the last result seen."""
        from jarvisperf.bench.collector import collect_between_samples, collector_paused
        from jarvisperf.bench.sampling import Samples
        from jarvisperf.bench.targets import uninstrumented

        taken: Samples | None = None
        result: Any = _NOTHING
        with uninstrumented(), collector_paused():
            self._conversation.send(ready)
            while True:
                message = self._conversation.receive()
                waiting = 0.0
                waits: list[float] = []
                if isinstance(message, protocol.Sample):
                    with _Watch(waits):
                        values = [target.sample(message.iterations)]
                    waiting = _usual_wait(waits, 1)
                elif isinstance(message, protocol.Turns):
                    if not ready.own_clock:
                        target.use_clock(time.process_time if message.clock == "cpu" else time.perf_counter)
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

    def _take_turns(self, target: Target, turns: protocol.Turns) -> tuple[list[float], float]:
        """Take one slice per block: A B, B A, A B, …, so each arm takes two at a time but for the first and last.

        Returns:
            The median sample of each slice, and how much of the time the process waited of its own accord.
        """
        iterations, blocks, samples = turns.iterations, turns.blocks, range(turns.samples)
        number, sample = turns.number, target.sample
        wait_turn, give_turn = self._conversation.wait_turn, self._conversation.give_turn
        ends_the_round = turns.leads == (blocks % 2 == 0)
        values: list[float] = []
        waits: list[float] = []
        run = 1 if turns.leads else 2
        goes_on = turns.leads or wait_turn(number)
        while goes_on:
            for _ in range(min(run, blocks - len(values))):
                with _Watch(waits):
                    taken = [sample(iterations) for _ in samples]
                values.append(statistics.median(taken))
            run = 2
            goes_on = len(values) < blocks
            if goes_on or not ends_the_round:
                give_turn(number)
            goes_on = goes_on and wait_turn(number)
        return values, _usual_wait(waits, blocks)

    def _take_together(self, target: Target, turns: protocol.Turns) -> list[float]:
        """Take one slice per block, beginning each at the same time as the other arm."""
        values: list[float] = []
        for _ in range(turns.blocks):
            self._conversation.give_turn(turns.number)
            if not self._conversation.wait_turn(turns.number):
                break
            values.append(statistics.median(target.sample(turns.iterations) for _ in range(turns.samples)))
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
    """Notes what share of the wall time the process spends off the processor, if it gives that up of its own accord.

    That it does is read from its voluntary context switches, see getrusage(2).
    """

    __slots__ = ("_cpu", "_notes", "_switches", "_wall")

    def __init__(self, notes: list[float]) -> None:
        self._notes = notes

    def __enter__(self) -> None:
        self._switches = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def __exit__(self, *_: object) -> None:
        if resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw > self._switches:
            wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
            self._notes.append(max(0.0, 1 - cpu / wall))


def _usual_wait(waits: list[float], slices: int) -> float:
    """Give the lower quartile of the waits: in some slices others had the processor, which looks like a wait."""
    return sorted(waits)[len(waits) // 4] if len(waits) > RARE_WAITS * slices else 0.0


def _one_call(target: Target) -> Samples:
    from jarvisperf.bench.sampling import Samples

    iterations = target.fixed_iterations or 1
    return Samples(iterations, (target.sample(iterations) / iterations,))


def _started(launcher: Launcher, argv: Sequence[str]) -> protocol.Values:
    sample = launcher.run(argv)
    return protocol.Values([sample.seconds], [float(sample.peak_rss_bytes)])


class WorkerPlugin:
    """Replaces pytest's loop over the tests by the coordinator's orders."""

    def __init__(
        self,
        conversation: Conversation,
        foreign: ForeignModules,
        core: int | None,
        *,
        writes_bytecode: bool,
    ) -> None:
        self._conversation = conversation
        self._writes_bytecode = writes_bytecode
        self._foreign = foreign
        self._children = ChildProcesses(foreign)
        self._core = core
        self._problems: dict[str, str] = {}
        self._reports: list[pytest.TestReport] = []
        self._lacks = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Have the plugin hand all targets to the coordinator."""
        config.stash[harness_key] = LockstepHarness(self._conversation, self._children)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note the files that could not be collected."""
        if report.failed:
            text = str(report.longrepr).strip()
            last = text.splitlines()[-1].removeprefix("E ").strip() if text else "could not be collected"
            self._problems[report.nodeid] = as_text(last)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run single tests as ordered."""
        items = {item.nodeid: item for item in session.items if record_key in item.stash}
        sys.dont_write_bytecode = not self._writes_bytecode  # what was collected is kept for the next launch
        gc.collect()
        gc.freeze()  # what collecting made stays to the end: later collections need not look at it
        descendants.adopt_orphans()  # those of the copies
        if self._core is not None:
            # Both arms on one core: two cores of a shared machine differ in speed from moment to moment.
            os.sched_setaffinity(0, {self._core})
        self._conversation.send(
            protocol.Collected(
                protocol.VERSION,
                list(items),
                self._problems,
                self._foreign.find(),
                forkable=threading.active_count() == 1,
            )
        )
        is_copy = False
        while not isinstance(order := self._conversation.receive(), protocol.Quit):
            if isinstance(order, protocol.Fork):
                is_copy = self._go_on_in_a_copy()
            else:
                self._run(items[order.id], items.get(order.next or ""))
        if is_copy:
            # Its fixtures are torn down, the session's end belongs to the original: it may remove what others need.
            end_process()
        return True

    def _go_on_in_a_copy(self) -> bool:
        """Fork: the copy takes the conversation over, the original listens again when the copy has ended.

        Returns:
            Whether this is the copy.
        """
        own = descendants.children()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that there are threads: those of numerical libraries
            copy = os.fork()
        if copy == 0:
            descendants.end_with_parent(signal.SIGKILL)
            forget_inherited_handlers()
            self._conversation.send(protocol.Forked())
            return True
        _, status = os.waitpid(copy, 0)
        descendants.end_orphans(spared=own)
        if status != 0:
            os._exit(70)  # which the coordinator sees as the end of the worker: the copy's last words are in the log
        self._conversation.send(protocol.Ended())
        return False

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """End at once, after the fixtures' teardown: what pytest and its plugins would still do serves nobody here."""
        end_process()

    @pytest.hookimpl(trylast=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Leave the reason in the log: a test has ended the session, by `pytest.exit` or as Ctrl-C would."""
        raised = excinfo.traceback[-1]
        sys.stderr.write(f"{raised.path}:{raised.lineno + 1}: {excinfo.exconly()}\n")

    def _run(self, item: pytest.Item, following: pytest.Item | None) -> None:
        self._reports = []
        self._lacks = False
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        record = item.stash[record_key]
        failed = next((report for report in self._reports if report.failed), None)
        skipped = next((report for report in self._reports if report.skipped), None)
        shown = failed or skipped
        self._conversation.send(
            protocol.Done(
                outcome="failed" if failed else "skipped" if skipped else "passed",
                message=as_text(_one_line(shown)) if shown else "",
                traceback=as_text(failed.longreprtext) if failed else "",
                xfail=next((as_text(report.wasxfail) for report in self._reports if hasattr(report, "wasxfail")), None),
                lacks=self._lacks,
                foreign=self._foreign.find(),
                notes=self._children.take_notes(),
                group=record.group,
                extra_info=record.extra_info,
            )
        )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Gather the reports of the test that runs."""
        self._reports.append(report)

    def pytest_exception_interact(self, call: pytest.CallInfo[None]) -> None:
        """Tell whether a failure means that something does not exist in this arm."""
        error = call.excinfo.value if call.excinfo else None
        missing_name = isinstance(error, AttributeError) and isinstance(error.obj, types.ModuleType)
        self._lacks = self._lacks or isinstance(error, ImportError) or missing_name


def _one_line(report: pytest.TestReport) -> str:
    if report.skipped and isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    message = str(crash.message if crash else report.longrepr).strip()
    return message.splitlines()[0] if message else report.outcome
