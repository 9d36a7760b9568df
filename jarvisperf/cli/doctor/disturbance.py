"""What disturbs measurements on this machine at the moment: load, stolen time, frequency scaling."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from jarvisperf.cores import usable_cores
from jarvisperf.measure.noise import NOISY_SHARE, QUIET_SHARE
from jarvisperf.runs.machine import load_average

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from jarvisperf.measure.noise import Noise

Word = Literal["quiet", "fair", "noisy"]
STEAL_FIELD, TOTAL_FIELDS = 7, 8  # of the first line of /proc/stat; the guests' fields are part of others
FAIR_LOAD, NOISY_LOAD = 0.5, 1.0  # other runnable processes per processor
FAIR_LOST, NOISY_LOST = 0.02, 0.1
LOAD_FILE, STAT_FILE = Path("/proc/loadavg"), Path("/proc/stat")
CPU_FILES = "/sys/devices/system/cpu/cpu*/cpufreq/"


class Disturbance(msgspec.Struct, frozen=True):
    """What disturbed the measurement.

    Attributes:
        running: Other processes that wanted a processor, on average; None if unknown.
        load: The load average of the last minute; None if unknown.
        stolen: Share of processor time that the hypervisor gave to others; None if unknown.
        frequencies_mhz: The lowest and highest frequency seen, in MHz; None if unknown.
        cpus: The processors that this process may use.
    """

    running: float | None
    load: float | None
    stolen: float | None
    frequencies_mhz: tuple[float, float] | None
    cpus: int


class Watch:
    """Reads the system's counters before and after a measurement, as a context manager.

    Attributes:
        found: The disturbance, once the measurement is over.
    """

    found: Disturbance

    def __enter__(self) -> Self:
        """Read the counters."""
        self._ticks = _ticks()
        self._running = [_running()]
        self._frequencies = _frequencies()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Read the counters again."""
        self._running.append(_running())
        self._frequencies += _frequencies()
        running = [count for count in self._running if count is not None]
        self.found = Disturbance(
            running=sum(running) / len(running) if running else None,
            load=load_average(),
            stolen=_stolen(self._ticks, _ticks()),
            frequencies_mhz=(min(self._frequencies), max(self._frequencies)) if self._frequencies else None,
            cpus=usable_cores(),
        )


def word_for(noise: Noise, disturbance: Disturbance) -> Word:
    """Say in one word how noisy the machine is: the worst of what the samples, the load and the lost time say.

    Samples alone do not tell: on a busy machine all of them are slow alike, until the load changes.
    """
    loads = [value / disturbance.cpus for value in (disturbance.running, disturbance.load) if value is not None]
    lost = max(noise.lost, disturbance.stolen or 0.0)
    load = max(loads, default=0.0)
    if noise.between >= NOISY_SHARE or load >= NOISY_LOAD or lost >= NOISY_LOST:
        return "noisy"
    if noise.between >= QUIET_SHARE or load >= FAIR_LOAD or lost >= FAIR_LOST:
        return "fair"
    return "quiet"


def _running() -> int | None:
    """Return how many other processes want a processor now; the load average lags behind by a minute."""
    try:
        return max(0, int(LOAD_FILE.read_text(encoding="ascii").split()[3].partition("/")[0]) - 1)
    except (OSError, ValueError, IndexError):  # not Linux
        return None


def _ticks() -> list[int]:
    try:
        first = STAT_FILE.read_text(encoding="ascii").splitlines()[0]
        return [int(word) for word in first.split()[1 : TOTAL_FIELDS + 1]]
    except (OSError, ValueError, IndexError):  # not Linux
        return []


def _stolen(before: list[int], after: list[int]) -> float | None:
    if len(before) < TOTAL_FIELDS or len(after) < TOTAL_FIELDS:
        return None
    total = sum(after) - sum(before)
    return max(0, after[STEAL_FIELD] - before[STEAL_FIELD]) / total if total > 0 else 0.0


def _frequencies() -> list[float]:
    """Return the processors' present frequencies in MHz; empty where the system does not tell."""
    found = []
    for path in Path("/").glob(f"{CPU_FILES.lstrip('/')}scaling_cur_freq"):
        try:
            found.append(int(path.read_text(encoding="ascii")) / 1_000)
        except (OSError, ValueError):  # the processor is off
            continue
    return found
