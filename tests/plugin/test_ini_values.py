"""Tests every ini key, in ini files and in pytest's native TOML tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jarvisperf.measure.metrics import BUILT_IN
from pytest_jarvisperf.options import read_options

if TYPE_CHECKING:
    from pytest_jarvisperf.options import Options

pytestmark = pytest.mark.usefixtures("as_installed")
native = pytest.mark.skipif(pytest.version_tuple < (9,), reason="pytest has native TOML tables from version 9 on")

AS_TEXT = {
    "jarvis_bench": "true",
    "jarvis_budget": "0.25",
    "jarvis_against": "1234567",
    "jarvis_against_exact": "yes",
    "jarvis_affected": "yes",
    "jarvis_threshold": "time=3%,memory=7%",
    "jarvis_launches": "4",
    "jarvis_inconclusive": "fail",
    "jarvis_witness": "never",
    "jarvis_resume": "true",
    "jarvis_allow_missing": "on",
    "jarvis_arm_install": "pip install '.[fast x]'",
    "jarvis_shared": "data 'more data'",
    "jarvis_prove": "2",
    "jarvis_save": "main",
    "jarvis_compare": "v1",
    "jarvis_store": "runs",
    "jarvis_confirm": "never",
    "jarvis_report": "out",
    "jarvis_report_formats": "json, html",
    "jarvis_repository": "https://github.com/ada/project",
    "jarvis_redis": "fake",
    "jarvis_profile": "1",
    "jarvis_profile_engine": "cprofile",
    "jarvis_shard": "1/4",
    "jarvis_metrics": "time,memory",
}
AS_TOML = {
    **{name: f'"{value}"' for name, value in AS_TEXT.items()},
    "jarvis_bench": "true",
    "jarvis_budget": "0.25",
    "jarvis_against": "1234567",
    "jarvis_against_exact": "true",
    "jarvis_affected": "true",
    "jarvis_threshold": '["time=3%", "memory=7%"]',
    "jarvis_launches": "4",
    "jarvis_prove": "2.0",
    "jarvis_resume": "true",
    "jarvis_allow_missing": "true",
    "jarvis_arm_install": '["pip", "install", ".[fast x]"]',
    "jarvis_shared": '["data", "more data"]',
    "jarvis_report_formats": '["json", "html"]',
    "jarvis_profile": "true",
    "jarvis_metrics": '["time", "memory"]',
}


def options_of(pytester: pytest.Pytester, *words: str) -> Options:
    return read_options(pytester.parseconfig(*words))


def check(options: Options, pytester: pytest.Pytester) -> None:
    flags = (options.bench, options.exact, options.affected, options.allows_missing, options.profile)
    assert flags == (True,) * 5
    assert (options.budget_seconds, options.launches) == (0.25, 4)
    assert (options.against, options.save, options.compare) == ("1234567", "main", "v1")
    assert options.thresholds == BUILT_IN.thresholds | {"time": 0.03, "memory": 0.07}
    assert options.metrics == ("time", "memory")
    assert options.fails_inconclusive
    assert options.arm_install == "pip install '.[fast x]'"
    assert options.repository == "https://github.com/ada/project"
    assert options.shared == ("data", "more data")
    assert (options.store, options.redis, options.profile_engine) == ("runs", "fake", "cprofile")
    assert not options.confirms
    assert not options.witnesses
    assert options.resumes
    assert options.prove_seconds == 120.0
    assert options.report_folder == pytester.path / "out"
    assert options.report_formats == ("json", "html")
    assert str(options.shard) == "1/4"


def test_every_key_is_read_from_an_ini_file(pytester: pytest.Pytester):
    pytester.makeini("\n".join(["[pytest]", *(f"{name} = {value}" for name, value in AS_TEXT.items())]))
    check(options_of(pytester), pytester)


def test_every_key_is_read_as_text_from_ini_options(pytester: pytest.Pytester):
    lines = [f'{name} = "{value}"' for name, value in AS_TEXT.items()]
    pytester.makepyprojecttoml("\n".join(["[tool.pytest.ini_options]", *lines]))
    check(options_of(pytester), pytester)


def test_every_key_is_read_with_its_toml_type_from_ini_options(pytester: pytest.Pytester):
    lines = [f"{name} = {value}" for name, value in AS_TOML.items()]
    pytester.makepyprojecttoml("\n".join(["[tool.pytest.ini_options]", *lines]))
    check(options_of(pytester), pytester)


@native
@pytest.mark.parametrize(
    ("file", "table"), [("pyproject.toml", "tool.pytest"), ("pytest.toml", "pytest"), (".pytest.toml", "pytest")]
)
@pytest.mark.parametrize(
    "values", [AS_TOML, {name: f'"{value}"' for name, value in AS_TEXT.items()}], ids=["typed", "text"]
)
def test_every_key_is_read_from_a_native_table_typed_or_as_text(
    pytester: pytest.Pytester, file: str, table: str, values: dict[str, str]
):
    text = "\n".join([f"[{table}]", *(f"{name} = {value}" for name, value in values.items())])
    (pytester.path / file).write_text(text)
    check(options_of(pytester), pytester)


@native
def test_the_keys_of_these_tests_are_all_that_there_are(pytester: pytest.Pytester):
    keys = {name for name in pytester.parseconfig()._parser._inidict if name.startswith("jarvis_")}
    assert keys == set(AS_TEXT)


@native
def test_the_command_line_goes_before_a_native_table(pytester: pytest.Pytester):
    pytester.makepyprojecttoml("[tool.pytest]\njarvis_budget = 0.5\njarvis_launches = 4\njarvis_bench = true")
    options = options_of(pytester, "--jarvis-budget", "0.1", "-o", "jarvis_launches=6", "-o", "jarvis_bench=false")
    assert (options.budget_seconds, options.launches, options.bench) == (0.1, 6, False)


@native
@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("jarvis_budget = true", "jarvis_budget: True is not allowed; give a number of seconds above 0"),
        ("jarvis_budget = 0", "jarvis_budget: 0 is not allowed; give a number of seconds above 0"),
        ("jarvis_launches = 4.5", "jarvis_launches: 4.5 is not allowed; give a whole number from 2 to 12"),
        ("jarvis_launches = true", "jarvis_launches: True is not allowed; give a whole number from 2 to 12"),
        ('jarvis_profile = "maybe"', "jarvis_profile: 'maybe' is not allowed; give true or false"),
        ("jarvis_profile = 2", "jarvis_profile: 2 is not allowed; give true or false"),
        ("jarvis_shared = [1]", "jarvis_shared: [1] is not allowed; give a list of texts"),
        ("jarvis_shared = false", "jarvis_shared: False is not allowed; give a list of texts"),
        ("jarvis_threshold = 5", "jarvis_threshold: '5' is not allowed; give a percentage like '5%' or 'off'"),
        ("jarvis_threshold = false", "jarvis_threshold: False is not allowed; give text in quotes"),
        ("jarvis_save = false", "jarvis_save: False is not allowed; give text in quotes"),
        ("jarvis_redis = ['fake']", "jarvis_redis: ['fake'] is not allowed; give text in quotes"),
        ("jarvis_confirm = 2026-11-29", "is not allowed; give text in quotes"),
    ],
)
def test_a_wrong_value_in_a_native_table_is_one_line_that_names_key_value_and_forms(
    pytester: pytest.Pytester, line: str, complaint: str
):
    pytester.makepyprojecttoml(f"[tool.pytest]\n{line}")
    with pytest.raises(pytest.UsageError) as error:
        options_of(pytester)
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


def test_a_wrong_flag_in_an_ini_file_is_a_usage_error_that_names_the_key(pytester: pytest.Pytester):
    pytester.makeini("[pytest]\njarvis_profile = maybe")
    result = pytester.runpytest_subprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*jarvis_profile: *'maybe'*"])


@native
def test_a_run_that_measures_takes_numbers_from_a_native_table(pytester: pytest.Pytester):
    pytester.makepyprojecttoml(
        '[tool.pytest]\nminversion = "9.0"\nstrict = true\njarvis_bench = true\njarvis_budget = 0.05'
    )
    pytester.makepyfile("def test_a(jarvis_bench): jarvis_bench(lambda: None)")
    result = pytester.runpytest_subprocess()
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*measuring, 0.05 s per benchmark*"])
