"""Other tools' tracers and profilers (coverage, debuggers, memory trackers): suspended during samples, or reported."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

MONITORING_TOOLS = range(6)  # the tool ids of sys.monitoring, see PEP 669

_here = threading.local()


@contextmanager
def uninstrumented() -> Iterator[None]:
    """Suspend tracers and profilers until the block ends, because they slow down what they watch.

    Tracers belong to a thread, `sys.monitoring` tools (Python 3.12 and later) to the whole interpreter. A profiler that
    could not be restored keeps running; see `remaining_instruments`.
    """
    tracer = sys.gettrace()
    profiler = sys.getprofile()
    events = _take_monitoring_events()
    sys.settrace(None)
    _take_off(profiler)
    outer, _here.is_uninstrumented = is_uninstrumented(), True
    try:
        yield
    finally:
        _here.is_uninstrumented = outer
        _put_back(profiler)
        for tool, those in events.items():
            sys.monitoring.set_events(tool, those)  # type: ignore[attr-defined,unused-ignore]
        sys.settrace(tracer)


def is_uninstrumented() -> bool:
    """Return whether this thread is inside an `uninstrumented` block."""
    return getattr(_here, "is_uninstrumented", False)


def remaining_instruments() -> list[str]:
    """List the tools that slow down the target and cannot be suspended; call it outside `uninstrumented`."""
    found = []
    profiler = sys.getprofile()
    if memray_is_tracking():
        found.append("memray")
    elif _is_fixed(profiler):
        found.append(type(profiler).__module__.partition(".")[0])
    tracemalloc = sys.modules.get("tracemalloc")
    if tracemalloc is not None and tracemalloc.is_tracing():
        found.append("tracemalloc")
    return found


def _take_monitoring_events() -> dict[int, int]:
    """Disable all global `sys.monitoring` events; return those that were enabled, by tool."""
    monitoring: Any = getattr(sys, "monitoring", None)
    if monitoring is None:
        return {}
    events = {tool: monitoring.get_events(tool) for tool in MONITORING_TOOLS if monitoring.get_tool(tool) is not None}
    for tool, those in events.items():
        if those:
            monitoring.set_events(tool, 0)
    return {tool: those for tool, those in events.items() if those}


def _can_pause(profiler: Any) -> bool:
    return hasattr(profiler, "enable") and hasattr(profiler, "disable")  # cProfile


def _is_fixed(profiler: Any) -> bool:
    """Return whether this profiler cannot be restored: Python does not expose the function of one written in C."""
    return memray_is_tracking() or not (profiler is None or callable(profiler) or _can_pause(profiler))


def memray_is_tracking() -> bool:
    """Return whether memray is tracking this process, judging by the profile function of new threads."""
    return (getattr(threading.getprofile(), "__module__", None) or "").partition(".")[0] == "memray"


def _take_off(profiler: Any) -> None:
    if profiler is None or _is_fixed(profiler):
        return
    if _can_pause(profiler):
        profiler.disable()
    else:
        sys.setprofile(None)


def _put_back(profiler: Any) -> None:
    if profiler is None or _is_fixed(profiler):
        return
    if _can_pause(profiler):
        profiler.enable()
    else:
        sys.setprofile(profiler)
