"""Lists what pytest runs inside tests leave out: plugins that load slowly, and report formats that load matplotlib.

They are loaded by pytest itself, by each arm of each launch, and when base's tests are listed; without them, a lockstep
comparison takes half the CPU time.
"""

from __future__ import annotations

import os
from pathlib import Path

UNUSED_PLUGINS = (
    "anyio",
    "asyncio",
    "hypothesispytest",
    "platformdirs",
    "pytest_cov",
    "time_machine",
    "valkey",
    "xdist",
    "xdist.looponfail",
)
WITHOUT_PLUGINS = tuple(word for name in UNUSED_PLUGINS for word in ("-p", f"no:{name}"))
WITHOUT_PICTURES = ("--jarvis-report-formats=json",)
WITHOUT_WITNESS = ("--jarvis-witness=never",)  # launches under valgrind take many times as long
LIGHT = (*WITHOUT_PLUGINS, *WITHOUT_PICTURES, *WITHOUT_WITNESS)

# Plugins of `inner_plugins`; they need the path below.
INNER_PLUGINS = str(Path(__file__).with_name("inner_plugins"))
SHORT_PROFILES = ("-p", "short_profiles")
NO_CONTROL = ("-p", "no_control")
NO_REASONS = ("-p", "no_reasons")
WITH_ASYNCIO = ("-p", "asyncio")
TIMED_BY_WORK = ("-p", "work_clock")  # for projects with `stranger.CLOCKED_WORK`


def path_with_inner_plugins() -> str:
    """PYTHONPATH with the folder of the plugins that tests give to inner pytests."""
    return os.pathsep.join(filter(None, [INNER_PLUGINS, os.environ.get("PYTHONPATH")]))
