"""What the kernel says about a worker, whatever code runs in it: whether it is stopped, its CPU time, its libraries."""

from __future__ import annotations

import os
import sys
import time

from jarvisperf.gate.processes.descendants import open_file

STOPPED = (b"T", b"t")  # by a signal; by a debugger
PER_PROCESS_CLOCK = 2  # CPUCLOCK_SCHED, see clock_getcpuclockid(3)


def is_stopped(process: int) -> bool:
    """Return whether a process is stopped, by SIGSTOP or a debugger; False where the system does not say."""
    try:
        with open_file(f"/proc/{process}/stat", "rb") as file:
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


def mapped_code() -> set[str]:
    """Return the files whose machine code this process has loaded; none where the system does not say."""
    try:
        with open_file("/proc/self/maps", "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return set()
    mapped = (line.split(maxsplit=5) for line in lines)  # address, permissions, offset, device, inode, path
    places = (fields[5] for fields in mapped if len(fields) == 6 and b"x" in fields[1])
    return {os.fsdecode(place.removesuffix(b" (deleted)")) for place in places if place.startswith(b"/")}
