"""Tests benchmarks of coroutines: in a new loop, in the loop of an async test, and in that of async fixtures."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from git_project import GitProject
from light_pytest import WITH_ASYNCIO

if TYPE_CHECKING:
    from collections.abc import Callable

QUICKLY = ("--jarvis-bench", "--jarvis-budget=0.02")


@pytest.fixture(autouse=True)
def _with_asyncio(with_reasons: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", " ".join((os.environ["PYTEST_ADDOPTS"], *WITH_ASYNCIO)))


ECHO = """
import asyncio
import contextlib

import pytest
import pytest_asyncio

async def echo(reader, writer):
    writer.write(b"line\\n")
    await writer.drain()
    return await reader.readline()

async def serve(reader, writer):
    while line := await reader.readline():
        writer.write(line)
    writer.close()

@contextlib.asynccontextmanager
async def connected():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    yield reader, writer
    writer.close()
    server.close()

@pytest_asyncio.fixture
async def connection():
    async with connected() as streams:
        yield streams

@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def lasting_connection():
    async with connected() as streams:
        yield streams
"""
IN_PYTEST_ASYNCIO = (
    ECHO
    + """
def test_plain(jarvis_bench, connection):
    assert jarvis_bench(echo, *connection) == b"line\\n"

def test_plain_lambda(jarvis_bench, connection):
    assert jarvis_bench(lambda: echo(*connection)) == b"line\\n"

def test_plain_with_a_lasting_fixture(jarvis_bench, lasting_connection):
    assert jarvis_bench(echo, *lasting_connection) == b"line\\n"

def test_plain_with_the_same_fixture_again(jarvis_bench, lasting_connection):
    assert jarvis_bench(echo, *lasting_connection) == b"line\\n"

def test_plain_pedantic(jarvis_bench, connection):
    async def setup():
        return connection, {}
    assert jarvis_bench.pedantic(echo, setup=setup, rounds=3) == b"line\\n"

def test_plain_memory(jarvis_bench, connection):
    assert jarvis_bench.memory(echo, *connection) == b"line\\n"

@pytest.mark.asyncio
async def test_async(jarvis_bench, connection):
    assert await jarvis_bench(echo, *connection) == b"line\\n"

@pytest.mark.asyncio
async def test_async_lambda(jarvis_bench, connection):
    assert await jarvis_bench(lambda: echo(*connection)) == b"line\\n"

@pytest.mark.asyncio(loop_scope="session")
async def test_async_with_a_lasting_fixture(jarvis_bench, lasting_connection):
    assert await jarvis_bench(echo, *lasting_connection) == b"line\\n"

@pytest.mark.asyncio
async def test_async_pedantic(jarvis_bench, connection):
    tasks = []
    async def setup():
        tasks.append(asyncio.current_task())
        return connection, {}
    async def teardown(*args):
        tasks.append(asyncio.current_task())
    made = jarvis_bench.pedantic(echo, setup=setup, teardown=teardown, rounds=3, warmup_rounds=1)
    assert await made == b"line\\n"
    assert set(tasks) == {asyncio.current_task()}
    assert len(tasks) >= 2

@pytest.mark.asyncio
async def test_async_memory(jarvis_bench, connection):
    assert await jarvis_bench.memory(echo, *connection) == b"line\\n"

def set_up():
    return (3,), {}

async def triple(x):
    await asyncio.sleep(0)
    return 3 * x

@pytest.mark.asyncio
@pytest.mark.jarvis_bench(setup=set_up)
async def test_async_with_a_set_up(jarvis_bench):
    assert await jarvis_bench(triple) == 9

@pytest.mark.asyncio
async def test_async_with_a_plain_function(jarvis_bench):
    assert jarvis_bench(sum, [1, 2]) == 3

def test_plain_without_any_loop(jarvis_bench):
    assert jarvis_bench(triple, 2) == 6
"""
)
IN_ANYIO = """
import anyio
import pytest

@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param

@pytest.fixture
async def streams(anyio_backend):
    send, receive = anyio.create_memory_object_stream(0)
    back, answers = anyio.create_memory_object_stream(0)
    async def serve():
        async for item in receive:
            await back.send(item + 1)
    async with anyio.create_task_group() as group, send, receive, back, answers:
        group.start_soon(serve)
        yield send, answers
        group.cancel_scope.cancel()

async def ask(send, answers):
    await send.send(1)
    return await answers.receive()

@pytest.mark.anyio
async def test_async(jarvis_bench, streams):
    with anyio.CancelScope():
        assert await jarvis_bench(ask, *streams) == 2

@pytest.mark.anyio
async def test_async_memory(jarvis_bench, streams):
    assert await jarvis_bench.memory(ask, *streams) == 2

def test_plain(jarvis_bench, streams):
    assert jarvis_bench(ask, *streams) == 2
"""


def metrics_of(pytester: pytest.Pytester) -> dict[str, set[str]]:
    report = json.loads((pytester.path / "reports" / "report.json").read_text())
    return {entry["id"].partition("::")[2]: set(entry["metrics"]) for entry in report["benchmarks"]}


@pytest.fixture
def asyncio_suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(IN_PYTEST_ASYNCIO)
    return pytester


def test_coroutines_are_measured_in_the_loop_of_pytest_asyncio(asyncio_suite: pytest.Pytester):
    result = asyncio_suite.runpytest_subprocess(*QUICKLY)
    result.assert_outcomes(passed=14)
    measured = metrics_of(asyncio_suite)
    assert len(measured) == 14
    assert all(metrics == ({"memory"} if "memory" in name else {"time"}) for name, metrics in measured.items())


def test_in_an_ordinary_run_they_are_awaited_once(asyncio_suite: pytest.Pytester):
    asyncio_suite.runpytest_subprocess("-W", "error::RuntimeWarning").assert_outcomes(passed=14)


def test_in_auto_mode_no_marker_is_needed(pytester: pytest.Pytester):
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(
        """
        import asyncio
        import pytest

        @pytest.fixture
        async def queue():
            queue = asyncio.Queue(1)
            await queue.put(1)
            return queue

        async def turn(queue):
            await queue.put(await queue.get())
            return asyncio.get_running_loop()

        async def test_async(jarvis_bench, queue):
            assert await jarvis_bench(turn, queue) is asyncio.get_running_loop()

        def test_plain(jarvis_bench, queue):
            jarvis_bench(turn, queue)
        """
    )
    pytester.runpytest_subprocess(*QUICKLY).assert_outcomes(passed=2)


def test_coroutines_are_measured_in_the_loop_of_anyio(pytester: pytest.Pytester, require: Callable[[str], Any]):
    require("anyio")
    require("trio")
    pytester.makepyfile(IN_ANYIO)
    result = pytester.runpytest_subprocess(*QUICKLY, "-p", "no:asyncio", "-p", "anyio")
    result.assert_outcomes(passed=6)
    names = ("test_async", "test_async_memory", "test_plain")
    assert set(metrics_of(pytester)) == {f"{name}[{loop}]" for name in names for loop in ("asyncio", "trio")}


def test_other_tasks_of_the_loop_go_on_while_it_measures(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import asyncio
        import pytest

        @pytest.mark.asyncio
        async def test_async(jarvis_bench):
            ticks = 0
            async def tick():
                nonlocal ticks
                while True:
                    ticks += 1
                    await asyncio.sleep(0)
            ticking = asyncio.create_task(tick())
            await jarvis_bench(asyncio.sleep, 0)
            ticking.cancel()
            assert ticks > 100
        """
    )
    pytester.runpytest_subprocess(*QUICKLY).assert_outcomes(passed=1)


def test_what_the_test_set_for_its_context_holds_for_the_calls(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import asyncio, contextvars
        import pytest

        name = contextvars.ContextVar("name", default="nobody")

        async def who():
            return name.get(), asyncio.current_task()

        @pytest.mark.asyncio
        async def test_async(jarvis_bench):
            name.set("me")
            assert await jarvis_bench(who) == ("me", asyncio.current_task())
        """
    )
    pytester.runpytest_subprocess(*QUICKLY).assert_outcomes(passed=1)


@pytest.mark.parametrize("options", [(), QUICKLY])
def test_a_measurement_that_nobody_awaits_is_an_error(pytester: pytest.Pytester, options: tuple[str, ...]):
    pytester.makepyfile(
        """
        import pytest

        async def work(): ...

        @pytest.mark.asyncio
        async def test_async(jarvis_bench):
            jarvis_bench(work)

        @pytest.mark.asyncio
        async def test_lambda(jarvis_bench):
            jarvis_bench(lambda: work())
        """
    )
    result = pytester.runpytest_subprocess(*options)
    assert result.ret == 1
    result.assert_outcomes(**({"failed": 2} if options else {"passed": 2}), errors=2)
    result.stdout.fnmatch_lines(
        ["jarvis_bench(work, ...) was never awaited, so nothing was measured: write await jarvis_bench(work, ...)"]
    )
    assert "RuntimeWarning" not in result.stdout.str() + result.stderr.str()


BENCHMARK = """
import asyncio
import pytest

async def work(n=3):
    await asyncio.sleep(0)
    return n

async def setup():
    return (4,), {}

@pytest.mark.asyncio
async def test_awaited(benchmark):
    assert await benchmark(work, 5) == 5
    assert benchmark.stats.stats.rounds >= 1

@pytest.mark.asyncio
async def test_lambda(benchmark):
    assert await benchmark(lambda: work(6)) == 6

@pytest.mark.asyncio
async def test_pedantic(benchmark):
    assert await benchmark.pedantic(work, rounds=3) == 3

@pytest.mark.asyncio
async def test_plain_function(benchmark):
    assert benchmark(sum, [1, 2]) == 3

def test_run_by_the_suite_itself(benchmark):
    assert benchmark(lambda: asyncio.run(work())) == 3
"""


def test_the_fixture_of_pytest_benchmark_is_awaited_in_async_tests(pytester: pytest.Pytester):
    pytester.makepyfile(BENCHMARK)
    pytester.runpytest_subprocess(*QUICKLY).assert_outcomes(passed=5)
    assert all(metrics == {"time"} for metrics in metrics_of(pytester).values())
    pytester.runpytest_subprocess().assert_outcomes(passed=5)


def test_the_fixture_of_pytest_benchmark_refuses_coroutines_that_nobody_awaits(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import pytest

        async def work(): ...

        def test_plain(benchmark):
            benchmark(work)

        def test_lambda(benchmark):
            benchmark(lambda: work())

        def test_pedantic(benchmark):
            benchmark.pedantic(work)

        @pytest.mark.asyncio
        async def test_forgotten(benchmark):
            benchmark(work)
        """
    )
    result = pytester.runpytest_subprocess(*QUICKLY)
    result.assert_outcomes(failed=4, errors=1)
    result.stdout.fnmatch_lines(
        ["E *LazyResultError: work makes a coroutine, and the fixture benchmark does not await it in a plain test*"]
    )
    result.stdout.fnmatch_lines(["benchmark(work, ...) was never awaited, so nothing was measured*"])
    assert "RuntimeWarning" not in result.stdout.str() + result.stderr.str()


def test_two_measurements_at_once_are_refused(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import asyncio
        import pytest

        async def work():
            await asyncio.sleep(0)

        @pytest.mark.asyncio
        async def test_async(jarvis_bench):
            await asyncio.gather(jarvis_bench(work), jarvis_bench.memory(work))
        """
    )
    result = pytester.runpytest_subprocess(*QUICKLY)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*RuntimeError: jarvis_bench.memory(work, ...) would run at the same time*"])


def test_what_a_coroutine_raises_comes_through_without_frames_of_ours(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import pytest

        calls = []

        async def work():
            calls.append(1)
            if len(calls) > 3:
                raise ZeroDivisionError("on purpose")

        @pytest.mark.asyncio
        async def test_async(jarvis_bench):
            await jarvis_bench(work)
        """
    )
    result = pytester.runpytest_subprocess(*QUICKLY)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *ZeroDivisionError: on purpose"])
    assert "waiters.py" not in result.stdout.str()


def test_a_cancelled_measurement_ends_the_test_and_nothing_is_left(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import asyncio, threading
        import pytest

        @pytest.mark.asyncio
        async def test_async(jarvis_bench):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await jarvis_bench(asyncio.sleep, 30)
            assert [thread.name for thread in threading.enumerate()] == ["MainThread"]
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
    result = pytester.runpytest_subprocess(*QUICKLY)
    result.assert_outcomes(failed=1)  # only because it has no figures
    assert "AssertionError" not in result.stdout.str()


def test_fixtures_in_different_loops_are_an_error_that_names_them(pytester: pytest.Pytester):
    asks_both = "def test_both(jarvis_bench, connection, lasting_connection): jarvis_bench(echo, *connection)"
    pytester.makepyfile(ECHO + asks_both)
    result = pytester.runpytest_subprocess(*QUICKLY)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*its fixtures live in different event loops (connection in the loop of the function, lasting_connection in*"]
    )


def test_a_fixture_with_the_loop_itself_is_used(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import asyncio
        import pytest

        @pytest.fixture
        def loop():
            loop = asyncio.new_event_loop()
            yield loop
            loop.close()

        async def work():
            return asyncio.get_running_loop()

        def test_plain(jarvis_bench, loop):
            assert jarvis_bench(work) is loop
        """
    )
    pytester.runpytest_subprocess(*QUICKLY, "-p", "no:asyncio").assert_outcomes(passed=1)


def test_profiles_see_into_coroutines_on_a_loop(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import pytest

        def inner():
            return sum(i * i for i in range(20_000))

        async def work():
            return inner()

        @pytest.mark.asyncio
        @pytest.mark.jarvis_profile(engine="cprofile")
        async def test_by_cprofile(jarvis_bench):
            await jarvis_bench(work)

        @pytest.mark.asyncio
        @pytest.mark.jarvis_profile(engine="pyinstrument")
        async def test_by_pyinstrument(jarvis_bench):
            await jarvis_bench(work)
        """
    )
    result = pytester.runpytest_subprocess(*QUICKLY)
    result.assert_outcomes(passed=2)
    assert "was not profiled" not in result.stdout.str()
    report = json.loads((pytester.path / "reports" / "report.json").read_text())
    for entry in report["benchmarks"]:
        assert "inner" in json.dumps(entry["profile"]), entry["id"]


def test_lockstep_finds_slower_coroutines_in_every_loop(pytester: pytest.Pytester, require: Callable[[str], Any]):
    require("anyio")
    require("trio")
    project = GitProject(pytester)
    work = "async def work(n):\n    return sum(i * i for i in range(n))\n"
    project.write("pkg/__init__.py", work)
    project.write("pytest.ini", "[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    project.write(
        "test_asyncio.py",
        ECHO
        + """
import pkg

async def call(connection):
    await pkg.work(500)
    return await echo(*connection)

@pytest.mark.asyncio
async def test_async(jarvis_bench, connection):
    await jarvis_bench(call, connection)

def test_plain(jarvis_bench, connection):
    jarvis_bench(call, connection)
""",
    )
    header = "async def ask(send, answers):\n"
    in_anyio = IN_ANYIO.replace("def test_async_memory", "def not_a_test").replace("def test_plain", "def nor_this")
    project.write("test_anyio.py", "import pkg\n" + in_anyio.replace(header, header + "    await pkg.work(500)\n"))
    project.commit()
    project.write("pkg/__init__.py", work.replace("range(n)", "range(40 * n)"))
    words = ("--jarvis-bench", "--jarvis-against=HEAD", "--jarvis-budget=0.2", "--jarvis-launches=4")
    result = project.run(*words, "--jarvis-threshold=30%", "-p", "anyio")
    report = json.loads((project.root / "reports" / "report.json").read_text())
    assert len(report["benchmarks"]) == 4
    for entry in report["benchmarks"]:
        metric = entry["metrics"]["time"]
        assert metric["ratio"] > 3, entry["id"]
        if metric["verdict"] == "regressed":  # on a busy machine it may stay undecided
            name = entry["id"].replace("[", "[[]")
            result.stdout.fnmatch_lines([f"WHY {name}: work (pkg/__init__.py:1) changed *"])
