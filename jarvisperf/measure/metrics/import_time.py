"""`import_time`: the seconds a fresh process takes to import a module, including everything the module imports."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from jarvisperf.measure.metrics.kind import MetricKind, OfProcesses
from jarvisperf.measure.metrics.units import SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from jarvisperf.measure.startup import Command, ProcessSample

MICROSECOND = 1e-6


def _command(module: str) -> Command:
    """Return the command that imports a module; its module search path is that of this process.

    Args:
        module: The module's dotted name, like ``"json"`` or ``"package.module"``.

    Raises:
        TypeError: `module` is not a string.
        ValueError: It is not a dotted name.
    """
    from jarvisperf.measure.startup import Command

    if not isinstance(module, str):
        raise TypeError(f"import_time takes a module's name, like 'json'; got {module!r}")
    if not all(part.isidentifier() for part in module.split(".")):
        raise ValueError(f"{module!r} is not a module's name; expected one like 'json' or 'package.module'")
    path = os.pathsep.join(dict.fromkeys(filter(None, sys.path)))
    words = (sys.executable, "-X", "importtime", "-c", f"import {module}")
    return Command(words, {**os.environ, "PYTHONPATH": path})


def _values(_process: ProcessSample, command: Command, output: Callable[[], str]) -> tuple[float]:
    """Read the cumulative time of the module from the output of ``-X importtime``."""
    module = command.words[-1].removeprefix("import ")
    for line in output().splitlines():
        if line.startswith("import time:"):
            _, cumulative, name = line.split("|")
            if name.strip() == module:
                return (int(cumulative) * MICROSECOND,)
    raise ValueError(f"{module!r} is built into the interpreter: python -X importtime shows no time for it")


IMPORT_TIME = MetricKind(
    name="import_time",
    unit=SECONDS,
    axis_label="time of an import",
    threshold=0.10,
    prior_deviation=0.10,
    floor_deviation=0.003,
    smallest=MICROSECOND,
    follows_machine=True,
    measurement=OfProcesses(methods=("python -X importtime",), command=_command, values=_values),
)
