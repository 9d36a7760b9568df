"""Fixtures with findings to report."""

from __future__ import annotations

import pytest
from builders import metric, run_of

from jarvisperf.report.findings.model import Findings, findings_of
from jarvisperf.runs.model import Benchmark


@pytest.fixture
def findings() -> Findings:
    return findings_of(
        run_of(
            Benchmark(
                id="benchmarks/bench_x.py::test_uncached[1]",
                group="search",
                params={"n": "1"},
                metrics={"time": metric(0.010, 0.011, 0.012)},
            ),
            Benchmark(
                id="benchmarks/bench_y.py::test_memory",
                metrics={"memory": metric(float(5 << 20), unit="B")},
            ),
            Benchmark(
                id="benchmarks/bench_x.py::test_cached[1]",
                group="search",
                params={"n": "1"},
                before="benchmarks/bench_x.py::test_uncached[1]",
                metrics={"time": metric(1.0e-6, 1.1e-6, 1.2e-6, iterations=1000)},
                extra_info={"tier": "memory"},
            ),
            Benchmark(id="benchmarks/bench_z.py::test_<script>|`x`", error="ValueError: no | good"),
        )
    )
