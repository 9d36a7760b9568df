"""Tests the keys of calls: one per call, the same in every process."""

from __future__ import annotations

import enum
import gc
import os
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvisperf.cache.keys.calls import KeyMaker

PROGRAM = """
import enum
from dataclasses import dataclass
from fractions import Fraction
from jarvisperf.cache import cached
class Colour(enum.Enum):
    RED = object()
@dataclass(frozen=True)
class Point:
    x: int
    tags: frozenset
class Model:
    def __init__(self, name): self.name = name
    def __cache_key__(self): return self.name
    @cached()
    def run(self, text): ...
@cached(key_prefix="p")
def f(*args, **kwargs): ...
point = Point(1, frozenset("xyz"))
print(f.cache_key("a", 1, {"x": {"a", "b", "c"}}, Colour.RED, point, int, Model("m"), k=Fraction(1, 3)))
print(Model.run.cache_key(Model("m"), "text"))
"""


def test_a_key_is_the_same_in_every_process_and_with_every_hash_seed():
    shown = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in "0123"
    }  # fmt: skip
    assert len(shown) == 1
    assert next(iter(shown)).startswith("p:__main__.f:")


def test_two_scripts_do_not_share_the_keys_of_their_functions(tmp_path):
    program = "from jarvisperf.cache import cached\n@cached()\ndef f(): ...\nprint(f.cache_key())"
    keys = set()
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text(program)
        keys.add(subprocess.run([sys.executable, tmp_path / name], capture_output=True, text=True, check=True).stdout)
    assert len(keys) == 2


def function(a, b=2, *, c=3):
    pass


def spread(*args, **kwargs):
    pass


def key(of, *args, **kwargs) -> str:
    return KeyMaker(of, "").key(args, kwargs)


def test_every_spelling_of_a_call_has_one_key():
    calls = [((1,), {}), ((1, 2), {}), ((), {"a": 1}), ((), {"b": 2, "a": 1}), ((1,), {"c": 3, "b": 2})]
    assert len({key(function, *args, **kwargs) for args, kwargs in calls}) == 1


DIFFERENT = [
    (), (1,), (1.0,), (True,), ("1",), (b"1",), (None,), ((),), ([],), ({},), (set(),), (frozenset(),), (1, 2),
    ((1, 2),), ([1, 2],), (0.0,), (-0.0,), (2**70,), ("a", "b"), ("ab",), ({"a": 1, "b": 2},), ({"b": 2, "a": 1},),
    (["a", ["b"]],),
    (np.zeros(2),), (np.zeros(2, "f4"),), (np.zeros((2, 1)),), (np.float64(1),), (["class", "builtins.int"],), (int,),
]  # fmt: skip


def test_different_arguments_have_different_keys():
    assert len({key(spread, *args) for args in DIFFERENT}) == len(DIFFERENT)


def test_a_positional_argument_is_not_a_named_one():
    assert key(spread, ["a", 1]) != key(spread, a=1)


def test_named_extra_arguments_have_no_order():
    assert key(spread, a=1, b=2) == key(spread, b=2, a=1)


def test_the_name_of_the_function_and_the_prefix_are_part_of_the_key():
    assert key(function, 1).startswith(f"{__name__}.function:")
    assert KeyMaker(function, "embeddings").key((1,), {}).startswith(f"embeddings:{__name__}.function:")


@given(st.lists(st.integers() | st.text() | st.floats(allow_nan=False)))
def test_equal_arguments_have_equal_keys(args):
    assert key(spread, *args) == key(spread, *list(args))


class Plain:
    def method(self, x=1):
        pass

    @classmethod
    def of_class(cls, x):
        pass


class Named:
    def __init__(self, name) -> None:
        self.name = name

    def __cache_key__(self):
        return self.name

    def method(self):
        pass


@dataclass(frozen=True)
class Frozen:
    x: object


class Loose(Frozen):
    pass


@dataclass
class Changing:
    x: int


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Grade(enum.IntEnum):
    ONE = 1


def test_an_object_that_names_itself_is_known_by_that():
    assert key(spread, Named("a")) == key(spread, Named("a"))
    assert key(spread, Named("a")) != key(spread, Named("b"))
    assert key(spread, [Named("a")]) == key(spread, [Named("a")])


def test_frozen_dataclasses_enums_and_classes_have_keys():
    values = [Frozen(1), Frozen((1,)), Frozen(Frozen(1)), Colour.RED, Colour.BLUE, Grade.ONE, 1, Plain, Named, int]
    assert len({key(spread, value) for value in values}) == len(values)
    assert key(spread, Frozen({1, 2})) == key(spread, Frozen({2, 1}))


LOCAL = type("Local", (), {"__qualname__": "f.<locals>.Local"})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: key(function, object()), "argument 'a' of {}.function: object of type object has no encoding"),
        (lambda: key(function, 1, c=[0, Plain()]), "argument 'c' of {}.function[1]: object of type Plain has no"),
        (lambda: key(spread, 1, print), "argument 'args' of {}.spread[1]: object of type builtin_function"),
        (lambda: key(function, Changing(1)), "object of type Changing has no encoding"),
        (lambda: key(function, Loose(1)), "object of type Loose has no encoding"),
        (lambda: key(function, Frozen(object())), "argument 'a' of {}.function: object of type object has no"),
        (lambda: key(function, LOCAL), "local class f.<locals>.Local"),
        (lambda: key(Frozen.__init__, 3, 4, 5), "too many positional arguments"),
    ],
)  # fmt: skip
def test_an_argument_without_a_lasting_encoding_is_an_error_that_names_it(call, message):
    with pytest.raises(TypeError) as caught:
        call()
    assert message.format(__name__) in str(caught.value)


def test_what_helps_is_said():
    with pytest.raises(TypeError, match="its class can define __cache_key__"):
        key(function, Plain())


def test_a_method_is_cached_per_instance_while_the_instance_lives():
    maker = KeyMaker(Plain.method, "")
    one, other = Plain(), Plain()
    assert maker.key((one,), {}) == maker.key((one, 1), {})
    assert maker.key((one,), {}) != maker.key((other,), {})


def test_the_place_in_memory_of_an_instance_that_is_gone_is_not_mistaken_for_it():
    maker = KeyMaker(Plain.method, "")
    keys = set()
    for _ in range(50):
        keys.add(maker.key((Plain(),), {}))
    assert len(keys) == 50
    gc.collect()
    assert not maker._tokens._tokens


def test_instances_that_name_themselves_share():
    maker = KeyMaker(Named.method, "")
    assert maker.key((Named("a"),), {}) == maker.key((Named("a"),), {})
    assert maker.key((Named("a"),), {}) != maker.key((Named("b"),), {})


class Slotted:
    __slots__ = ()

    def method(self):
        pass


def test_an_instance_that_cannot_be_told_apart_is_an_error_that_names_self():
    with pytest.raises(TypeError, match=r"argument 'self' of .*Slotted\.method: object of type Slotted"):
        KeyMaker(Slotted.method, "").key((Slotted(),), {})


def test_after_a_fork_an_instance_is_another_one():
    maker = KeyMaker(Plain.method, "")
    one = Plain()
    before = maker.key((one,), {})
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, maker.key((one,), {}).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(read, 1000).decode() != before
    os.close(read)
    os.close(write)


def test_a_lambda_needs_a_prefix():
    with pytest.raises(ValueError, match="has no name of its own: give @cached a key_prefix"):
        KeyMaker(lambda: 1, "")
    assert KeyMaker(lambda: 1, "one").key((), {}).startswith("one:")


def one_text(text):
    return text


def one_text_or_none(text, other=None):
    return text, other


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=600))
def test_the_quick_way_of_one_str_gives_the_key_that_the_other_way_gives(text):
    maker = KeyMaker(one_text, "p")
    assert maker.key((text,), {}) == maker.key((), {"text": text})


def test_an_argument_may_be_left_out_of_the_key():
    maker = KeyMaker(one_text_or_none, "p", ["other"])
    assert maker.key(("a", 1), {}) == maker.key(("a",), {"other": object()})
    assert maker.key(("a", 1), {}) != maker.key(("b", 1), {})


def test_an_argument_of_a_method_and_of_kwargs_may_be_left_out():
    class Service:
        def run(self, text, **options): ...

    maker = KeyMaker(Service.run, "p", ["self", "trace"])
    assert maker.key((Service(), "a"), {"trace": object(), "x": 1}) == maker.key((Service(), "a"), {"x": 1})
    assert maker.key((Service(), "a"), {"x": 1}) != maker.key((Service(), "a"), {"x": 2})


def test_an_argument_that_there_is_not_cannot_be_left_out():
    with pytest.raises(ValueError, match=r"ignore contains 'texts', but .*one_text takes text"):
        KeyMaker(one_text, "p", ["texts"])
    with pytest.raises(TypeError, match=r"give a list or tuple of names, such as \('text',\)"):
        KeyMaker(one_text, "p", "text")


def test_all_keys_of_a_function_start_alike_and_no_others_do():
    first, second = KeyMaker(one_text, "p"), KeyMaker(one_text_or_none, "p")
    assert first.key(("a",), {}).startswith(first.group())
    assert not second.key(("a",), {}).startswith(first.group())
