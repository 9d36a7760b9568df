"""What tells cached functions apart: their project, their program, their code, what they close over, their version."""

from __future__ import annotations

import enum
import functools
import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvisperf.cache import SmartCache, cached

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Access(enum.IntFlag):
    READ = 1
    WRITE = 2


@pytest.fixture
def cache():
    with SmartCache(None, None) as cache:
        yield cache


def run(folder: Path, *words: str, **environ: str) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("JARVIS", "JPY"))}
    done = subprocess.run(
        [sys.executable, "-B", *words], cwd=folder, env={**env, **environ}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def project(folder: Path, owner: str, body: str = "{owner!r}") -> Path:
    folder.mkdir(parents=True)
    (folder / "helpers.py").write_text(
        textwrap.dedent(f"""
        import os
        from jarvisperf.cache import SmartCache, cached
        cache = SmartCache(None, os.environ["FOLDER"]) if "FOLDER" in os.environ else None
        @cached(cache=cache)
        def settings():
            print("computed", end=" ")
            return {body.format(owner=owner)}
    """)
    )
    (folder / "main.py").write_text("import helpers\nprint(helpers.settings())\n")
    return folder


def test_two_projects_do_not_share_results_even_in_one_folder(tmp_path: Path):
    seen = [
        run(project(tmp_path / owner, owner), "main.py", FOLDER=str(tmp_path / "cache")) for owner in ("shop", "blog")
    ]
    assert seen == ["computed shop", "computed blog"]


def test_one_project_shares_results_among_its_processes(tmp_path: Path):
    folder = project(tmp_path / "shop", "shop")
    (folder / "pyproject.toml").write_text("[project]\nname = 'shop'\n")
    (folder / "scripts").mkdir()
    (folder / "scripts" / "again.py").write_text("import helpers\nprint(helpers.settings())\n")
    environ = {"FOLDER": str(tmp_path / "cache"), "PYTHONPATH": str(folder)}
    assert run(folder, "main.py", **environ) == "computed shop"
    assert run(tmp_path, "shop/scripts/again.py", **environ) == "shop"


def test_the_default_caches_of_two_projects_have_different_namespaces_and_the_variable_overrides_both(tmp_path: Path):
    code = "from jarvisperf.cache import get_smart_cache as g; g().set('k', 1); print(g().get('k'))"
    read = "from jarvisperf.cache import get_smart_cache as g; print(g().get('k'))"
    folders = [project(tmp_path / name, name) for name in ("shop", "blog")]
    for folder in folders:
        (folder / "setup.py").touch()
        (folder / "write.py").write_text(code)
        (folder / "read.py").write_text(read)
    environ = {"JARVISPERF_CACHE_DIR": str(tmp_path / "cache")}
    run(folders[0], "write.py", **environ)
    assert [run(folder, "read.py", **environ) for folder in folders] == ["1", "None"]
    environ["JARVISPERF_NAMESPACE"] = "both"
    run(folders[0], "write.py", **environ)
    assert [run(folder, "read.py", **environ) for folder in folders] == ["1", "1"]


def test_hosts_with_different_folders_share_results_if_the_namespace_is_set(tmp_path: Path):
    environ = {"FOLDER": str(tmp_path / "cache"), "JARVISPERF_NAMESPACE": "shop"}
    seen = [run(project(tmp_path / host, host), "main.py", **environ) for host in ("one", "two")]
    assert seen == ["computed one", "one"]


def test_programs_given_on_the_command_line_share_results_only_if_they_are_the_same(tmp_path: Path):
    code = """if True:
        from jarvisperf.cache import SmartCache, cached
        @cached(cache=SmartCache(None, "c"))
        def f():
            return {}
        print(f())
    """
    assert [run(tmp_path, "-c", code.format(number)) for number in (1, 2, 1)] == ["1", "2", "1"]


def test_closures_over_different_values_do_not_share_results(cache: SmartCache):
    def adder(number: Any) -> Callable[[int], Any]:
        @cached(cache=cache)
        def add(value: int) -> Any:
            return [number, value]

        return add

    captured: list[Any] = [1, 2, 1.0, True, "a", (1, 2), (1, (2,)), frozenset({1}), [1], [1], {"a": 1}, Access(3), len]
    assert [adder(number)(1) for number in captured] == [[number, 1] for number in captured]


def test_closures_over_the_same_immutable_value_share_results(cache: SmartCache):
    runs: list[int] = []

    def note() -> None:
        runs.append(1)

    def adder(number: int) -> Any:
        return cached(cache=cache)(local(number))

    assert [adder(1)(1), adder(1)(1)] == [2, 2]
    assert adder(1).cache_key(1) == adder(1).cache_key(1) != adder(2).cache_key(1)


def local(number: int) -> Callable[[int], int]:
    def add(value: int) -> int:
        return number + value

    return add


def test_a_captured_value_that_the_function_changes_does_not_change_its_keys(cache: SmartCache):
    count = 0
    runs: list[int] = []

    @cached(cache=cache)
    def f(value: int) -> int:
        nonlocal count
        count += 1
        runs.append(value)
        return value

    assert [f(1), f(1), f(1)] == [1, 1, 1]
    assert (count, runs) == (1, [1])


def test_local_functions_and_lambdas_of_one_name_are_told_apart_by_their_code(cache: SmartCache):
    def make(doubles: bool) -> Any:
        if doubles:

            @cached(cache=cache)
            def f(value: int) -> int:
                return 2 * value

        else:

            @cached(cache=cache)
            def f(value: int) -> int:
                return 3 * value

        return f

    assert [make(True)(1), make(False)(1)] == [2, 3]
    assert [cached(key_prefix="p", cache=cache)(f)(1) for f in (lambda x: x + 1, lambda x: x + 2)] == [2, 3]


def test_code_with_a_set_of_constants_is_the_same_code_in_every_process(tmp_path: Path):
    code = """
        from jarvisperf.cache import cached
        def make():
            @cached(key_prefix="p")
            def f(word):
                return word in {"one", "two", "three", "four"} or word[..., 0]
            return f
        print(make().cache_key("one"))
    """
    (tmp_path / "program.py").write_text(textwrap.dedent(code))
    assert len({run(tmp_path, "program.py", PYTHONHASHSEED=str(seed)) for seed in range(4)}) == 1


def test_a_recursive_local_function_finds_its_own_results(cache: SmartCache):
    @cached(cache=cache)
    def fibonacci(n: int) -> int:
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

    assert fibonacci(40) == 102334155
    assert fibonacci.cache_info().misses == 41


def versioned(cache: SmartCache, version: Any) -> Any:
    def f() -> Any:
        return version

    f.__qualname__ = "f"
    return cached(cache=cache, version=version)(f)


def test_another_version_has_results_of_its_own(cache: SmartCache):
    assert [versioned(cache, version)() for version in (None, 1, 2, "1", None)] == [None, 1, 2, "1", None]


@pytest.mark.parametrize("version", [1.0, True, b"1", ["1"]])
def test_a_version_of_another_type_is_refused(cache: SmartCache, version: Any):
    with pytest.raises(TypeError, match="version is"):
        versioned(cache, version)


def test_the_version_source_changes_with_the_source_of_what_the_function_depends_on(tmp_path: Path):
    code = """
        from jarvisperf.cache import SmartCache, cached
        def rate():
            return {rate}
        @cached(cache=SmartCache(None, "c"), version="source", depends_on=[rate])
        def price():
            print("computed", end=" ")
            return rate() * 10
        print(price())
    """
    seen = []
    for rate in (1, 1, 2):
        (tmp_path / "service.py").write_text(textwrap.dedent(code.format(rate=rate)))
        seen.append(run(tmp_path, "service.py"))
    assert seen == ["computed 10", "10", "computed 20"]


@given(st.integers(0, 64), st.integers(0, 64))
def test_different_flags_have_different_keys(one: int, other: int):
    @cached(key_prefix="flags")
    def f(access: Access) -> None: ...

    assert (f.cache_key(Access(one)) == f.cache_key(Access(other))) == (one == other)


class Prices:
    @classmethod
    @cached(key_prefix="p")
    def page(cls, number: int = 0) -> int:
        return number

    @cached(key_prefix="p")
    def total(self, number: int = 0) -> int:
        return number


@pytest.mark.parametrize("call", [lambda: Prices.page.invalidate(5), lambda: Prices().total.cache_key(5)])
def test_a_method_whose_instance_or_class_is_left_out_is_an_error_and_not_another_call(call: Any):
    with pytest.raises(TypeError, match=r"pass (an instance of )?Prices first"):
        call()


class Shop:
    def __init__(self, name: str = "") -> None:
        self.name = name

    def sell(self, what: str) -> str:
        return f"{self.name} sells {what}"

    @classmethod
    def kind(cls, what: str) -> str:
        return f"{cls.__name__} of {what}"


class Bakery(Shop):
    pass


def test_methods_bound_to_different_objects_do_not_share_results(cache: SmartCache):
    shops = [cached(cache=cache)(Shop(name).sell) for name in ("one", "two")]
    assert [sell("tea") for sell in shops] == ["one sells tea", "two sells tea"]
    assert [cached(cache=cache)({"a": number}.get)("a") for number in (1, 2)] == [1, 2]


def test_methods_bound_to_a_class_share_results_with_those_of_the_same_class_only(cache: SmartCache):
    kinds = [cached(cache=cache)(kind) for kind in (Shop.kind, Bakery.kind, Shop.kind)]
    assert [kind("tea") for kind in kinds] == ["Shop of tea", "Bakery of tea", "Shop of tea"]
    assert kinds[0].cache_key("tea") == kinds[2].cache_key("tea")


def in_language(language: str) -> Callable[[Callable[..., str]], Callable[..., str]]:
    def decorate(function: Callable[..., str]) -> Callable[..., str]:
        @functools.wraps(function)
        def translated(*args: object) -> str:
            return f"{function(*args)} ({language})"

        return translated

    return decorate


def greet(name: str, greeting: str = "Hello") -> str:
    return f"{greeting} {name}"


def test_one_function_under_decorators_with_different_arguments_has_different_results(cache: SmartCache):
    wrapped = [in_language("en")(greet), in_language("de")(greet), greet]
    functions = [cached(cache=cache)(function) for function in wrapped]
    assert [f("Ada") for f in functions] == ["Hello Ada (en)", "Hello Ada (de)", "Hello Ada"]
    assert cached(cache=cache)(in_language("en")(greet)).cache_key("Ada") == functions[0].cache_key("Ada")


def test_the_arguments_of_a_partial_object_with_a_functions_name_belong_to_its_keys(cache: SmartCache):
    bye, moin = (functools.update_wrapper(functools.partial(greet, greeting=word), greet) for word in ("Bye", "Moin"))
    functions = [cached(cache=cache)(function) for function in (greet, bye, moin)]
    assert [f("Ada") for f in functions] == ["Hello Ada", "Bye Ada", "Moin Ada"]


def test_functions_defined_twice_in_a_module_do_not_share_results(cache: SmartCache):
    handlers = []

    def handler(answer: Callable[[], str]) -> Any:
        answer.__qualname__ = "_"
        handlers.append(cached(cache=cache)(answer))
        return handlers[-1]

    handler(lambda: "first")
    handler(lambda: "second")
    again = handler(handlers[0].__wrapped__)
    assert [answer() for answer in handlers] == ["first", "second", "first"]
    assert again.cache_key() == handlers[0].cache_key() != handlers[1].cache_key()


def test_one_function_that_is_cached_in_several_ways_does_not_mix_up_its_results(cache: SmartCache):
    plain = cached(cache=cache)(greet)
    ignoring = cached(cache=cache, ignore=["greeting"])(greet)
    by_name = cached(cache=cache, key=lambda name, greeting: name)(greet)
    by_greeting = cached(cache=cache, key=lambda name, greeting: greeting)(greet)
    assert ignoring("a", "b") == by_name("a", "b") == "b a"
    assert [plain("a", None), by_greeting("b", "a")] == ["None a", "a b"]


def test_a_function_may_be_cached_twice(cache: SmartCache):
    assert cached(cache=cache)(cached(cache=cache)(greet))("Ada") == "Hello Ada"


def test_local_functions_that_call_each_other_can_be_cached(cache: SmartCache):
    def is_even(number: int) -> bool:
        return number == 0 or is_odd(number - 1)

    def is_odd(number: int) -> bool:
        return number != 0 and is_even(number - 1)

    def factorial(number: int) -> int:
        return number * factorial(number - 1) if number else 1

    assert cached(cache=cache)(is_even)(10) is True
    assert cached(cache=cache)(factorial)(5) == 120


def test_functions_of_one_text_that_ran_with_different_globals_do_not_share_results(cache: SmartCache):
    def defined_with(number: int) -> Any:
        space: dict[str, Any] = {"__name__": "rules", "number": number}
        exec("def rule():\n    return number", space)
        return cached(cache=cache)(space["rule"])

    assert [rule() for rule in map(defined_with, (1, 2))] == [1, 2]
