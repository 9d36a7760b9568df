"""How long history and report take, and how large they are: `python -m benchmarks.report_scale 10 100 1000`.

For each number of benchmarks 100 runs are made up and stored; then the two are timed in fresh processes, start-up and
imports included, as a person meets them.
"""

from __future__ import annotations

import datetime
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from jarvisperf.runs.commit import Commit
from jarvisperf.runs.machine import read_machine
from jarvisperf.runs.model import Benchmark, Metric, Run
from jarvisperf.runs.store import open_store
from jarvisperf.runs.summary import summarize

if TYPE_CHECKING:
    from collections.abc import Sequence

RUNS = 100
SAMPLES = 40
COMMAND = "from jarvisperf.cli.main import main; raise SystemExit(main())"


def made_up(benchmarks: int) -> Run:
    """Make a run up."""
    source = random.Random(benchmarks)  # noqa: S311  # made up
    return Run(
        created="2026-01-01T00:00:00+00:00",
        seconds=1.0,
        machine=read_machine(),
        commit=Commit(id="a" * 40, time="", branch="main", dirty=False),
        benchmarks=tuple(
            Benchmark(
                id=f"benchmarks/bench_{number % 50}.py::test_work[{number}]",
                group=f"group {number % 20}",
                params={"number": str(number)},
                metrics={
                    "time": Metric(
                        unit="s",
                        better="lower",
                        method="perf_counter",
                        summary=summarize([1e-3 * (1 + source.random() / 20) for _ in range(SAMPLES)], 10),
                    )
                },
                yardstick={"interpreter": 1e-4, "memory": 2e-4},
            )
            for number in range(benchmarks)
        ),
    )


def fill(folder: Path, benchmarks: int) -> int:
    """Store 100 runs that differ in time, commit and level; return the bytes of the largest."""
    store = open_store(folder)
    run = made_up(benchmarks)
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    source = random.Random(1)  # noqa: S311  # made up
    for day in range(RUNS):
        run = msgspec.structs.replace(run, benchmarks=tuple(_shifted(one, source) for one in run.benchmarks))
        created = (start + datetime.timedelta(days=day)).isoformat()
        commit = Commit(id=f"{day:040x}", time=created, branch="main", dirty=False)
        store.save(msgspec.structs.replace(run, created=created, commit=commit), "main")
    return max(path.stat().st_size for path in folder.rglob("*.run"))


def _shifted(benchmark: Benchmark, source: random.Random) -> Benchmark:
    """Move a benchmark's median a little, as another day would."""
    metric = benchmark.metrics["time"]
    summary = msgspec.structs.replace(metric.summary, median=1.02e-3 * (1 + source.gauss(0, 0.01)))
    return msgspec.structs.replace(benchmark, metrics={"time": msgspec.structs.replace(metric, summary=summary)})


def timed(words: Sequence[str], folder: Path) -> tuple[float, float]:
    """Time a command in a fresh process: seconds that pass, and of the processor."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", COMMAND, *words], cwd=folder, check=True, capture_output=True)  # noqa: S603
    passed = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return passed, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(sizes: Sequence[int]) -> None:
    """Print the table."""
    titles = ("benchmarks", "history, s (processor)", "report, s (processor)", "report.html, MB", "a stored run, kB")
    sys.stdout.write(f"| {' | '.join(titles)} |\n|---|---|---|---|---|\n")
    for size in sizes:
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            largest = fill(folder / ".jarvisperf", size)
            seconds = [timed(words, folder) for words in (["history"], ["report", "--out", "reports"])]
            page = (folder / "reports" / "report.html").stat().st_size
        times = [f"{passed:.1f} ({used:.1f})" for passed, used in seconds]
        row = (f"{size:,}", *times, f"{page / 1e6:.2f}", f"{largest / 1e3:.1f}")
        sys.stdout.write(f"| {' | '.join(row)} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [10, 100, 1_000])
