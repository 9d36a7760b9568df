"""Which of this pytest's arguments a worker gets: what shapes the tests, not what selects, shows or reports them."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pytest

# With a value, either behind "=" or as the next word.
DROPPED_WITH_VALUE = frozenset(
    {
        "-k",
        "-m",
        "-n",
        "-r",
        "-c",
        "-o",
        "--numprocesses",
        "--dist",
        "--tx",
        "--maxprocesses",
        "--maxfail",
        "--junitxml",
        "--junit-xml",
        "--junitprefix",
        "--junit-prefix",
        "--tb",
        "--show-capture",
        "--capture",
        "--color",
        "--code-highlight",
        "--durations",
        "--durations-min",
        "--rootdir",
        "--confcutdir",
        "--basetemp",
        "--deselect",
        "--log-file",
        "--html",
        "--report-log",
        "--json-report-file",
        "--pastebin",
        "--verbosity",
        "--cov",
        "--cov-report",
        "--cov-config",
        "--cov-context",
        "--cov-fail-under",
        "--config-file",
        "--pdbcls",
        "--last-failed-no-failures",
        "--lfnf",
        "--alluredir",
        "--benchmark-json",
        "--benchmark-save",
        "--benchmark-compare",
        "--benchmark-compare-fail",
        "--benchmark-histogram",
        "--benchmark-storage",
    }
)
DROPPED_FLAGS = frozenset(
    {
        "-x",
        "-s",
        "-l",
        "-q",
        "-v",
        "-vv",
        "-vvv",
        "-qq",
        "--exitfirst",
        "--lf",
        "--last-failed",
        "--ff",
        "--failed-first",
        "--nf",
        "--new-first",
        "--sw",
        "--stepwise",
        "--sw-skip",
        "--stepwise-skip",
        "--pdb",
        "--trace",
        "--co",
        "--collect-only",
        "--setup-only",
        "--setup-show",
        "--setup-plan",
        "--cache-clear",
        "--quiet",
        "--verbose",
        "--showlocals",
        "--no-cov",
        "--cov-append",
        "--cov-branch",
        "--no-header",
        "--no-summary",
        "--benchmark-autosave",
        "--benchmark-skip",
        "--benchmark-only",
        "--benchmark-disable",
        "--benchmark-enable",
    }
)
# Plugins that cannot matter to a benchmark, by the prefix of their options: importing them takes longer than most
# benchmarks do, in every launch.
USELESS_PLUGINS = {
    "hypothesispytest": "--hypothesis",
    "xdist": "--xdist",
    "xdist.looponfail": "--xdist",
    "pytest_cov": "--cov",
    "html": "--html",
    "metadata": "--metadata",
    "jsonreport": "--json",
    "allure_pytest": "--allure",
}
OUR_FLAGS = frozenset({"--jarvis-bench", "--jarvis-against-exact", "--jarvis-allow-missing", "--jarvis-profile"})


def worker_arguments(config: pytest.Config, files: Iterable[str], config_file: Path | None) -> list[str]:
    """Build a worker's arguments.

    Args:
        config: This pytest's.
        files: The benchmark files, relative to the root folder.
        config_file: Where the worker finds its configuration, relative to its folder; None: it has none.
    """
    from_environment = shlex.split(os.environ.get("PYTEST_ADDOPTS", ""))
    given = [*config.getini("addopts"), *from_environment, *config.invocation_params.args]
    kept = _kept([str(word) for word in given], frozenset(map(str, config.option.file_or_dir or ())))
    quiet = ["-p", "no:cacheprovider", "-p", "no:terminalreporter", "--continue-on-collection-errors", "-o", "addopts="]
    for plugin, prefix in USELESS_PLUGINS.items():
        if not any(word.startswith(prefix) for word in kept):
            quiet += ["-p", f"no:{plugin}"]
    if config_file is not None:
        quiet += ["-c", str(config_file)]
    return [*kept, *quiet, *files]


def _kept(words: Sequence[str], positionals: frozenset[str]) -> list[str]:
    kept: list[str] = []
    skip_value = False
    for word in words:
        if skip_value:
            skip_value = False
            continue
        name, equals, _ = word.partition("=")
        if name.startswith("--jarvis-"):
            skip_value = not equals and name not in OUR_FLAGS
        elif name in DROPPED_WITH_VALUE:
            skip_value = not equals
        elif word in DROPPED_FLAGS or word in positionals or _is_joined_short(word):
            continue
        else:
            kept.append(word)
    return kept


def _is_joined_short(word: str) -> bool:
    """Tell whether a word is a dropped short option with its value behind it, like ``-n4`` or ``-rA``."""
    return len(word) > 2 and word[0] == "-" and word[1] != "-" and word[:2] in {"-k", "-m", "-n", "-r", "-o"}
