"""`startup`: the seconds of a fresh process from start to end, and its peak memory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from jarvisperf.measure.metrics.kind import MetricKind, OfProcesses
from jarvisperf.measure.metrics.memory import MEMORY
from jarvisperf.measure.metrics.units import SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jarvisperf.measure.startup import Command, ProcessSample


def _command(
    argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: str | os.PathLike[str] | None = None
) -> Command:
    """Return the command to start.

    Args:
        argv: The program and its arguments, like ``[sys.executable, "-c", "import json"]``.
        env: The environment of the processes; None: that of this process. In lockstep, the arm's folders are put first
            in its ``PYTHONPATH``.
        cwd: Their working folder; None: that of this process.

    Raises:
        TypeError: `argv` is not a list of str.
        ValueError: `argv` is empty.
    """
    from jarvisperf.measure.startup import Command, check_words

    return Command(tuple(check_words(argv)), env, None if cwd is None else os.fspath(cwd))


def _values(process: ProcessSample, _command: Command, _output: Callable[[], str]) -> tuple[float, float]:
    return process.seconds, float(process.peak_rss_bytes)


STARTUP = MetricKind(
    name="startup",
    unit=SECONDS,
    axis_label="time of a process",
    threshold=0.10,
    prior_deviation=0.10,
    floor_deviation=0.003,
    follows_machine=True,
    measurement=OfProcesses(methods=("whole process", "peak RSS"), command=_command, values=_values),
    also=(MEMORY,),
)
