"""Fixed findings for the golden screens: no figure in them was measured."""

from __future__ import annotations

import msgspec
from builders import MACHINE, metric
from report.made import EXPLANATION, profile

from jarvisperf.report.findings.model import Arm, BeforeAfter, BenchmarkFinding, Findings, MetricFinding, paired
from jarvisperf.runs.commit import Commit
from jarvisperf.runs.model import Benchmark, Metric, Run

BASE, HEAD = Arm("a" * 40, "main", False), Arm("b" * 40, "topic", True)
COMMIT = Commit(id="b" * 40, time="2026-01-01T00:00:00+00:00", branch="topic", dirty=False)
LARGEST = 1.7976931348623157e308

# Each benchmark: its id, group, seconds of base, ratio, interval, verdict.
CASES: tuple[tuple[str, str | None, float, float, tuple[float, float], str], ...] = (
    ("bench/test_parse.py::test_parse_document[utf8-small]", "parse", 3.78e-6, 1.41, (1.38, 1.43), "regressed"),
    ("bench/test_parse.py::test_parse_document[utf8-large]", "parse", 4.2e-3, 1.94, (1.91, 1.97), "regressed"),
    ("bench/test_parse.py::test_parse_document[utf16-small]", "parse", 5.1e-6, 1.002, (0.997, 1.006), "unchanged"),
    ("bench/test_parse.py::test_parse_document_with_very_many_links_and_footnotes[utf16-large]", "parse", 6.3e-3, 1.04,
     (0.97, 1.12), "inconclusive"),
    ("bench/test_render.py::test_render", "render", 12.5e-3, 0.55, (0.53, 0.57), "improved"),
    ("bench/test_render.py::test_渲染[漢字漢字漢字漢字漢字漢字漢字]", "render", 1.1, 1.0, (0.99, 1.01), "unchanged"),
    ("bench/test_render.py::test_\x1b[31mred\n", "render", 2e-9, 0.93, (0.92, 0.94), "improved"),
    (f"bench/test_render.py::test_{'x' * 100}[1]{'y' * 100}", "render", 86_400.0, 1.2, (1.1, LARGEST), "regressed"),
    ("bench/test_cache.py::test_get[[a]-{b}]", None, 1.5e-6, 1.0003, (0.999, 1.002), "unchanged"),
)  # fmt: skip


def figures(
    base: float, ratio: float, interval: tuple[float, float], verdict: str, unit: str, via: str
) -> MetricFinding:
    spread = [0.98, 0.99, 1.0, 1.01, 1.03]
    return MetricFinding(
        unit, "lower", "perf_counter", metric(*(base * each for each in spread), unit=unit).summary,
        metric(*(base * ratio * each for each in spread), unit=unit).summary, ratio, interval, 0.05, verdict, via,
    )  # fmt: skip


def lockstep() -> Findings:
    """Return a comparison with one benchmark of every kind."""
    found = []
    for name, group, base, ratio, interval, verdict in CASES:
        metrics = {"time": figures(base, ratio, interval, verdict, "s", "lockstep")}
        profiles = {"profile": profile(1.41e-3), "base_profile": profile(1e-3)} if verdict == "regressed" else {}
        profiles |= {"explanation": EXPLANATION} if verdict == "regressed" else {}
        found.append(BenchmarkFinding(name, group, {}, metrics, line=7, **profiles))
    nothing = dict.fromkeys(("base", "head", "ratio", "interval", "threshold", "via"))
    gone = msgspec.structs.replace(found[0].metrics["time"], **nothing, verdict="missing")
    new = msgspec.structs.replace(gone, head=found[0].metrics["time"].head, verdict="new")
    found += [
        BenchmarkFinding("bench/test_old.py::test_gone", None, {}, {"time": gone}),
        BenchmarkFinding("bench/test_new.py::test_new", None, {}, {"time": new}),
        BenchmarkFinding("bench/test_new.py::test_fast", None, {}, {},
                         new_because="base lacks what it uses (AttributeError: module 'pkg' has no attribute 'fast')"),
        BenchmarkFinding("bench/test_new.py::test_broken", None, {}, {}, error="head: ValueError: no such file"),
        BenchmarkFinding("bench/test_db.py::test_insert", None, {}, {}, skipped="needs a database"),
        BenchmarkFinding("bench/test_db.py::test_select", None, {}, {}, skipped="needs a database"),
    ]  # fmt: skip
    return Findings("lockstep", "2026-01-02T03:04:05+00:00", 61.0, True, MACHINE, BASE, HEAD, tuple(found))


def baseline() -> Findings:
    """Return a comparison with stored runs, two benchmarks of which were measured again."""
    again = {"regressed": "lockstep"}
    found = tuple(
        msgspec.structs.replace(
            one,
            metrics={
                name: msgspec.structs.replace(each, via=again.get(each.verdict, "screening") if each.via else None)
                for name, each in one.metrics.items()
            },
        )
        for one in lockstep().benchmarks
    )
    return msgspec.structs.replace(lockstep(), mode="baseline", benchmarks=found, base_machine=MACHINE)


def several_metrics() -> Findings:
    """Return a comparison of time, memory and a count."""
    found = []
    for name, group, base, ratio, interval, verdict in CASES[:4]:
        metrics = {
            "time": figures(base, ratio, interval, verdict, "s", "lockstep"),
            "memory": figures(5 << 20, 1.12, (1.12, 1.12), "regressed", "B", "lockstep"),
            "allocations": figures(1_234, 0.75, (0.75, 0.75), "improved", "blocks", "lockstep"),
        }
        found.append(BenchmarkFinding(name, group, {}, metrics, line=7))
    return msgspec.structs.replace(lockstep(), benchmarks=tuple(found))


def hundred() -> Findings:
    """Return a comparison of a hundred benchmarks, all of them unchanged."""
    found = tuple(
        BenchmarkFinding(f"bench/test_{number % 3}.py::test_work[size={number}]", None, {"size": str(number)},
                         {"time": figures(1e-3 * (number + 1), 1.001, (0.99, 1.012), "unchanged", "s", "lockstep")})
        for number in range(100)
    )  # fmt: skip
    return msgspec.structs.replace(lockstep(), benchmarks=found)


def record() -> Findings:
    """Return a run that was compared with nothing."""
    found = []
    for name, group, base, *_ in CASES:
        one = figures(base, 1.0, (1.0, 1.0), "unchanged", "s", "lockstep")
        one = msgspec.structs.replace(
            one, base=None, ratio=None, interval=None, threshold=None, verdict="new", via=None
        )
        found.append(BenchmarkFinding(name, group, {}, {"time": one}))
    cached = msgspec.structs.replace(found[0], id="bench/test_parse.py::test_cached", before=BeforeAfter(found[1].id))
    found += [cached, *(one for one in lockstep().benchmarks if not one.metrics and one.new_because is None)]
    return paired(msgspec.structs.replace(lockstep(), mode="record", base=None, benchmarks=tuple(found)))


def run(name: str, minute: int, times: float) -> Run:
    """Return a run to store, in which the first benchmarks take `times` as long."""
    benchmarks = []
    for number, (id_, group, base, *_) in enumerate(CASES):
        factor = times if number in {0, 1, 4} else 1.0
        values: dict[str, Metric] = {"time": metric(*(base * factor * each for each in (0.98, 0.99, 1.0, 1.01, 1.03)))}
        benchmarks.append(Benchmark(id=id_, group=group, metrics=values))
    return Run(
        created=f"2026-01-02T03:{minute:02}:05+00:00", seconds=61.0, machine=MACHINE, commit=COMMIT,
        benchmarks=tuple(benchmarks), name=name,
    )  # fmt: skip
