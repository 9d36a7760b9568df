"""Builds what a worker is told: its arguments, and those of its pytest, which affect tests, not selection or output."""

from __future__ import annotations

import os
import shlex
import sys
from collections import deque
from typing import TYPE_CHECKING, Any

from _pytest.config import default_plugins

from pytest_jarvisperf.arms.time_limits import stretched
from pytest_jarvisperf.markers.jarvis import read_bench_marker

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pytest

    from pytest_jarvisperf.arms.paths import ArmPaths
    from pytest_jarvisperf.options import Options

WORKER = "pytest_jarvisperf.arms.worker"
ENTRY = f"{WORKER}:main"

# The packages imported before the fork. If the project is one of them, nothing is imported before the fork.
PRELOADED_PACKAGES = frozenset(
    {
        "pytest",
        "_pytest",
        "py",
        "pluggy",
        "iniconfig",
        "packaging",
        "pygments",
        "typing_extensions",
        "msgspec",
        "jarvisperf",
        "pytest_jarvisperf",
    }
)

# Options that are not passed on; one spelling of each covers the others.
DROPPED = frozenset(
    {
        # selection
        "-k",
        "-m",
        "--deselect",
        "--lf",
        "--ff",
        "--nf",
        "--lfnf",
        "--sw",
        "--sw-skip",
        "--sw-reset",
        "--co",
        "--setup-only",
        "--setup-plan",
        "--cache-clear",
        "--pyargs",
        # stopping and debugging
        "-x",
        "--maxfail",
        "--pdb",
        "--pdbcls",
        "--trace",
        # terminal output
        "-q",
        "-v",
        "--verbosity",
        "-r",
        "-l",
        "-s",
        "--capture",
        "--show-capture",
        "--setup-show",
        "--tb",
        "--color",
        "--code-highlight",
        "--durations",
        "--durations-min",
        "--no-header",
        "--no-summary",
        "--debug",
        "--trace-config",
        # files
        "--junitxml",
        "--junitprefix",
        "--log-file",
        "--pastebin",
        "--html",
        "--report-log",
        "--json-report",
        "--alluredir",
        "--cov",
        "--cov-report",
        "--benchmark-json",
        "--benchmark-save",
        "--benchmark-autosave",
        "--benchmark-storage",
        # pytest-benchmark
        "--benchmark-compare",
        "--benchmark-compare-fail",
        "--benchmark-histogram",
        "--benchmark-skip",
        "--benchmark-only",
        "--benchmark-disable",
        "--benchmark-enable",
        # folders and processes
        "-c",
        "--rootdir",
        "--confcutdir",
        "--basetemp",
        "-n",
        "-d",
        "-f",
        "--dist",
        "--tx",
        "--px",
        "--maxprocesses",
    }
)


def preloaded() -> tuple[str, ...]:
    """Return the modules to import once for both arms; asyncio only if something here has needed it."""
    needed = ("asyncio",) if "asyncio" in sys.modules else ()
    return (*needed, "pytest", *(f"_pytest.{name}" for name in default_plugins), WORKER)


def own_budgets(items: Iterable[pytest.Item]) -> dict[str, float]:
    """Return the measuring time that markers set, in seconds by id."""
    return {item.nodeid: seconds for item in items if (seconds := read_bench_marker(item).budget_seconds) is not None}


def orders(
    config: pytest.Config,
    options: Options,
    items: Sequence[pytest.Item],
    paths: ArmPaths,
    *,
    repository: Path,
    packages: Sequence[str] = (),
    names: Sequence[str] = (),
) -> dict[str, Any]:
    """Build the arguments of `arms.worker.main`.

    Args:
        config: The config of this pytest.
        options: This plugin's options.
        items: The benchmarks that the worker may have to measure.
        paths: Translates paths for the worker.
        repository: The top folder of the working tree.
        packages: Dotted names of the project's packages, which must come from the worker's checkout.
        names: Dotted names of the code in the checkouts.
    """
    words = worker_arguments(config, paths.files(items), paths.config_file())
    if config.pluginmanager.hasplugin("faulthandler") and (
        limit := float(config.getini("faulthandler_timeout") or 0.0)
    ):
        words += ["-o", f"faulthandler_timeout={stretched(limit, options.budget_seconds)}"]
    return {
        "pytest": words,
        "packages": list(packages),
        "names": list(names),
        "repository": str(repository),
        "filters": list(config.getini("filterwarnings")),
        "ids": [item.nodeid for item in items],
        "argv": sys.argv,
        "budget": options.budget_seconds,
        "budgets": own_budgets(items),
        "metrics": ",".join(options.metrics),
    }


def worker_arguments(config: pytest.Config, files: Iterable[str], config_file: Path | None) -> list[str]:
    """Build a worker's arguments.

    The worker loads the same plugins as this pytest, because the project may rely on their fixtures, markers, hooks,
    options and ini keys.

    Args:
        config: The config of this pytest.
        files: The benchmark files, relative to the root folder.
        config_file: The worker's configuration file, relative to its folder; None: no configuration file.
    """
    # Only argparse knows which options exist, and which of them take a value.
    parser: argparse.ArgumentParser = config._parser.optparser  # noqa: SLF001
    actions: Mapping[str, argparse.Action] = parser._option_string_actions  # noqa: SLF001
    from_environment = shlex.split(os.environ.get("PYTEST_ADDOPTS", ""))
    given = [*config.getini("addopts"), *from_environment, *map(str, config.invocation_params.args)]
    kept = [
        word
        for action, words in _options(parser._read_args_from_files(given), actions)  # noqa: SLF001  # for @file
        if not DROPPED.intersection(action.option_strings) and not _is_ours(action)
        for word in words
    ]
    words = ["-p", "no:terminalreporter", "--continue-on-collection-errors", "-o", "addopts="]
    if config.pluginmanager.hasplugin(
        "cacheprovider"
    ):  # give the arm its own cache folder, and no plugins that select tests by it
        words += ["-o", "cache_dir=.pytest_cache", "-p", "no:lfplugin", "-p", "no:nfplugin"]
    for plugin in _unused_plugins([*kept, *config.getini("required_plugins")]):
        words += ["-p", f"no:{plugin}"]
    if config_file is not None:
        words += ["-c", str(config_file)]
    return [*kept, *words, *files]


def _unused_plugins(asked: Iterable[str]) -> list[str]:
    """Return the plugins that no test can rely on; importing one costs about 6 ms in every launch."""
    names = ["xdist.looponfail"]
    if not any(word.startswith(("--hypothesis", "hypothesis")) for word in asked):
        names.append("hypothesispytest")
    return names


def _is_ours(action: argparse.Action) -> bool:
    return any(name.startswith("--jarvis-") for name in action.option_strings)


def _options(
    given: Iterable[str], actions: Mapping[str, argparse.Action]
) -> Iterator[tuple[argparse.Action, list[str]]]:
    """Find the options among arguments, as argparse does; yield each with its arguments, including its values."""
    words = deque(given)
    while words:
        word = words.popleft()
        if word == "--":
            return
        action, value = _meaning(word, actions)
        if action is None:
            continue
        if value is None:
            yield action, [word, *_values(action, words)]
        elif action.nargs == 0:  # flags in one word, like -xvs
            yield action, [word[:2]]
            words.appendleft(f"-{value}")
        else:
            yield action, [word]


def _meaning(word: str, actions: Mapping[str, argparse.Action]) -> tuple[argparse.Action | None, str | None]:
    """Return the option that a word stands for, and the value in the word; None: no option, no value."""
    name, equals, value = word.partition("=")
    if word in actions:
        return actions[word], None
    if equals and name in actions:
        return actions[name], value
    if word[:1] == "-" != word[1:2] and word[:2] in actions:
        return actions[word[:2]], word[2:]
    return None, None


def _values(action: argparse.Action, words: deque[str]) -> list[str]:
    """Remove an option's values from the front of the arguments."""
    count = 1 if action.nargs is None else action.nargs
    if isinstance(count, int):
        return [words.popleft() for _ in range(min(count, len(words)))]
    found: list[str] = []
    while words and not _is_option(words[0]) and not (count == "?" and found):
        found.append(words.popleft())
    return found


def _is_option(word: str) -> bool:
    return len(word) > 1 and word[0] == "-" and " " not in word
