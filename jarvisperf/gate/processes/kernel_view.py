"""What the kernel says about a worker, whatever code runs in it: whether it is stopped, and its CPU time."""

from __future__ import annotations

import sys
import time

STOPPED = (b"T", b"t")  # by a signal; by a debugger
PER_PROCESS_CLOCK = 2  # CPUCLOCK_SCHED, see clock_getcpuclockid(3)


def is_stopped(process: int) -> bool:
    """Return whether a process is stopped, by SIGSTOP or a debugger; False where the system does not say."""
    try:
        with open(f"/proc/{process}/stat", "rb") as file:  # noqa: PTH123
            return file.read().rpartition(b")")[2].split()[0] in STOPPED
    except (OSError, IndexError):  # no /proc, or it has ended
        return False


def cpu_seconds(process: int) -> float | None:
    """Return the CPU time of a process with all its threads; None where the system does not say."""
    if sys.platform != "linux" or process <= 0:
        return None
    try:
        return time.clock_gettime((~process << 3) | PER_PROCESS_CLOCK)
    except OSError:  # it has ended
        return None
