"""A pair of worker processes: starts them, exchanges messages with them, and ends them."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import random
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from jarvisperf.clocks import REAL
from jarvisperf.gate.processes.descendants import children
from jarvisperf.gate.processes.interpreter import options_to_pass_on
from jarvisperf.gate.processes.kernel_view import cpu_seconds, is_stopped
from jarvisperf.gate.processes.protocol import (
    Channel,
    ChannelClosedError,
    ChannelTimeoutError,
    Collected,
    Done,
    Ended,
    Fork,
    Forked,
    FromWorker,
    Quit,
    RunTest,
    Values,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Self

FORK_SERVER = Path(__file__).with_name("fork_server.py")
END_SECONDS = 10.0  # a worker that has not exited by then is killed
KILL_SECONDS = 6.0  # the fork server's time to end workers and their descendants; then all are killed
FORK_ANSWER_SECONDS = 120.0
SHOWN_LOG_CHARACTERS = 3_000
LOOK_SECONDS = 1.0  # how often a worker that does not answer is looked at
STOPPED_SECONDS = 5.0  # a worker that stays stopped for this long is not waited for
SILENT_SECONDS = 15.0  # a wait that lasts longer is announced
ENDLESS_CALL = "calls that take longer, or never return, cannot be compared"
ENDLESS_START = "importing and collecting the tests may not take longer"


class ArmPlace(msgspec.Struct, frozen=True):
    """The environment of an arm's worker.

    Attributes:
        name: Its name in messages: ``base`` or ``head``.
        roots: Folders that its modules may come from: its checkout, and its virtual environment if it has one.
        cwd: Its working folder: the checkout or a folder in it.
        paths: The first entries of its module search path.
        env: Its environment variables.
    """

    name: str
    roots: tuple[Path, ...]
    cwd: Path
    paths: tuple[str, ...]
    env: dict[str, str]


class WorkerError(RuntimeError):
    """A worker failed; the message names the arm and describes the failure."""


class NoAnswerError(WorkerError):
    """A worker did not answer in time; asking again would take as long."""


class TestEndedError(Exception):
    """A test ended instead of returning values: its target raised.

    Attributes:
        ends: How the test ended, by the name of each arm in which it did.
    """

    def __init__(self, ends: Mapping[str, Done]) -> None:
        super().__init__(", ".join(f"{name}: {end.message}" for name, end in ends.items()))
        self.ends = ends


class StoppedProcess(NamedTuple):
    """A process that does not run at the moment.

    Attributes:
        worker: The name of its worker.
        process: Its id.
        cpu_seconds: Its CPU time, which grows if it is only slowed by stops, as by `cpulimit`; None: unknown.
    """

    worker: str
    process: int
    cpu_seconds: float | None


class Worker:
    """The coordinator's end of one worker.

    Attributes:
        processes: The ids of its original and, while that waits for it, of its copy, which answers; empty: unknown.
        starting: Returns the ids of the processes that must run until it says its own.
        announce: Called once for a wait of more than 15 s, with the seconds after which it is given up.
    """

    def __init__(self, place: ArmPlace, connection: socket.socket, log: Path) -> None:
        self.name = place.name
        self.processes: tuple[int, ...] = ()
        self.starting: Callable[[], Sequence[int]] = tuple
        self.announce: Callable[[float], None] = _announce_nothing
        self._pair: Sequence[Worker] = (self,)
        self._channel = Channel(connection, FromWorker)
        self._log = log
        self._may_end = False
        self._log_start = 0

    def tell(self, message: msgspec.Struct) -> None:
        """Send a message.

        Raises:
            WorkerError: The worker is gone.
        """
        self._may_end = isinstance(message, Quit)
        if isinstance(message, RunTest):
            self._log_start = self._log.stat().st_size  # earlier output belongs to other benchmarks
        try:
            self._channel.send(message)
        except ChannelClosedError as error:
            raise WorkerError(self._obituary()) from error

    def hear(self, seconds: float) -> Any:
        """Wait for the worker's answer.

        Raises:
            NoAnswerError: No answer within that time, or one of the pair is stopped and remains stopped.
            WorkerError: The worker is gone.
        """
        begin = REAL.wall()
        waited, announced = 0.0, False
        stopped: StoppedProcess | None = None
        since = 0.0
        while True:
            try:
                answer = self._channel.receive(min(LOOK_SECONDS, max(0.001, seconds - waited)))
                break
            except ChannelTimeoutError:
                waited = REAL.wall() - begin
            except ChannelClosedError as error:
                raise WorkerError(self._obituary()) from error
            if waited >= seconds:
                raise NoAnswerError(
                    f"the {self.name} worker did not answer within {seconds:.0f} s and was ended: "
                    f"{ENDLESS_CALL if self.processes else ENDLESS_START}"
                )
            stopped, since = self._check_stopped(stopped, since, waited)
            if waited >= SILENT_SECONDS and not announced:
                announced = True
                self.announce(seconds)
        if isinstance(answer, Forked):
            self.processes = (*self.processes[:1], answer.process)
        elif isinstance(answer, Collected | Ended):
            self.processes = (answer.process,)
        if isinstance(answer, Ended) and not self._may_end:  # something ended the copy with status 0
            raise WorkerError(self._obituary())
        return answer

    def _check_stopped(
        self, before: StoppedProcess | None, since: float, waited: float
    ) -> tuple[StoppedProcess | None, float]:
        """Return which process of the pair is stopped, if one is, and since when.

        Args:
            before: The same at the last look.
            since: Seconds from the beginning of the wait until it was first seen so.
            waited: Seconds from the beginning of the wait until now.

        Raises:
            NoAnswerError: It has been stopped for too long.
        """
        now = next(filter(None, (worker.stopped() for worker in self._pair)), None)
        if now is None or now != before:
            return now, waited
        if waited - since >= STOPPED_SECONDS:
            raise NoAnswerError(
                f"the {now.worker} worker was stopped, by SIGSTOP or a debugger, for {STOPPED_SECONDS:.0f} s and was "
                "ended: a process that does not run cannot be compared"
            )
        return now, since

    def stopped(self) -> StoppedProcess | None:
        """Return which of its processes is stopped, also while it starts; None if none is."""
        found = next(filter(is_stopped, self.processes or self.starting()), None)
        return None if found is None else StoppedProcess(self.name, found, cpu_seconds(found))

    def is_paired_with(self, workers: Sequence[Worker]) -> None:
        """Remember the workers of its pair, itself included; if one of them is stopped, none of them answers."""
        self._pair = workers

    def ask(self, message: msgspec.Struct, seconds: float) -> Any:
        """Send a message and wait for the answer.

        Raises:
            WorkerError: The worker is gone, or did not answer in time.
        """
        self.tell(message)
        return self.hear(seconds)

    def ask_values(self, message: msgspec.Struct, seconds: float) -> Values:
        """Send a message that asks for values, and wait for them.

        Raises:
            TestEndedError: The target raised instead.
            WorkerError: The worker is gone, or did not answer in time.
        """
        answer = self.ask(message, seconds)
        if isinstance(answer, Done):
            raise TestEndedError({self.name: answer})
        values: Values = answer
        return values

    def close(self) -> None:
        """Tell the worker to quit, and close the connection."""
        with contextlib.suppress(ChannelClosedError):
            self._channel.send(Quit())
        self._channel.close()

    def _obituary(self) -> str:
        with contextlib.suppress(OSError):
            output = self._log.read_bytes()[self._log_start :].decode(errors="replace")
            last = output.strip()[-SHOWN_LOG_CHARACTERS:]
            if last:
                reason = last.splitlines()[-1].removeprefix("E ").strip()  # pytest marks errors with an E
                return f"the {self.name} worker ended: {reason}\nits last output:\n{last}"
        return f"the {self.name} worker ended without any output: it was killed, ran out of memory, or called os._exit"


def _announce_nothing(_: float) -> None:
    pass


class WorkerPair:
    """A running pair of workers; a context manager that ends them.

    Args:
        places: The environments of the two workers.
        entry: ``module:function`` that a worker calls with its arm and the arguments.
        args: Arguments for both, plain data.
        seed: The launch's number. It is the hash seed of both workers, and decides which is forked first.
        folder: The folder for logs.
        core: The CPU to pin both to while they measure; None: not pinned.
        preload: Modules to import once for both, before the fork.
        python: The interpreter.
        under: The command under which it runs; empty: none.
    """

    def __init__(
        self,
        places: Sequence[ArmPlace],
        entry: str,
        args: Mapping[str, Any],
        seed: int,
        folder: Path,
        core: int | None,
        preload: Sequence[str] = (),
        python: str = sys.executable,
        under: Sequence[str] = (),
    ) -> None:
        self.seed = seed
        self.core = core
        self.killed = False
        order = list(range(len(places)))
        random.Random(seed).shuffle(order)  # noqa: S311  # chooses which arm is forked first; no cryptography
        channels = [socket.socketpair() for _ in places]
        turns = socket.socketpair()
        logs = [folder / f"{place.name}-{seed}.log" for place in places]
        arms = [
            {
                "name": places[which].name,
                "roots": [str(root) for root in places[which].roots],
                "cwd": str(places[which].cwd),
                "paths": list(places[which].paths),
                "env": {**places[which].env, "PYTHONHASHSEED": str(seed)},
                "log": str(logs[which]),
                "channel": channels[which][1].fileno(),
                "turns": turns[which].fileno(),
                "core": core,
                "writes_bytecode": not sys.dont_write_bytecode,
            }
            for which in order
        ]
        descriptors = [end.fileno() for pair in (*(channel[1:] for channel in channels), turns) for end in pair]
        env = {**places[0].env, "PYTHONHASHSEED": str(seed)}
        env.pop("PYTHONPATH", None)  # each worker sets its own
        env.pop("PYTHONDONTWRITEBYTECODE", None)  # otherwise every launch would compile the project again
        self._fork_server = subprocess.Popen(  # noqa: S603
            [*under, python, "-P", *options_to_pass_on(), str(FORK_SERVER)],
            stdin=subprocess.PIPE,
            pass_fds=descriptors,
            env=env,
            cwd=folder,
            start_new_session=True,  # Ctrl-C goes to the coordinator, which ends the workers in order
        )
        for pair in channels:
            pair[1].close()
        for end in turns:
            end.close()
        self.workers = [Worker(place, pair[0], log) for place, pair, log in zip(places, channels, logs, strict=True)]
        for number, worker in enumerate(self.workers):
            worker.is_paired_with(self.workers)
            worker.starting = functools.partial(self._starting, order.index(number))
        assert self._fork_server.stdin is not None  # noqa: S101  # asked for above
        with contextlib.suppress(BrokenPipeError):  # it has exited already; the workers' missing answers will show it
            config = {
                "arms": arms,
                "entry": entry,
                "args": dict(args),
                "preload": list(preload),
            }
            self._fork_server.stdin.write(json.dumps(config).encode())
            self._fork_server.stdin.close()

    def _starting(self, turn: int) -> tuple[int, ...]:
        """Return the processes that start a worker: the fork server and, once it has forked it, the worker itself.

        Args:
            turn: Its number in the order of forking.
        """
        server = self._fork_server.pid
        return (server, *sorted(children(server))[turn : turn + 1])  # later processes have higher numbers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ask both workers to end; kill one that does not."""
        self.dismiss()
        self.reap()

    def dismiss(self) -> None:
        """Ask both workers to end, without waiting for them to tear down their fixtures."""
        for worker in self.workers:
            worker.close()

    def reap(self) -> None:
        """Wait for dismissed workers to end; kill one that does not."""
        try:
            status = self._fork_server.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill()
        else:
            if status != 0:  # it could not end every process that the workers left
                self._kill_group()

    def fork(self) -> None:
        """Make both workers continue in forked copies of themselves.

        Raises:
            WorkerError: A worker is gone or does not answer.
        """
        self._ask_all(Fork())

    def unfork(self) -> None:
        """End the copies, with the teardown of their fixtures.

        Raises:
            WorkerError: A worker is gone or does not answer.
        """
        self._ask_all(Quit())

    def _ask_all(self, message: msgspec.Struct) -> None:
        for worker in self.workers:
            worker.tell(message)
        for worker in self.workers:
            worker.hear(FORK_ANSWER_SECONDS)

    def kill(self) -> None:
        """Kill both workers immediately."""
        self.killed = True
        self._kill()
        for worker in self.workers:
            worker.close()

    def _kill(self) -> None:
        self._fork_server.terminate()
        try:
            self._fork_server.wait(KILL_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill_group()
            with contextlib.suppress(subprocess.TimeoutExpired):  # it hangs in the kernel, which nothing ends
                self._fork_server.wait(KILL_SECONDS)

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._fork_server.pid, signal.SIGKILL)
