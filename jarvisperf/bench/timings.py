"""Timings of functions by name: take them, compare them, and write a report."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from jarvisperf.bench.results import BenchmarkResult, checked_name
from jarvisperf.checks import whole_number
from jarvisperf.gate.verdict.ranking import sections, side_by_side
from jarvisperf.measure.sampling import Plan, Samples, measure
from jarvisperf.measure.side_by_side import measure_in_turns
from jarvisperf.measure.targets import make_target
from jarvisperf.measure.targets.lazy_results import describe
from jarvisperf.runs.files import write_whole
from jarvisperf.runs.summary import quantile, summarize

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

    from jarvisperf.runs.model import SideBySide

SAMPLE_SECONDS = 1e-4


class TimedBatch(msgspec.Struct, frozen=True):
    """Functions that were timed in turns.

    Attributes:
        samples: The samples of each, round by round, in seconds per call.
    """

    samples: dict[str, tuple[float, ...]]

    def compared(self, names: Iterable[str]) -> SideBySide | None:
        """Compare some of the functions; None if a sample of one of them shows no time."""
        chosen = {name: self.samples[name] for name in names}
        if not all(value > 0 for values in chosen.values() for value in values):
            return None
        return side_by_side(sections(chosen), "in one process, in turns")


class Timings:
    """Times functions and keeps the results by name.

    Thread-safe; one benchmark runs at a time. Each is warmed up first. The garbage collector, tracers and profilers are
    disabled during timing.
    """

    def __init__(self) -> None:
        self._results: dict[str, BenchmarkResult] = {}
        self._batches: dict[str, TimedBatch | None] = {}  # the one that each result was measured in
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
        name = _checked(name, func)
        plan = _plan(iterations)
        with self._measuring:
            target = make_target(func)
            try:
                target.call()
                samples = measure(target, plan)
            finally:
                target.close()
            result = _result(name, samples)
            self._keep({name: result}, None)
        return result

    def benchmark_multiple(
        self, tests: Mapping[str, Callable[[], Any]], iterations: int = 100
    ) -> dict[str, BenchmarkResult]:
        """Time several functions in turns: a sample of each, round by round, so that all meet the same machine.

        Args:
            tests: Functions by name.
            iterations: Samples of each; see `benchmark`.

        Returns:
            The results by name. If a function raises, no result is kept.

        Raises:
            TypeError: `tests` is not a mapping; or see `benchmark`.
        """
        if not isinstance(tests, Mapping):
            raise TypeError(f"tests is {tests!r}: give a dictionary of functions by name")
        checked = {_checked(name, func): func for name, func in tests.items()}
        plan = _plan(iterations)
        if not checked:
            return {}
        with self._measuring, contextlib.ExitStack() as stack:
            targets = []
            for func in checked.values():
                targets.append(make_target(func))
                stack.callback(targets[-1].close)
                targets[-1].call()
            taken = dict(zip(checked, measure_in_turns(targets, plan), strict=True))
            results = {name: _result(name, samples) for name, samples in taken.items()}
            self._keep(results, TimedBatch({name: samples.seconds for name, samples in taken.items()}))
        return results

    def compare_benchmarks(self, names: Iterable[str]) -> dict[str, Any]:
        """Compare results by their medians.

        Args:
            names: Names of existing results.

        Returns:
            ``fastest`` and ``slowest``: names; ``ratios``: each median divided by the fastest one, by name;
            ``medians``: seconds per call, by name; ``intervals``: the 95% interval of each ratio, by name, None if the
            two were not measured in turns (see `benchmark_multiple`); ``tied_with``: the names that cannot be told
            apart from the fastest; ``how``: ``in turns``, or ``one after the other`` if any interval is missing;
            ``comparisons``: for each result, the fastest first, its ``name``, ``avg_time_ms`` (the mean, in
            milliseconds), ``vs_fastest`` (its ratio as text, such as ``2.50x``), ``interval`` and ``tied``.

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
        intervals, tied = self._certainty(fastest, wanted)
        return {
            "fastest": fastest,
            "slowest": max(medians, key=medians.__getitem__),
            "ratios": ratios,
            "medians": medians,
            "intervals": intervals,
            "tied_with": tied,
            "how": "one after the other" if None in intervals.values() else "in turns",
            "comparisons": [
                {
                    "name": name,
                    "avg_time_ms": self._results[name].avg_time * 1e3,
                    "vs_fastest": f"{ratios[name]:.2f}x",
                    "interval": intervals[name],
                    "tied": name in tied,
                }
                for name in sorted(medians, key=medians.__getitem__)
            ],
        }

    def _keep(self, results: Mapping[str, BenchmarkResult], batch: TimedBatch | None) -> None:
        self._results.update(results)
        self._batches.update(dict.fromkeys(results, batch))

    def _certainty(self, fastest: str, names: Iterable[str]) -> tuple[dict[str, tuple[float, float] | None], list[str]]:
        """Return the interval of each result's ratio to the fastest, and those that cannot be told apart from it."""
        batch = self._batches[fastest]
        together = [name for name in dict.fromkeys(names) if batch is not None and self._batches[name] is batch]
        found = batch.compared(together) if batch is not None and len(together) > 1 else None
        intervals: dict[str, tuple[float, float] | None] = dict.fromkeys(names)
        intervals[fastest] = (1.0, 1.0)
        if found is None:
            return intervals, []
        for pair in found.pairs:
            if pair.first == fastest:
                intervals[pair.second] = pair.interval
            elif pair.second == fastest:  # another median of the same batch is as small
                intervals[pair.first] = pair.interval and (1 / pair.interval[1], 1 / pair.interval[0])
        ranked = next(one for one in found.ranking if one.name == fastest)
        return intervals, [name for name in ranked.tied_with if intervals[name] is not None]

    def generate_report(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return all results as a text table, and a ranking of those that were measured in turns.

        Args:
            path: A file to write the table to as well; None: no file.

        Returns:
            The table.

        Raises:
            OSError: The file cannot be written.
        """
        text = _table(list(self._results.values())) + "".join(map(self._ranking, self._current_batches()))
        if path is not None:
            write_whole(Path(path), text.encode())
        return text

    def _current_batches(self) -> list[list[str]]:
        """Return the names of the results that were measured in turns, batch by batch."""
        found: dict[int, list[str]] = {}
        for name, batch in self._batches.items():
            if batch is not None:
                found.setdefault(id(batch), []).append(name)
        return [names for names in found.values() if len(names) > 1]

    def _ranking(self, names: list[str]) -> str:
        compared = self.compare_benchmarks(names)
        lines = [f"\nMeasured in turns; {compared['fastest']} is the fastest:"]
        for row in compared["comparisons"]:
            low, high = row["interval"] or (math.nan, math.nan)
            certainty = "too few samples for an interval" if row["interval"] is None else f"{low:.2f} to {high:.2f}x"
            tie = "; cannot be told apart from it" if row["tied"] else ""
            if row["name"] != compared["fastest"]:
                lines.append(f"  {row['name']}: {row['vs_fastest']} ({certainty}){tie}")
        return "\n".join([*lines, ""])

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


def _checked(name: str | None, func: object) -> str:
    """Return the name of a result, if the function can be timed under it.

    Raises:
        TypeError: The function is not callable, or the name is not a string.
        ValueError: The name is empty or not valid Unicode.
    """
    if not callable(func):
        raise TypeError(f"benchmark needs a function, got {func!r}")
    return checked_name(describe(func) if name is None else name)


def _plan(iterations: int) -> Plan:
    """Return the plan for a number of samples.

    Raises:
        TypeError: The number is not a whole one.
        ValueError: It is less than 1.
    """
    whole_number("iterations", iterations, at_least=1)
    return Plan(
        budget_seconds=math.inf,
        warmup_seconds=0.01,
        sample_seconds=SAMPLE_SECONDS,
        min_samples=iterations,
        max_samples=iterations,
    )


def _result(name: str, samples: Samples) -> BenchmarkResult:
    summary = summarize(samples.seconds, samples.iterations)
    return BenchmarkResult.of(name, summary, p90=quantile(sorted(samples.seconds), 0.90))


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
