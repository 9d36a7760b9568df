"""Timings of functions by name: take them, compare them, and write a report."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from jarvisperf.bench.results import BenchmarkResult, checked_name
from jarvisperf.checks import whole_number
from jarvisperf.measure.lazy_results import describe
from jarvisperf.measure.sampling import Plan, measure
from jarvisperf.measure.targets import make_target
from jarvisperf.runs.files import write_whole
from jarvisperf.runs.summary import quantile, summarize

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

SAMPLE_SECONDS = 1e-4


class Timings:
    """Times functions and keeps the results by name.

    Thread-safe; one benchmark runs at a time. Each is warmed up first. The garbage collector, tracers and profilers are
    disabled during timing.
    """

    def __init__(self) -> None:
        self._results: dict[str, BenchmarkResult] = {}
        self._measuring = threading.RLock()

    @property
    def results(self) -> dict[str, BenchmarkResult]:
        """A copy of all results by name."""
        return dict(self._results)

    def benchmark(self, func: Callable[[], Any], iterations: int = 100, name: str | None = None) -> BenchmarkResult:
        """Time a function.

        Args:
            func: Called without arguments; a coroutine function is awaited.
            iterations: Number of samples. A sample is one call, or several if a call is shorter than 0.1 ms; the
                figures are per call in both cases.
            name: The name of the result; None: the function's own. A result replaces an earlier one of the same name.

        Raises:
            TypeError: `func` is not callable or returns a generator that nobody consumes, or `name` is not a string.
            ValueError: `iterations` is less than 1, or `name` is empty or not valid Unicode.
            Exception: Whatever `func` raises.
        """
        if not callable(func):
            raise TypeError(f"benchmark needs a function, got {func!r}")
        whole_number("iterations", iterations, at_least=1)
        name = checked_name(describe(func) if name is None else name)
        plan = Plan(
            budget_seconds=math.inf,
            warmup_seconds=0.01,
            sample_seconds=SAMPLE_SECONDS,
            min_samples=iterations,
            max_samples=iterations,
        )
        with self._measuring:
            target = make_target(func)
            try:
                target.call()
                samples = measure(target, plan)
            finally:
                target.close()
            summary = summarize(samples.seconds, samples.iterations)
            result = BenchmarkResult.of(name, summary, p90=quantile(sorted(samples.seconds), 0.90))
            self._results[name] = result
        return result

    def benchmark_multiple(
        self, tests: Mapping[str, Callable[[], Any]], iterations: int = 100
    ) -> dict[str, BenchmarkResult]:
        """Time several functions in the given order.

        Args:
            tests: Functions by name.
            iterations: Samples of each; see `benchmark`.

        Returns:
            The results by name.

        Raises:
            TypeError: `tests` is not a mapping; or see `benchmark`.
        """
        if not isinstance(tests, Mapping):
            raise TypeError(f"tests is {tests!r}: give a dictionary of functions by name")
        return {name: self.benchmark(func, iterations, name) for name, func in tests.items()}

    def compare_benchmarks(self, names: Iterable[str]) -> dict[str, Any]:
        """Compare results by their medians.

        Args:
            names: Names of existing results.

        Returns:
            ``fastest`` and ``slowest``: names; ``ratios``: each median divided by the fastest one, by name;
            ``medians``: seconds per call, by name; ``comparisons``: for each result, the fastest first, its ``name``,
            ``avg_time_ms`` (the mean, in milliseconds) and ``vs_fastest`` (its ratio as text, such as ``2.50x``).

        Raises:
            TypeError: `names` is a single string.
            KeyError: There is no result with one of the names.
            ValueError: `names` is empty.
        """
        if isinstance(names, str):
            raise TypeError(f"names is {names!r}: give a list of names")
        wanted = list(names)
        if not wanted:
            raise ValueError("no names to compare: give at least one")
        unknown = [name for name in wanted if name not in self._results]
        if unknown:
            known = ", ".join(sorted(self._results)) or "none"
            raise KeyError(f"no result named {', '.join(map(repr, unknown))}; there are: {known}")
        medians = {name: self._results[name].median for name in wanted}
        fastest = min(medians, key=medians.__getitem__)
        ratios = {name: median / medians[fastest] for name, median in medians.items()}
        return {
            "fastest": fastest,
            "slowest": max(medians, key=medians.__getitem__),
            "ratios": ratios,
            "medians": medians,
            "comparisons": [
                {
                    "name": name,
                    "avg_time_ms": self._results[name].avg_time * 1e3,
                    "vs_fastest": f"{ratios[name]:.2f}x",
                }
                for name in sorted(medians, key=medians.__getitem__)
            ],
        }

    def generate_report(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return all results as a text table.

        Args:
            path: A file to write the table to as well; None: no file.

        Returns:
            The table.

        Raises:
            OSError: The file cannot be written.
        """
        text = _table(list(self._results.values()))
        if path is not None:
            write_whole(Path(path), text.encode())
        return text

    def export_json(self, path: str | os.PathLike[str]) -> None:
        """Write all results to a JSON file: one object per name, times in seconds per call.

        Raises:
            OSError: The file cannot be written.
        """
        rows = {
            name: {**msgspec.to_builtins(result), "operations_per_second": result.operations_per_second}
            for name, result in self._results.items()
        }
        write_whole(Path(path), msgspec.json.format(msgspec.json.encode(rows), indent=2))


def _table(results: list[BenchmarkResult]) -> str:
    if not results:
        return "no benchmarks were run\n"
    header = ("benchmark", "median", "mean", "min", "max", "std dev", "p95", "calls/s")
    rows = [
        (
            result.name,
            *(
                f"{seconds * 1e6:,.3f}"
                for seconds in (
                    result.median,
                    result.avg_time,
                    result.min_time,
                    result.max_time,
                    result.std_dev,
                    result.p95,
                )
            ),
            f"{result.operations_per_second:,.1f}",
        )
        for result in results
    ]
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]

    def line(row: tuple[str, ...]) -> str:
        cells = [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        return "  ".join(cells).rstrip()

    return "\n".join(["Times in microseconds per call.", "", line(header), *map(line, rows), ""])
