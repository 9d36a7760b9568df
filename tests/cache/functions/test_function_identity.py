"""What tells cached functions apart: their project, their program, their code, what they close over, their version."""

from __future__ import annotations

import enum
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
