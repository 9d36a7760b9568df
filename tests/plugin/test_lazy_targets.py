"""Tests targets whose call does none of the work: generators are rejected, and other lazy iterators cause a warning."""

from __future__ import annotations

import json

import pytest

QUICKLY = ("--jarvis-bench", "--jarvis-budget=0.02", "-p", "no:asyncio")
LAZY = """
import functools

def numbers(n=3):
    for i in range(n):
        yield i * i

async def slowly(n=3):
    yield n

class Holder:
    def method(self):
        yield 1
    def __call__(self):
        yield 2

def decorated(function):
    def inner(*args):
        return function(*args)
    return inner

LAZY = {
    "function": numbers,
    "partial": functools.partial(numbers, 3),
    "method": Holder().method,
    "object": Holder(),
    "lambda": lambda: numbers(3),
    "decorated": decorated(numbers),
    "expression": lambda: (i for i in range(3)),
    "async": slowly,
}
"""


@pytest.mark.parametrize("options", [(), QUICKLY])
def test_generators_are_refused_with_advice(pytester: pytest.Pytester, options: tuple[str, ...]):
    pytester.makepyfile(
        LAZY
        + """
import pytest

@pytest.mark.parametrize("name", LAZY)
def test_time(jarvis_bench, name):
    jarvis_bench(LAZY[name])

def test_pedantic(jarvis_bench):
    jarvis_bench.pedantic(numbers, args=(3,), rounds=2, iterations=2)

@pytest.mark.jarvis_bench(setup=lambda: ((3,), {}))
def test_set_up(jarvis_bench):
    jarvis_bench(numbers)

def test_memory(jarvis_bench):
    jarvis_bench.memory(numbers)
"""
    )
    result = pytester.runpytest_subprocess(*options)
    result.assert_outcomes(failed=11)
    result.stdout.fnmatch_lines(
        ["E *LazyResultError: numbers returned a generator, *so its time is meaningless: *lambda: list(numbers(...))"]
    )
    result.stdout.fnmatch_lines(["E *LazyResultError: slowly returned an async generator, *[[]item async for *"])
    assert "lazy_results.py" not in result.stdout.str()


def test_generators_are_refused_by_the_fixture_of_pytest_benchmark_where_it_measures(pytester: pytest.Pytester):
    pytester.makepyfile(
        LAZY
        + """
import pytest

@pytest.mark.parametrize("name", LAZY)
def test_time(benchmark, name):
    benchmark(LAZY[name])

def test_pedantic(benchmark):
    benchmark.pedantic(numbers, args=(3,), rounds=2)
"""
    )
    pytester.runpytest_subprocess(*QUICKLY).assert_outcomes(failed=9)
    pytester.runpytest_subprocess("-p", "no:asyncio").assert_outcomes(passed=9)


def test_a_generator_that_was_begun_is_a_result_like_others(pytester: pytest.Pytester):
    pytester.makepyfile(
        LAZY
        + """
def first():
    made = numbers()
    next(made)
    return made

def test_first(jarvis_bench):
    assert next(jarvis_bench(first)) == 1

def test_consumed(jarvis_bench):
    assert jarvis_bench(lambda: list(numbers())) == [0, 1, 4]
"""
    )
    pytester.runpytest_subprocess(*QUICKLY).assert_outcomes(passed=2)


def test_other_lazy_iterators_are_measured_and_pointed_out(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import itertools
        import pytest

        @pytest.mark.parametrize("kind", [map, filter])
        def test_lazy(jarvis_bench, kind):
            jarvis_bench(kind, str, "abc")

        def test_chained(jarvis_bench):
            jarvis_bench(itertools.chain, "abc")

        def test_eager(jarvis_bench):
            jarvis_bench(iter, [1, 2])
        """
    )
    result = pytester.runpytest_subprocess(*QUICKLY)
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines_random(
        [
            "jarvisperf: *test_lazy[[]map[]]: map returned an iterator (map), and what it computes when *",
            "jarvisperf: *test_lazy[[]filter[]]: filter returned an iterator (filter)*",
            "jarvisperf: *test_chained: chain returned an iterator (chain)*",
        ]
    )
    assert "test_eager: " not in result.stdout.str()
    report = json.loads((pytester.path / "reports" / "report.json").read_text())
    notes = {benchmark["id"].partition("::")[2]: benchmark["notes"] for benchmark in report["benchmarks"]}
    assert notes.pop("test_eager") == []
    assert [len(texts) for texts in notes.values()] == [1, 1, 1]
    assert notes["test_chained"][0].startswith("chain returned an iterator (chain)")
