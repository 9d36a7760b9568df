"""The reference pages that are written by the code itself: `reference_pages` returns their Markdown by file name."""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jarvisperf.cli.main import make_parser
from jarvisperf.measure.metrics import BUILT_IN
from jarvisperf.runs.tables.rows import RESULT_COLUMNS, RUN_COLUMNS
from jarvisperf.settings import Settings
from pytest_jarvisperf import hooks
from pytest_jarvisperf.markers import jarvis, pytest_benchmark
from pytest_jarvisperf.start.option_table import add_options

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[2]
PACKAGES = ("jarvisperf", "pytest_jarvisperf")
SCHEMA = ROOT / "jarvisperf" / "report" / "schema" / "report-1.schema.json"
FACES = {
    "cache": ("jarvisperf.cache", "jarvisperf.cache.testing"),
    "rag": ("jarvisperf.rag",),
    "bench": ("jarvisperf.bench",),
    "measure": ("jarvisperf.measure", "jarvisperf.measure.metrics"),
    "runs": ("jarvisperf.runs",),
    "report": ("jarvisperf.report",),
    "history": ("jarvisperf.history",),
    "profiles": ("jarvisperf.profiles",),
}
MARKER_NOTES = {
    "jarvis_bench": "How to measure a benchmark.",
    "jarvis_threshold": "How much worse each metric may get, and absolute limits.",
    "jarvis_profile": "Profile the benchmark after measuring it.",
    "jarvis_cache": "The tiers of the fixture `tiered_cache`.",
    "benchmark": "Measure the test, as with pytest-benchmark and pytest-codspeed.",
    "codspeed_benchmark": "Measure the test, as with pytest-codspeed.",
}


def reference_pages() -> dict[str, str]:
    """Return every generated page of the reference: Markdown by its path below `reference/`."""
    pages = {
        "options.md": _options(),
        "markers.md": _markers(),
        "fixtures.md": _fixtures(),
        "hooks.md": _hooks(),
        "commands.md": _commands(),
        "exit-statuses.md": _exit_statuses(),
        "environment.md": _environment(),
        "report-json.md": _schema(),
        "errors.md": _errors(),
        "tables.md": _tables(),
    }
    return pages | {f"api/{room}.md": _api(room, modules) for room, modules in FACES.items()}


def _cell(text: object) -> str:
    """Return a text that fits into a cell of a Markdown table; in code, a bar needs no escape there."""
    parts = re.split(r"(`+[^`]*`+)", re.sub(r"\s+", " ", str(text)).strip())
    return "".join(part if part.startswith("`") else part.replace("|", "\\|") for part in parts)


def _table(*header: str, rows: Iterable[Iterable[object]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(map(_cell, row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


class RegisteredOptions:
    """Stands in for pytest's parser and keeps what the plugin registers.

    Attributes:
        options: The keywords of each command line option, by its name.
        ini: The keywords of each ini key, by its name.
    """

    def __init__(self) -> None:
        self.options: dict[str, dict[str, Any]] = {}
        self.ini: dict[str, dict[str, Any]] = {}
        add_options(self)  # type: ignore[arg-type]

    def getgroup(self, *_: str) -> RegisteredOptions:
        """Return itself: there is one group."""
        return self

    def addoption(self, name: str, **keywords: Any) -> None:
        """Keep an option."""
        self.options[name] = keywords

    def addini(self, name: str, text: str, **keywords: Any) -> None:
        """Keep an ini key."""
        self.ini[name] = {"text": text, **keywords}


def _options() -> str:
    registered = RegisteredOptions()

    def of_options() -> Iterator[tuple[str, ...]]:
        for name, keywords in registered.options.items():
            value = f" {keywords['metavar']}" if "metavar" in keywords else ""
            yield f"`{name}{value}`", keywords["help"].replace("%%", "%")

    def of_ini() -> Iterator[tuple[str, ...]]:
        for name, keywords in registered.ini.items():
            default = keywords.get("default")
            shown = f"`{default}`" if default not in ("", [], None) else "none"
            yield f"`{name}`", keywords.get("type", "text"), shown, keywords["text"]

    return (
        "# Options\n\nWhat the plugin registers with pytest. [The pytest plugin](pytest.md) explains how the options "
        "work together.\n\n## Command line\n\n"
        + _table("option", "meaning", rows=of_options())
        + "\n## Configuration file\n\nThe command line takes precedence.\n\n"
        + _table("key", "type", "default", "meaning", rows=of_ini())
    )


def _markers() -> str:
    keys = {
        **jarvis.marker_keys(BUILT_IN),
        **dict.fromkeys(("benchmark", "codspeed_benchmark"), pytest_benchmark.KEYS),
    }
    parts = [
        "# Markers\n\nMarkers take keywords only. They work on a test, a class or a module; the closest one wins.\n"
    ]
    for name, accepted in keys.items():
        parts.append(f"## `{name}` {{ #{name} }}\n\n{MARKER_NOTES[name]}\n")
        parts.append(_table("keyword", "value", rows=[(f"`{key}`", one.forms) for key, one in accepted.items()]))
    return "\n".join(parts)


def fixtures() -> dict[str, str]:
    """Return the docstring of every fixture that the plugin defines, by name."""
    found = {}
    own = ROOT / "pytest_jarvisperf" / "fixtures.py"
    for path in (own, *sorted(set((ROOT / "pytest_jarvisperf").rglob("*.py")) - {own})):  # those of bridges come last
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for decorator in map(ast.unparse, node.decorator_list):
                    if decorator.startswith("pytest.fixture"):
                        name = re.search(r"name=['\"](\w+)", decorator)
                        found[name[1] if name else node.name] = ast.get_docstring(node) or ""
    return found


def _fixtures() -> str:
    sections = [f"## `{name}` {{ #{name} }}\n\n{_as_markdown(text)}\n" for name, text in fixtures().items()]
    sections.append("## The object `jarvis_bench`\n\n::: pytest_jarvisperf.measuring.jarvis_bench.JarvisBench\n")
    return "# Fixtures\n\n" + "\n".join(sections)


def _as_markdown(docstring: str) -> str:
    return re.sub(r"``([^`]+)``", r"`\1`", docstring)


def hook_names() -> list[str]:
    """Return the names of the plugin's hooks."""
    return [name for name in vars(hooks) if name.startswith("pytest_jarvis_")]


def _hooks() -> str:
    note = textwrap.dedent((hooks.__doc__ or "").partition("\n")[2]).strip()
    sections = [f"::: pytest_jarvisperf.hooks.{name}\n" for name in hook_names()]
    return f"# Hooks\n\n{_as_markdown(note)}\n\n" + "\n".join(sections)


def commands() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of every sub-command, nested ones included, by its full name."""

    def below(parser: argparse.ArgumentParser, name: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
        yield name, parser
        for action in parser._actions:  # noqa: SLF001  # argparse has no public way to list sub-commands
            if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
                for child, nested in action.choices.items():
                    yield from below(nested, f"{name} {child}")

    return dict(below(make_parser(), "jarvisperf"))


def _commands() -> str:
    parts = ["# The command `jarvisperf`\n\nWhat `--help` prints.\n"]
    for name, parser in commands().items():
        parts.append(f"## {name}\n\n```text\n{parser.format_help().rstrip()}\n```\n")
    return "\n".join(parts)


def _exit_statuses() -> str:
    rows = []
    for name, parser in commands().items():
        told = (parser.epilog or "").partition("exit status:\n")[2]
        if told:
            statuses = dict(line.strip().split(" ", 1) for line in told.splitlines() if line.strip())
            rows.append((f"`{name}`", *(statuses.get(str(status), "") for status in range(3))))
    of_pytest = [
        (0, "every benchmark was measured, and none regressed, is missing or failed"),
        (1, "a test failed: a regression, a missing benchmark, a benchmark that raised; or nothing was measured"),
        (2, "the run was interrupted; the report has the verdicts reached by then"),
        (3, "an internal error of pytest or of a plugin"),
        (4, "wrong usage: the message names the option, marker or hook"),
        (5, "no test was collected"),
    ]
    return (
        "# Exit statuses\n\n## `pytest --jarvis-bench`\n\nThe exit status is pytest's own.\n\n"
        + _table("status", "meaning", rows=[(str(status), text) for status, text in of_pytest])
        + "\nAn inconclusive verdict passes with a warning unless `--jarvis-inconclusive fail` is given.\n"
        + "\n## `jarvisperf`\n\nAfter Ctrl-C every command exits with 130, and with 141 if its reader is gone."
        "\n\n" + _table("command", "0", "1", "2", rows=rows)
    )


def environment_variables() -> dict[str, list[str]]:
    """Return the environment variables that the packages name, each with the files that do."""
    found: dict[str, list[str]] = {}
    for path, tree in _sources():
        for node in ast.walk(tree):
            value = node.value if isinstance(node, ast.Constant) else None
            if isinstance(value, str) and re.fullmatch(r"JARVISPERF(_[A-Z]+)+", value):
                found.setdefault(value, []).append(path)
    return {name: sorted(set(paths)) for name, paths in sorted(found.items())}


def _environment() -> str:
    told = dict(re.findall(r"\w+: ``(JARVISPERF_\w+)``; (.+)", Settings.__doc__ or ""))
    rows = [
        (f"`{name}`", told.get(name, ""), ", ".join(f"`{path}`" for path in paths))
        for name, paths in environment_variables().items()
    ]
    return (
        "# Environment variables\n\nAn empty value counts as absent.\n\n"
        + _table("variable", "meaning", "named in", rows=rows)
        + "\n`NO_COLOR`, `TERM` and `COLUMNS` work as usual. `GITHUB_ACTIONS` and `GITHUB_STEP_SUMMARY` turn "
        "on annotations and the step summary.\n"
    )


def _schema() -> str:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    parts = [
        f"# `report.json`\n\nThe schema `{schema['$id']}` ([file](report-1.schema.json)). Fields are only ever added.\n"
    ]
    for name, shape in schema["$defs"].items():
        told, _, fields = shape.get("description", "").partition("Attributes:\n")
        meaning = {
            key: re.sub(r"``", "`", text)
            for key, text in re.findall(r"^    (\w+): ((?:.|\n {8})+)", fields, flags=re.MULTILINE)
        }
        parts.append(f"## {name} {{ #{name} }}\n\n{_as_markdown(told.strip())}\n")
        rows = [
            (f"`{field}`", _type(one), meaning.get(field, "")) for field, one in shape.get("properties", {}).items()
        ]
        parts.append(_table("field", "type", "meaning", rows=rows))
    return "\n".join(parts)


def _type(shape: dict[str, Any]) -> str:
    if "$ref" in shape:
        name = shape["$ref"].rpartition("/")[2]
        return f"[{name}](#{name})"
    if "anyOf" in shape:
        return " or ".join(map(_type, shape["anyOf"]))
    if "enum" in shape:
        return ", ".join(f"`{value}`" for value in shape["enum"])
    if shape.get("type") == "array":
        return f"list of {_type(shape['items'])}" if shape.get("items") else "list"
    return str(shape.get("type", "anything"))


def _tables() -> str:
    intro = (
        "# Tables of runs\n\nWhat `jarvisperf runs sql` answers from, and what the Parquet objects of `jarvisperf runs "
        "compact` hold. Columns are only ever added.\n\n`runs` has a row for each run and the first group of columns. "
        "`results` has a row for each metric of each benchmark of each run, and all columns. A Parquet object is "
        "`results`; a run without benchmarks is a row in it whose other columns are null.\n"
    )
    parts = [intro]
    for title, columns in (("Of the run", RUN_COLUMNS), ("Of the result", RESULT_COLUMNS)):
        rows = [(f"`{column.name}`", f"`{column.type}`", column.meaning) for column in columns]
        parts.append(f"## {title}\n\n" + _table("column", "type", "meaning", rows=rows))
    return "\n".join(parts)


def _sources() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def error_messages() -> dict[str, list[tuple[str, str]]]:
    """Return the exceptions that the code raises with a message of its own: (type, message) by file.

    What the message inserts is shown as `{expression}`.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for path, tree in _sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                kind = ast.unparse(node.exc.func)
                message = _message(node.exc.args[0])
                if message and (kind.endswith("Error") or kind.rpartition(".")[2] == "Failed"):
                    found.setdefault(path, []).append((kind, message))
    return found


def _message(node: ast.expr) -> str:
    """Return the text of a string or f-string; empty if the message is made elsewhere."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value)}}}"
            for part in node.values
            if isinstance(part, ast.Constant | ast.FormattedValue)
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _message(node.left) + _message(node.right)
    return ""


def _errors() -> str:
    parts = [
        "# Error messages\n",
        "Every message that the code raises, by the file that raises it. Braces stand for what the message inserts.\n",
    ]
    for path, raised in error_messages().items():
        rows = [(f"`{kind}`", _code(message)) for kind, message in dict.fromkeys(raised)]
        parts.append(f"## `{path}`\n\n" + _table("type", "message", rows=rows))
    return "\n".join(parts)


def _code(text: str) -> str:
    """Return a text as inline code, whatever backticks it contains."""
    fence = "``" if "`" in text else "`"
    return f"{fence}{' ' if fence == '``' else ''}{re.sub(chr(10), ' ', text)}{' ' if fence == '``' else ''}{fence}"


def _api(room: str, modules: tuple[str, ...]) -> str:
    parts = [f"# jarvisperf.{room}\n"]
    for name in modules:
        module = importlib.import_module(name)
        about = (module.__doc__ or "").strip().partition("\n\n")[0]
        parts.append(
            f"{_as_markdown(about)}\n" if name == modules[0] else f"## Module `{name}`\n\n{_as_markdown(about)}\n"
        )
        parts += [f"::: {name}.{public}\n" for public in module.__all__]
    return "\n".join(parts)
