"""Moves code elsewhere in memory: all that is called, and nothing that it does changes."""

from __future__ import annotations

import functools
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

    def __call__(self) -> int:
        return self.count(4)


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
        pytest.param(cached, id="cached function"),
        pytest.param(factory(), id="closure"),
        pytest.param(lambda: helper(4), id="lambda"),
    ],
)
def test_the_code_behind_anything_that_can_be_called_is_found(called: Any):
    reached = Counter.count if "ounter" in repr(called) else helper
    code = reached.__code__
    move_elsewhere([called], random.Random(7))
    assert reached.__code__ is not code


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


def test_a_class_that_refuses_assignments_is_no_obstacle():
    class Strict(type):
        def __setattr__(cls, name: str, value: object) -> None:
            raise AttributeError(name)

    class Fixed(metaclass=Strict):
        def count(self) -> int:
            return 1

    code = Fixed.count.__code__
    move_elsewhere([Fixed().count], random.Random(7))
    assert Fixed.count.__code__ is not code


def test_what_is_not_written_in_python_is_left_alone():
    move_elsewhere([sorted, "".join, int, object()], random.Random(7))


def test_new_objects_go_elsewhere_in_each_copy():
    assert len(move_elsewhere([], random.Random(1))) != len(move_elsewhere([], random.Random(2)))
