"""Moves code elsewhere in memory: all that is called, and nothing that it does changes."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import random
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from jarvisperf.measure.placement import move_elsewhere

if TYPE_CHECKING:
    from types import ModuleType


def helper(number: int) -> int:
    return sum(each * each for each in range(number))


def work(number: int = 4) -> int:
    def inner() -> int:
        return helper(number)

    return inner() + Counter().count(number)


class Counter:
    def count(self, number: int) -> int:
        return number + self.step()

    @staticmethod
    def step() -> int:
        return 1

    @property
    def four(self) -> int:
        return 4

    @classmethod
    def made(cls) -> Counter:
        return cls()

    def __call__(self) -> int:
        return self.count(4)


class Inheriting(Counter):
    pass


class CountsInstances(type):
    def __call__(cls) -> Any:
        return super().__call__()


class Counted(metaclass=CountsInstances):
    def count(self) -> int:
        return 1


class Point(ctypes.Structure):
    _fields_ = (("x", ctypes.c_int),)


class Proxy:
    """Creates what it stands for as soon as anything asks for its class."""

    @property
    def __class__(self) -> type:
        raise RuntimeError("created too early")


PROXY = Proxy()


@functools.lru_cache
def cached() -> int:
    return helper(4)


def factory() -> Any:
    def made() -> int:
        return helper(4)

    return lambda: made() + 1


def test_code_is_copied_and_does_the_same():
    functions = (work, helper, Counter.count, Counter.step)
    before = {function: function.__code__ for function in functions}
    result = work()
    move_elsewhere([work], random.Random(7))
    assert work() == result
    for function, code in before.items():
        assert function.__code__ is not code
        assert function.__code__ == code


@pytest.mark.parametrize(
    "called",
    [
        pytest.param(functools.partial(work, 4), id="partial"),
        pytest.param(Counter().count, id="method"),
        pytest.param(Counter(), id="object that can be called"),
        pytest.param(Inheriting(), id="object that can be called by a method of its base class"),
        pytest.param(Counter.made, id="class method, which may create an object"),
        pytest.param(lambda: Inheriting().count(4), id="method of the base class of a class that is named"),
        pytest.param(cached, id="cached function"),
        pytest.param(factory(), id="closure"),
        pytest.param(lambda: helper(4), id="lambda"),
    ],
)
def test_the_code_behind_anything_that_can_be_called_is_found(called: Any):
    before = {function: function.__code__ for function in (helper, Counter.count)}
    move_elsewhere([called], random.Random(7))
    assert any(function.__code__ is not code for function, code in before.items())


def test_code_behind_properties_and_metaclasses_is_found():
    functions = (Counter.four.fget, CountsInstances.__call__, Counted.count)
    before = {function: function.__code__ for function in functions}
    move_elsewhere([lambda: (Counter().four, Counted())], random.Random(7))
    assert [function for function, code in before.items() if function.__code__ is code] == []


@pytest.fixture
def module(request: pytest.FixtureRequest) -> ModuleType:
    from types import ModuleType

    made = ModuleType("made")
    exec(textwrap.dedent("def work(): return 5"), vars(made))
    return made


def test_functions_of_a_module_that_is_named_are_found(module: ModuleType, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(globals(), "made", module)
    code = module.work.__code__
    move_elsewhere([lambda: made.work() + 1], random.Random(7))  # noqa: F821
    assert module.work.__code__ is not code


def test_classes_stay_what_they_are():
    before = dict(vars(Counter))
    move_elsewhere([Counter().count], random.Random(7))
    assert dict(vars(Counter)) == before
    assert Counter()() == 5


class Strict(type):
    def __setattr__(cls, name: str, value: object) -> None:
        raise AttributeError(name)


class Documented(type):
    @property
    def __doc__(cls) -> str:
        return "made when it is asked for"


@pytest.mark.parametrize("metaclass", [Strict, Documented])
def test_a_class_that_refuses_assignments_is_no_obstacle(metaclass: type):
    class Fixed(metaclass=metaclass):
        def count(self) -> int:
            return 1

    code = Fixed.count.__code__
    move_elsewhere([Fixed().count], random.Random(7))
    assert Fixed.count.__code__ is not code


def test_a_class_whose_metaclass_is_written_in_c_is_no_obstacle():
    def made() -> int:
        return Point(helper(3)).x

    code = helper.__code__
    move_elsewhere([made], random.Random(7))
    assert helper.__code__ is not code
    assert made() == 5


def test_neither_a_proxy_nor_a_module_is_made_to_load_what_it_stands_for(monkeypatch: pytest.MonkeyPatch):
    spec = importlib.util.find_spec("this")  # which would print a poem
    assert spec is not None
    assert spec.loader is not None
    spec.loader = importlib.util.LazyLoader(spec.loader)
    lazy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(lazy)
    monkeypatch.setitem(globals(), "lazy", lazy)
    move_elsewhere([lambda: (PROXY, lazy.s)], random.Random(7))
    assert type(lazy).__name__ == "_LazyModule"


def test_what_is_not_written_in_python_is_left_alone():
    move_elsewhere([sorted, "".join, int, object()], random.Random(7))


def test_new_objects_go_elsewhere_in_each_copy():
    assert len(move_elsewhere([], random.Random(1))) != len(move_elsewhere([], random.Random(2)))
