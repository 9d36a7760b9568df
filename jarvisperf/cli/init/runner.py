"""Finds out how a project installs itself and runs its tests: uv, poetry, pdm, hatch, tox, nox or pip."""

from __future__ import annotations

import ast
import configparser
import contextlib
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jarvisperf.cli.common import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from jarvisperf.cli.init.requirements import Requirements

PYTHONS = ("3.12", "3.13", "3.11", "3.14")  # the first that the project allows is used
PIP = "python -m pip install"
BUILT_BY = re.compile(r"maturin|scikit.build|mesonpy|meson-python|setuptools.rust|cython|pybind11|nanobind|cffi")
VERSION_FROM_GIT = re.compile(r"setuptools.scm|hatch-vcs|vcs.versioning")
HAS_EXTENSIONS = re.compile(r"\bext_modules\b|\bExtension\(|\bcythonize\(|\bcffi_modules\b")
FOR_BENCHMARKS = re.compile(r"bench|codspeed")
BASE_PYTHON = re.compile(r"base_?python\W+(?:python)?(3\.\d+)")
INSTALLABLE = ("setup.py", "setup.cfg", "pyproject.toml")


@dataclass(frozen=True, slots=True)
class Runner:
    """How to install a project with its test requirements, and how to start pytest in that environment.

    Attributes:
        name: The tool, such as ``uv``.
        evidence: What says that the project uses it, such as ``uv.lock``.
        install: The shell commands that install the project.
        add: The shell command that adds a package to the same environment; the package follows.
        pytest: The shell words that start pytest.
        variables: Environment variables that the commands need.
        python: The version of Python that it insists on; None: any.
    """

    name: str
    evidence: str
    install: tuple[str, ...]
    add: str
    pytest: str
    variables: tuple[tuple[str, str], ...] = ()
    python: str | None = None


def python_version(data: Mapping[str, Any]) -> str:
    """Return the Python to measure with, which must satisfy the project's ``requires-python``.

    Raises:
        CommandError: The project allows no Python on which jarvisperf runs.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    given = data.get("project", {}).get("requires-python")
    try:
        allowed = SpecifierSet(given if isinstance(given, str) else "")
    except InvalidSpecifier:  # the project's own tools report it
        return PYTHONS[0]
    for version in PYTHONS:
        if f"{version}.99" in allowed or f"{version}.0" in allowed:
            return version
    raise CommandError(f"requires-python is {given!r} in pyproject.toml; jarvisperf needs Python 3.11 or later")


def find_runner(root: Path, data: Mapping[str, Any], needed: Requirements, python: str) -> Runner:
    """Choose the tool that knows what the tests need.

    A lock file comes first, then an environment made for benchmarks, then whatever declares pytest.

    Args:
        root: The project's folder.
        data: Its parsed ``pyproject.toml``; empty if there is none.
        needed: Where it declares what its tests need.
        python: The Python to measure with.
    """
    environments = [*_tox(root, data), *_nox(root, python)]
    made_for_benchmarks = [runner for runner, for_benchmarks in environments if for_benchmarks]
    declared = bool(needed.extras or needed.groups)
    candidates = [
        *_locked(root, data, needed, python),
        *made_for_benchmarks,
        *_hatch(data),
        *([_pip(root, needed)] if declared else []),
        *(runner for runner, _ in environments),
        _pip(root, needed),
    ]
    return candidates[0]


def build_command(root: Path, data: Mapping[str, Any]) -> str | None:
    """Return the command with which each arm builds the project's compiled code; None if it has none."""
    system = data.get("build-system", {})
    requires = system.get("requires", []) if isinstance(system, dict) else []
    backend = str(system.get("build-backend", "")) if isinstance(system, dict) else ""
    words = " ".join(map(str, (backend, *requires))).lower()
    setup = root / "setup.py"
    text = setup.read_text(encoding="utf-8", errors="replace") if setup.is_file() else ""
    if not BUILT_BY.search(words) and not HAS_EXTENSIONS.search(text):
        return None
    # An arm is not a git repository, so setuptools-scm and its like cannot read a version from it.
    return f"{'env SETUPTOOLS_SCM_PRETEND_VERSION=0 ' if VERSION_FROM_GIT.search(words + text) else ''}{PIP} ."


def is_installable(root: Path) -> bool:
    """Return whether pip can install the project; its ``pyproject.toml`` may only configure tools."""
    return any(_makes_installable(root / name) for name in INSTALLABLE)


def _makes_installable(path: Path) -> bool:
    if path.suffix == ".py" or not path.is_file():
        return path.is_file()
    sections = ("[build-system]", "[project]", "[metadata]", "[tool.poetry]")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return any(line.strip().startswith(sections) for line in lines)


def _options(**values: tuple[str, ...]) -> str:
    return "".join(f" --{option} {shlex.quote(name)}" for option, names in values.items() for name in names)


def _locked(root: Path, data: Mapping[str, Any], needed: Requirements, python: str) -> Iterator[Runner]:
    tools = data.get("tool", {})
    if (root / "uv.lock").is_file() or (isinstance(tools.get("uv"), dict) and "project" in data):
        frozen = " --frozen" if (root / "uv.lock").is_file() else ""
        members = " --all-packages" if isinstance(tools.get("uv"), dict) and "workspace" in tools["uv"] else ""
        yield Runner(
            "uv",
            "uv.lock" if frozen else "[tool.uv] in pyproject.toml",
            (f"{PIP} uv", f"uv sync{frozen}{members}{_options(extra=needed.extras, group=needed.groups)}"),
            "uv pip install",
            "uv run --no-sync python -m pytest",
            (("UV_PYTHON", python),),
        )
    if (root / "poetry.lock").is_file() or isinstance(tools.get("poetry"), dict):
        optional = tuple(name for name in needed.groups if name in needed.optional_groups)
        words = _options(extras=needed.extras) + "".join(f" --with {shlex.quote(name)}" for name in optional)
        yield Runner(
            "poetry",
            "poetry.lock" if (root / "poetry.lock").is_file() else "[tool.poetry] in pyproject.toml",
            (f"{PIP} poetry", f"poetry install{words}"),
            "poetry run python -m pip install",
            "poetry run python -m pytest",
        )
    pdm = tools.get("pdm")
    if (root / "pdm.lock").is_file() or (isinstance(pdm, dict) and "dev-dependencies" in pdm):
        groups = "".join(f" -G {shlex.quote(name)}" for name in (*needed.extras, *needed.groups))
        yield Runner(
            "pdm",
            "pdm.lock" if (root / "pdm.lock").is_file() else "[tool.pdm] in pyproject.toml",
            (f"{PIP} pdm", f"pdm install{groups}", "pdm run python -m ensurepip"),
            "pdm run python -m pip install",
            "pdm run python -m pytest",
        )


def _hatch(data: Mapping[str, Any]) -> Iterator[Runner]:
    """Yield the hatch environments whose dependencies name pytest, those made for benchmarks first."""
    from jarvisperf.cli.init.requirements import BENCHMARK_PLUGINS, PYTEST, names_of

    hatch = data.get("tool", {}).get("hatch")
    environments = hatch.get("envs", {}) if isinstance(hatch, dict) else {}
    found = []
    for name, table in environments.items():
        if not isinstance(table, dict) or "matrix" in table or "template" in table:
            continue  # a matrix runs a command in all of its environments
        names = names_of([*table.get("dependencies", []), *table.get("extra-dependencies", [])])
        if names & (PYTEST | BENCHMARK_PLUGINS):
            is_uv = table.get("installer") == "uv"
            words = "" if name == "default" else f"{shlex.quote(name)}:"
            runner = Runner(
                "hatch",
                f"[tool.hatch.envs.{name}] in pyproject.toml",
                (f"{PIP} hatch", f"hatch env create {shlex.quote(name)}"),
                f"hatch run {words}{'uv' if is_uv else 'python -m'} {'pip install'}",
                f"hatch run {words}python -m pytest",
            )
            found.append((not names & BENCHMARK_PLUGINS, name != "default", name, runner))
    yield from (runner for *_, runner in sorted(found, key=lambda one: one[:3]))


def _tox(root: Path, data: Mapping[str, Any]) -> Iterator[tuple[Runner, bool]]:
    """Yield the tox environments that run pytest, and whether each was made for benchmarks."""
    for file, sections in _tox_sections(root, data):
        for name, text in sorted(sections.items(), key=lambda item: (item[0] != "", item[0])):
            if "pytest" not in text or any(mark in name for mark in "{},"):
                continue
            environment = name or "py"
            insisted = BASE_PYTHON.search(text)
            yield (
                Runner(
                    "tox",
                    f"the environment {environment} of {file}",
                    (f"{PIP} {'tox-uv' if 'tox-uv' in text else 'tox'}", f"tox run -e {environment} --notest"),
                    f".tox/{environment}/bin/python -m pip install",
                    f".tox/{environment}/bin/python -m pytest",
                    python=insisted[1] if insisted else None,
                ),
                bool(FOR_BENCHMARKS.search(name)),
            )


def _tox_sections(root: Path, data: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield tox's configuration: the file, and the text of each environment by name (empty: the base of all)."""
    import json
    import tomllib

    for file in ("tox.ini", "setup.cfg"):
        if not (root / file).is_file():
            continue
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string((root / file).read_text(encoding="utf-8", errors="replace"))
        except configparser.Error:  # tox reports it
            continue
        names = {section: re.fullmatch(r"testenv(?::(.+))?", section) for section in parser.sections()}
        sections = {
            match[1] or "": "\n".join(f"{key} = {value}" for key, value in parser[section].items())
            for section, match in names.items()
            if match
        }
        if sections:
            yield file, sections
    tables: list[tuple[str, Any]] = [("pyproject.toml", data.get("tool", {}).get("tox"))]
    if (root / "tox.toml").is_file():
        with contextlib.suppress(ValueError, OSError):  # tox reports it
            tables.append(("tox.toml", tomllib.loads((root / "tox.toml").read_text(encoding="utf-8"))))
    for file, table in tables:
        if isinstance(table, dict):
            base = {"": json.dumps(table["env_run_base"], default=str)} if "env_run_base" in table else {}
            own = {name: json.dumps(env, default=str) for name, env in table.get("env", {}).items()}
            yield file, base | own


def _nox(root: Path, python: str) -> Iterator[tuple[Runner, bool]]:
    """Yield the nox sessions that run pytest, and whether each was made for benchmarks."""
    path = root / "noxfile.py"
    if not path.is_file():
        return
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # nox reports it
        return
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef) or "pytest" not in ast.unparse(node):
            continue
        name = _nox_session(node, python)
        if name is not None:
            folder = re.sub(r"[^a-zA-Z0-9_.]+", "-", name.replace(".", "-"))
            yield (
                Runner(
                    "nox",
                    f"the session {name} of noxfile.py",
                    (f"{PIP} nox uv", f"nox --session {shlex.quote(name)} --install-only"),
                    f"uv pip install --python .nox/{folder}",
                    f".nox/{folder}/bin/python -m pytest",
                ),
                bool(FOR_BENCHMARKS.search(node.name)),
            )


def _nox_session(node: ast.FunctionDef, python: str) -> str | None:
    """Return a session's name for a Python; None if only running the file can tell."""
    name, is_session = node.name, False
    for decorator in node.decorator_list:
        call = decorator.func if isinstance(decorator, ast.Call) else decorator
        word = ast.unparse(call).rpartition(".")[2]
        if word == "parametrize":
            return None
        if word != "session":
            continue
        is_session = True
        for keyword in decorator.keywords if isinstance(decorator, ast.Call) else ():
            if keyword.arg in {"name", "python"}:
                try:
                    value = ast.literal_eval(keyword.value)
                except ValueError:
                    return None
                if keyword.arg == "name":
                    name = str(value)
                elif isinstance(value, list | tuple):
                    if python not in value:
                        return None
                    name = f"{name}-{python}"
    return name if is_session else None


def _pip(root: Path, needed: Requirements) -> Runner:
    """Return pip with the project, its extras and groups, or else its requirement files."""
    lines = []
    if needed.groups:
        lines.append(f"{PIP} --upgrade pip")  # groups need pip 25.1
    words = ""
    if is_installable(root):
        extras = f"[{','.join(needed.extras)}]" if needed.extras else ""
        words = f" -e {shlex.quote(f'.{extras}')}" if extras else " -e ."
    words += _options(group=needed.groups)
    if not needed.extras and not needed.groups:
        files = needed.files
        if not files and not words and (root / "requirements.txt").is_file():
            files = ("requirements.txt",)
        words += "".join(f" -r {shlex.quote(file)}" for file in files)
    if words:
        lines.append(PIP + words)
    evidence = ", ".join((*needed.extras, *needed.groups)) or ", ".join(needed.files)
    return Runner("pip", f"pytest is in {evidence}" if evidence else "", tuple(lines), PIP, "python -m pytest")
