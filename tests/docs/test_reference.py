"""The generated reference has everything that the code offers."""

from __future__ import annotations

import importlib
import re

import pytest
from generate import reference

from jarvisperf.measure.metrics import BUILT_IN
from pytest_jarvisperf.markers import jarvis, pytest_benchmark
from pytest_jarvisperf.start.marker_names import BENCHMARK_MARKERS


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return reference.reference_pages()


def test_every_option_that_the_plugin_registers_is_listed(pages: dict[str, str], request: pytest.FixtureRequest):
    parser = request.config._parser
    registered = {name for group in parser._groups for option in group.options for name in option.names()}
    ours = {name for name in registered if name.startswith("--jarvis-")}
    assert len(ours) > 15
    assert ours == set(re.findall(r"^\| `(--jarvis-[a-z-]+)", pages["options.md"], flags=re.MULTILINE))


def test_every_ini_key_that_the_plugin_registers_is_listed(pages: dict[str, str], request: pytest.FixtureRequest):
    ours = {name for name in request.config._parser._inidict if name.startswith("jarvis_")}
    assert len(ours) > 15
    assert ours == set(re.findall(r"^\| `(jarvis_[a-z_]+)`", pages["options.md"], flags=re.MULTILINE))


def test_every_marker_and_its_keywords_are_listed(pages: dict[str, str], request: pytest.FixtureRequest):
    registered = {line.partition("(")[0] for line in request.config.getini("markers")}
    ours = {name for name in registered if name.startswith("jarvis_")} | set(BENCHMARK_MARKERS)
    assert ours == set(re.findall(r"^## `(\w+)`", pages["markers.md"], flags=re.MULTILINE))
    for keys in [*jarvis.marker_keys(BUILT_IN).values(), pytest_benchmark.KEYS]:
        assert all(f"| `{key}` |" in pages["markers.md"] for key in keys)


def test_every_fixture_of_the_plugin_is_listed_with_a_description(pytester: pytest.Pytester):
    printed = pytester.runpytest("--fixtures", "-p", "no:asyncio").stdout.str()
    ours = set(re.findall(r"^(\w+) (?:\[\w+ scope\] )?-- .*pytest_jarvisperf", printed, flags=re.MULTILINE))
    assert {"jarvis_bench", "tiered_cache", "redis_faults"} <= ours
    listed = reference.fixtures()
    assert ours <= listed.keys()
    assert all(listed.values())


def test_every_public_name_is_on_a_page(pages: dict[str, str]):
    for room, modules in reference.FACES.items():
        for name in modules:
            for public in importlib.import_module(name).__all__:
                assert f"::: {name}.{public}\n" in pages[f"api/{room}.md"]


def test_every_command_is_listed_with_its_help_and_exit_statuses(pages: dict[str, str]):
    names = reference.commands()
    assert {"jarvisperf merge", "jarvisperf runs prune", "jarvisperf cache doctor"} <= names.keys()
    for name in names:
        assert f"## {name}\n" in pages["commands.md"]
        assert name.count(" ") == 0 or f"usage: {name} " in pages["commands.md"]
    assert "`jarvisperf merge`" in pages["exit-statuses.md"]


def test_every_hook_is_listed(pages: dict[str, str], request: pytest.FixtureRequest):
    known = {name for name in vars(request.config.hook) if name.startswith("pytest_jarvis_")}
    assert len(known) >= 5
    assert known == set(re.findall(r"hooks\.(pytest_jarvis_\w+)", pages["hooks.md"]))


def test_every_environment_variable_is_listed_and_explained(pages: dict[str, str]):
    variables = reference.environment_variables()
    assert "JARVISPERF_REDIS_URL" in variables
    for name in variables:
        assert re.search(rf"^\| `{name}` \| \S+", pages["environment.md"], flags=re.MULTILINE), name


def test_every_type_of_the_reports_schema_is_listed_with_its_fields(pages: dict[str, str]):
    import msgspec

    from jarvisperf.report.findings.model import Findings

    assert "## Findings" in pages["report-json.md"]
    for field in msgspec.structs.fields(Findings):
        assert f"| `{field.encode_name}` |" in pages["report-json.md"]


def test_error_messages_are_listed_with_what_they_insert(pages: dict[str, str]):
    raised = [message for found in reference.error_messages().values() for _, message in found]
    assert len(raised) > 250
    assert "give a number of seconds above 0" in pages["errors.md"]
    assert all(path in pages["errors.md"] for path in reference.error_messages())
