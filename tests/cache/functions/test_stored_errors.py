"""Tests exceptions that are cached like results."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
import traceback
from datetime import timedelta

import numpy as np
import pytest
from callers import most_callers
from hypothesis import given
from hypothesis import strategies as st
from waiting import SOON_SECONDS, wait_until

from jarvisperf.cache import SmartCache, cached
from jarvisperf.cache.functions.stored_errors import StoredErrors
from jarvisperf.cache.testing import core_of, forget_memory


@pytest.fixture(params=["memory", "redis", "disk"])
def cache(request, make_cache, tmp_path) -> SmartCache:
    url = request.getfixturevalue("real_redis").url if request.param == "redis" else None
    return make_cache(url, tmp_path / "disk" if request.param == "disk" else None)


class NotFoundError(LookupError):
    """Its constructor takes other arguments than it passes on."""

    def __init__(self, kind: str, number: int) -> None:
        super().__init__(f"no {kind} {number}")
        self.kind = kind
        self.number = number


class GoneError(NotFoundError):
    pass


def caught(call) -> Exception:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - any
        call()
    return raised.value


@pytest.mark.parametrize("is_async", [False, True])
def test_a_named_exception_is_raised_again_without_running_the_function(cache, is_async):
    runs = []

    def find(number):
        runs.append(number)
        raise NotFoundError("user", number)

    async def find_later(number):
        find(number)

    get = cached(cache=cache, cache_errors={LookupError: 30})(find_later if is_async else find)
    call = (lambda: asyncio.run(get(7))) if is_async else (lambda: get(7))
    first = caught(call)
    if cache.may_block:
        forget_memory(cache)
    second, third = caught(call), caught(call)
    assert runs == [7]
    for error in (first, second, third):
        assert (type(error), str(error), error.kind, error.number) == (NotFoundError, "no user 7", "user", 7)
    assert len({id(error) for error in (first, second, third)}) == 3


def test_others_are_not_kept_and_results_live_as_long_as_ever(make_cache, clock):
    cache = make_cache(clock=clock)
    outcomes = iter([ValueError("no"), KeyError("a"), "result", "too late"])

    @cached(cache=cache, ttl=600, cache_errors={LookupError: 30})
    def get():
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert str(caught(get)) == "no"
    assert str(caught(get)) == str(caught(get)) == "'a'"
    clock.advance(31)
    assert get() == "result"
    clock.advance(599)
    assert get() == "result"


def test_the_closest_base_class_says_how_long(make_cache, clock):
    cache = make_cache(clock=clock)
    times = {Exception: 1, LookupError: timedelta(minutes=1), NotFoundError: 5}

    @cached(cache=cache, cache_errors=times, ttl=600, jitter=0.5)
    def get(error):
        raise {"key": KeyError(), "gone": GoneError("user", 1), "os": OSError()}[error]

    for name in ("key", "gone", "os"):
        caught(lambda name=name: get(name))
    assert [cache.ttl(get.cache_key(name)) for name in ("key", "gone", "os")] == [60, 5, 1]
    assert type(caught(lambda: get("gone"))) is GoneError


def test_tracebacks_do_not_grow(cache):
    @cached(cache=cache, cache_errors={ValueError: 30})
    def get():
        raise ValueError("x")

    lengths = [len(traceback.extract_tb(caught(get).__traceback__)) for _ in range(5)]
    assert len(set(lengths[1:])) == 1


def test_a_stored_exception_replaces_a_stale_result_but_is_never_stale_itself(make_cache, clock):
    cache = make_cache(clock=clock)
    outcomes = iter(["old", LookupError("gone"), "new"])

    @cached(cache=cache, ttl=10, stale_ttl=1000, cache_errors={LookupError: 10})
    def get():
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert get() == "old"
    clock.advance(11)
    assert get() == "old"
    wait_until(lambda: get.cache_info().misses == 2 and not core_of(cache).flights.by_name)
    assert str(caught(get)) == "gone"
    clock.advance(11)
    assert get() == "new"


def test_waiting_callers_get_an_exception_each(cache):
    begun, may_end, errors = threading.Event(), threading.Event(), []

    @cached(cache=cache, cache_errors={NotFoundError: 30})
    def get():
        begun.set()
        assert may_end.wait(SOON_SECONDS)
        raise NotFoundError("user", 1)

    threads = [threading.Thread(target=lambda: errors.append(caught(get))) for _ in range(3)]
    threads[0].start()
    assert begun.wait(SOON_SECONDS)
    for thread in threads[1:]:
        thread.start()
    wait_until(lambda: most_callers(cache) == 3)
    may_end.set()
    for thread in threads:
        thread.join()
    assert len({id(error) for error in errors}) == 3
    assert {(type(error), error.number) for error in errors} == {(NotFoundError, 1)}
    assert get.cache_info().misses == 1


def test_a_result_and_a_refresh_replace_a_stored_exception(cache):
    outcomes = iter([LookupError("none"), "found", LookupError("lost")])

    @cached(cache=cache, cache_errors={LookupError: 30})
    def get():
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert str(caught(get)) == "none"
    assert get.refresh() == "found"
    assert get() == "found"
    assert str(caught(get.refresh)) == "lost"
    assert str(caught(get)) == "lost"


def test_an_exception_that_cannot_be_rebuilt_is_raised_not_stored_and_logged_once(cache, caplog):
    class WithConnectionError(Exception):
        def __init__(self) -> None:
            super().__init__("lost")
            self.connection = object()

    @cached(cache=cache, cache_errors={WithConnectionError: 30})
    def get():
        raise WithConnectionError

    assert str(caught(get)) == str(caught(get)) == "lost"
    assert get.cache_info().misses == 2
    assert len(caplog.messages) == 1
    assert "WithConnectionError raised by" in caplog.text
    assert "is not cached: it cannot be rebuilt" in caplog.text


def test_one_function_with_and_without_stored_exceptions_share_no_results(cache):
    def get():
        raise LookupError("x")

    lenient = cached(cache=cache, cache_errors={LookupError: 30})(get)
    strict = cached(cache=cache)(get)
    caught(lenient)
    assert type(caught(strict)) is LookupError
    assert strict.cache_info().misses == 1
    assert strict.cache_key() != lenient.cache_key()


def test_another_process_raises_it_too(tmp_path):
    module = tmp_path / "shop.py"
    module.write_text(
        textwrap.dedent("""
        from jarvisperf.cache import SmartCache, cached

        class NotFound(Exception):
            def __init__(self, number):
                super().__init__(f"no product {number}")
                self.number = number

        cache = SmartCache(None, "cache")

        @cached(cache=cache, cache_errors={NotFound: 300})
        def product(number):
            raise NotFound(number)

        try:
            product(7)
        except NotFound as error:
            print(error, error.number, product.cache_info().misses)
        """)
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", "import shop"], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert outputs == ["no product 7 7 1\n", "no product 7 7 0\n"]


@pytest.mark.parametrize(
    ("times", "error", "message"),
    [
        ((LookupError,), TypeError, r"cache_errors is \(<class 'LookupError'>,\): give a dict"),
        ({"LookupError": 30}, TypeError, "cache_errors contains 'LookupError': give a dict"),
        ({KeyboardInterrupt: 30}, TypeError, "cache_errors contains <class 'KeyboardInterrupt'>"),
        ({LookupError: 0}, ValueError, r"cache_errors\[LookupError\] is 0: give a number of seconds above 0"),
        ({LookupError: "30"}, TypeError, r"cache_errors\[LookupError\] is '30'"),
    ],
)
def test_what_cannot_work_is_an_error_at_once(times, error, message):
    with pytest.raises(error, match=message):
        cached(cache_errors=times)


class PlainError(Exception):
    pass


ERRORS = st.one_of(
    st.builds(lambda args: PlainError(*args), st.lists(st.text() | st.integers() | st.none() | st.binary())),
    st.builds(NotFoundError, st.text(), st.integers()),
    st.builds(GoneError, st.text(), st.integers()),
    st.builds(KeyError, st.text()),
    st.builds(OSError, st.integers(1, 130), st.text(), st.text()),
    st.builds(ImportError, st.text(), name=st.text(), path=st.text()),
    st.builds(UnicodeDecodeError, st.just("utf-8"), st.just(b"\xff"), st.just(0), st.just(1), st.text()),
)


@given(ERRORS, st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.integers() | st.text(), max_size=2))
def test_what_is_stored_comes_back_as_it_was(error, attributes):
    vars(error).update(attributes)
    errors = StoredErrors({Exception: 30})
    stored = errors.stored(error, "test")
    assert stored is not None
    twin = errors.rebuilt(stored)
    assert (type(twin), twin.args, vars(twin), str(twin)) == (type(error), error.args, vars(error), str(error))


class OddReduceError(LookupError):
    def __reduce__(self) -> str:
        return "not what copyreg expects"


class OddTextError(LookupError):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize("kind", [OddReduceError, OddTextError])
def test_an_exception_whose_own_methods_fail_reaches_the_caller_and_is_not_stored(cache, caplog, kind):
    errors = []

    @cached(cache=cache, cache_errors={LookupError: 30})
    def find() -> None:
        errors.append(kind("user"))
        raise errors[-1]

    assert [caught(find), caught(find)] == errors
    assert [f"{kind.__name__} raised by" in record.message for record in caplog.records] == [True]


@pytest.mark.parametrize("argument", [np.arange(3), float("nan")], ids=["array", "nan"])
def test_an_exception_is_stored_even_if_its_arguments_cannot_be_compared(cache, argument):
    runs = []

    @cached(cache=cache, cache_errors={LookupError: 30})
    def find() -> None:
        runs.append(1)
        raise LookupError(argument)

    errors = [caught(find), caught(find)]
    assert runs == [1]
    assert [repr(error) for error in errors] == [repr(LookupError(argument))] * 2
