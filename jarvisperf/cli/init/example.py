"""Proposes a first benchmark: of a function of the project that can be called without knowing more about it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jarvisperf.cli.init.benchmarks import python_files_below
from jarvisperf.cli.init.changes import ProposedChange, changed
from jarvisperf.cli.init.git import ignored_by_git

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = (Path("benchmarks/test_example.py"), Path("performance/test_example.py"))
# A value for each annotation that says enough about what the function accepts.
VALUES = {
    "str": '"some words to work on " * 20',
    "bytes": 'b"some bytes to work on " * 20',
    "int": "1000",
    "float": "1.5",
    "bool": "True",
    "list[int]": "list(range(1000))",
    "list[float]": "[number / 7 for number in range(1000)]",
    "list[str]": '[f"word {number}" for number in range(1000)]',
    "dict[str, int]": '{f"key {number}": number for number in range(1000)}',
    "dict[str, str]": '{f"key {number}": "value" for number in range(1000)}',
}
SAME = {"Sequence": "list", "Iterable": "list", "Collection": "list", "List": "list", "Mapping": "dict", "Dict": "dict"}
# Words of a body or name that suggest effects outside the function: those are not for a benchmark to repeat.
EFFECTS = re.compile(
    r"open|print|input|exit|request|subprocess|socket|remove|unlink|rmtree|delete|drop|write|save|send|connect|install|"
    r"logging|logger|environ|system|urlopen|sleep|thread|global|path|shutil|sqlite|session|main|cli|argv"
)
NOT_THE_PROJECT = frozenset(
    {"tests", "test", "testing", "docs", "doc", "examples", "benchmarks", "bench", "scripts", "tools", "setup.py"}
    | {"conftest.py", "noxfile.py", "tasks.py", "__main__.py", "cli.py", "versioneer.py"}
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A function of the project that can be called.

    Attributes:
        module: Its module, as one imports it.
        name: Its name.
        arguments: Its arguments, as source text.
        size: The number of nodes of its body: more of them are more to measure.
    """

    module: str
    name: str
    arguments: tuple[str, ...]
    size: int


def find_candidate(root: Path) -> Candidate | None:
    """Return the function to propose: one that takes plain values, returns something, and seems to have no effects."""
    found = list(_candidates(root))
    return max(found, key=lambda one: (bool(one.arguments), one.size, one.module, one.name)) if found else None


def propose_example(root: Path, candidate: Candidate) -> list[ProposedChange]:
    """Propose the file with the benchmark, at a place that git does not ignore."""
    ignored = ignored_by_git(root, FILES)
    file = next((file for file in FILES if file not in ignored), FILES[0])
    arguments = "".join(f", {argument}" for argument in candidate.arguments)
    text = f'''"""A first benchmark, proposed by `jarvisperf init`: replace it by what your users wait for."""

import pytest

from {candidate.module} import {candidate.name}

pytest.importorskip("pytest_jarvisperf")


def test_{candidate.name}(jarvis_bench):
    jarvis_bench({candidate.name}{arguments})
'''
    return changed(root, file, text)


def _candidates(root: Path) -> Iterator[Candidate]:
    base = root / "src" if (root / "src").is_dir() else root
    for path in python_files_below(base):
        parts = path.relative_to(base).parts
        if NOT_THE_PROJECT.intersection(parts) or any(part.startswith(("_", "test_")) for part in parts[:-1]):
            continue
        if parts[-1].startswith(("_", "test_")) and parts[-1] != "__init__.py":
            continue
        folders = [base.joinpath(*parts[:count]) for count in range(1, len(parts))]
        if not all((folder / "__init__.py").is_file() for folder in folders):
            continue
        module = ".".join(part.removesuffix(".py") for part in parts if part != "__init__.py")
        if not module or not all(part.isidentifier() for part in module.split(".")):
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except (OSError, SyntaxError, ValueError):  # it cannot be imported either
            continue
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and (arguments := _arguments(node)) is not None:
                yield Candidate(module, node.name, arguments, sum(1 for _ in ast.walk(node)))


def _arguments(node: ast.FunctionDef) -> tuple[str, ...] | None:
    """Return arguments to call a function with; None if it should not be called."""
    given = node.args
    if node.name.startswith(("_", "test")) or node.decorator_list or given.vararg or given.kwarg:
        return None
    if EFFECTS.search(ast.unparse(node).lower()):
        return None
    inside = list(ast.walk(node))
    if any(isinstance(part, ast.Yield | ast.YieldFrom | ast.Raise) for part in inside):
        return None
    if not any(isinstance(part, ast.Return) and part.value is not None for part in inside):
        return None
    needed = [*given.posonlyargs, *given.args]
    needed = needed[: len(needed) - len(given.defaults)]
    values = [_value(argument) for argument in needed]
    for argument, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        if default is None:
            value = _value(argument)
            values.append(None if value is None else f"{argument.arg}={value}")
    return None if None in values else tuple(value for value in values if value is not None)


def _value(argument: ast.arg) -> str | None:
    if argument.annotation is None:
        return None
    text = ast.unparse(argument.annotation)
    if text.startswith(("'", '"')):
        text = text[1:-1]
    for choice in re.split(r" \| ", text):
        outer, bracket, inner = choice.removeprefix("typing.").removeprefix("collections.abc.").partition("[")
        if (value := VALUES.get(SAME.get(outer, outer) + bracket + inner)) is not None:
            return value
    return None
