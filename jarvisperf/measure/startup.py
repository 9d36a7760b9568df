"""Fresh processes: how long they run and how much memory they use at their peak.

A process started from a large one inherits its peak resident size (the kernel keeps the larger value across `execve`,
see getrusage(2)), and forking takes longer the larger the parent is. A small launcher therefore starts the processes,
one at a time, and reports the duration and resource usage of each.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING, Self, TypeVar

import msgspec

from jarvisperf.clocks import REAL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jarvisperf.measure.targets.call_targets import Clock

T = TypeVar("T")

SHOWN_OUTPUT_CHARACTERS = 2_000
SHOWN_COMMAND_CHARACTERS = 100
FEWEST_PROCESSES, MOST_PROCESSES = 3, 20

# Imports nothing else, because its own size is the lower bound of every peak it reports.
_LAUNCHER = """
import json, os, sys, time
for line in sys.stdin:
    job = json.loads(line)
    out = os.open(job["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    actions = [(os.POSIX_SPAWN_DUP2, out, 1), (os.POSIX_SPAWN_DUP2, out, 2), (os.POSIX_SPAWN_CLOSE, 0)]
    start = time.perf_counter()
    try:
        env = os.environ if job["env"] is None else job["env"]
        pid = os.posix_spawnp(job["argv"][0], job["argv"], env, file_actions=actions)
    except OSError as error:
        answer = {"problem": error.strerror}
    else:
        _, status, usage = os.wait4(pid, 0)
        seconds = time.perf_counter() - start
        answer = {"seconds": seconds, "code": os.waitstatus_to_exitcode(status), "rss": usage.ru_maxrss}
    os.close(out)
    print(json.dumps(answer), flush=True)
"""


class ProcessFailedError(RuntimeError):
    """A measured process could not be started or failed; the message shows its last output."""


class Command(msgspec.Struct, frozen=True):
    """A program and how to start it.

    Attributes:
        words: The program and its arguments.
        env: Its environment; None: that of this process.
        cwd: Its working folder; None: that of this process.
    """

    words: tuple[str, ...]
    env: Mapping[str, str] | None = None
    cwd: str | None = None

    @property
    def shown(self) -> str:
        """The command as messages show it."""
        text = shlex.join(self.words)
        return text if len(text) <= SHOWN_COMMAND_CHARACTERS else f"{text[: SHOWN_COMMAND_CHARACTERS - 1]}…"


class ProcessSample(msgspec.Struct, frozen=True):
    """The figures of one process.

    Attributes:
        seconds: From its start to its end.
        peak_rss_bytes: Its peak resident size.
    """

    seconds: float
    peak_rss_bytes: int


def measure_processes(
    command: Command,
    budget_seconds: float,
    values: Callable[[ProcessSample, Command, Callable[[], str]], T],
    clock: Clock = REAL.wall,
) -> list[T]:
    """Measure fresh processes: one to warm up, then as many as fit into the budget, between 3 and 20.

    Args:
        command: The command to start.
        budget_seconds: Time for all samples together.
        values: Returns the values to keep for a process, given its figures, the command, and a function that returns
            its output.
        clock: Returns seconds; the budget is counted with it.

    Raises:
        ProcessFailedError: A process could not be started or failed.
    """
    taken: list[T] = []
    with Launcher(command.env, command.cwd) as launcher:
        launcher.run(command.words)
        end = clock() + budget_seconds
        while len(taken) < FEWEST_PROCESSES or (clock() < end and len(taken) < MOST_PROCESSES):
            taken.append(values(launcher.run(command.words), command, launcher.output))
    return taken


def measure_startup(argv: Sequence[str], budget_seconds: float, clock: Clock = REAL.wall) -> list[ProcessSample]:
    """Measure fresh processes with this process's environment and working folder; see `measure_processes`."""
    return measure_processes(Command(tuple(check_words(argv))), budget_seconds, lambda sample, *_: sample, clock)


class Launcher:
    """A small process that starts and times others, one at a time.

    Args:
        env: The environment of the processes; None: that of this process.
        cwd: Their working folder; None: that of this process.

    Raises:
        ProcessFailedError: This system cannot start and time processes in this way.
    """

    def __init__(self, env: Mapping[str, str] | None = None, cwd: str | Path | None = None) -> None:
        if not hasattr(os, "posix_spawn"):
            raise ProcessFailedError("startup benchmarks need os.posix_spawn, which this system does not have")
        self._env = None if env is None else dict(env)
        self._launcher = subprocess.Popen(  # noqa: S603  # this interpreter, running the source above
            [sys.executable, "-I", "-S", "-c", _LAUNCHER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=cwd,
            text=True,
        )
        handle, self._output = tempfile.mkstemp(prefix="jarvisperf-startup-")
        os.close(handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def run(self, argv: Sequence[str]) -> ProcessSample:
        """Start a process, wait for it to end and return its figures.

        Args:
            argv: The program and its arguments.

        Raises:
            TypeError: `argv` is not a list of str.
            ValueError: `argv` is empty.
            ProcessFailedError: The process could not be started, or its exit status was not 0.
        """
        words = check_words(argv)
        job = {"argv": words, "env": self._env, "output": self._output}
        self._pipe(self._launcher.stdin).write(json.dumps(job) + "\n")
        self._pipe(self._launcher.stdin).flush()
        answer = json.loads(self._pipe(self._launcher.stdout).readline() or '{"problem": "the launcher ended"}')
        if "problem" in answer:
            raise ProcessFailedError(f"cannot start {words[0]!r}: {answer['problem']}")
        if answer["code"] != 0:
            last = self.output().strip()[-SHOWN_OUTPUT_CHARACTERS:] or "it printed nothing"
            raise ProcessFailedError(f"{' '.join(words)[:200]} ended with status {answer['code']}: {last}")
        unit_bytes = 1 if sys.platform == "darwin" else 1024  # getrusage(2): bytes on macOS, kilobytes elsewhere
        return ProcessSample(seconds=answer["seconds"], peak_rss_bytes=answer["rss"] * unit_bytes)

    def close(self) -> None:
        """End the launcher."""
        self._launcher.terminate()
        self._launcher.communicate()
        os.unlink(self._output)  # noqa: PTH108

    def output(self) -> str:
        """Return what the latest process wrote to standard output and standard error."""
        with open(self._output, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return file.read()

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None  # noqa: S101  # all pipes are requested above
        return pipe


def check_words(argv: Sequence[str]) -> list[str]:
    """Return the words of a command as text.

    Raises:
        TypeError: `argv` is not a list of str.
        ValueError: `argv` is empty.
    """
    problem = f"argv is {argv!r}: give a list of str, like [sys.executable, '-c', 'pass']"
    if isinstance(argv, str | bytes) or not isinstance(argv, Sequence):
        raise TypeError(problem)
    if not argv:
        raise ValueError(problem)
    return [str(word) for word in argv]
