"""The plugin's command line options and the ini keys of the same names, as pytest registers them."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import pytest

DEFAULT_BUDGET_SECONDS = 2.0
FEWEST_LAUNCHES, MOST_LAUNCHES = 2, 12  # the last look of gate.verdict, which a plain pytest run never imports
# Written down here because a session that measures nothing does not load the metrics themselves.
DEFAULT_THRESHOLDS = (
    "time=5%, memory=10%, startup=10%, allocations=5%, allocated_bytes=5%, import_time=10%, quality=2%, instructions=1%"
)


class _Option(NamedTuple):
    """An option as it is registered.

    Attributes:
        name: Its name after ``--jarvis-``.
        metavar: What stands for its value in the help; empty: it is a switch.
        text: What it does.
        default: Its default, as in an ini file; empty: none.
        without: What happens without it, if there is no default.
    """

    name: str
    metavar: str
    text: str
    default: str = ""
    without: str = "off"

    @property
    def shown_default(self) -> str:
        """The default as the help shows it."""
        return self.default or self.without

    @property
    def key(self) -> str:
        """Its name as an ini key, and as pytest keeps its value."""
        return f"jarvis_{self.name.replace('-', '_')}"


# In the order of use: measure, compare with a revision, compare with stored runs, report, explain, divide.
OPTIONS = (
    _Option("bench", "", "Measure. Without it, benchmark tests run their target once, as ordinary quick tests."),
    _Option("budget", "SECONDS", "Measuring time per benchmark.", f"{DEFAULT_BUDGET_SECONDS:g}"),
    _Option("metrics", "NAMES", "What jarvis_bench(func) measures: time, memory, allocations, or several.", "time"),
    _Option(
        "against",
        "REV",
        "Compare in lockstep with a git revision: the merge base of REV and HEAD.",
        without="do not compare",
    ),
    _Option("against-exact", "", "Compare with the revision itself, not with its merge base."),
    _Option("affected", "", "Run only the benchmarks that the change can have affected; when in doubt, run."),
    _Option(
        "threshold",
        "5%",
        "How much worse a metric may get: 5% (time), time=5%,memory=10%, or off.",
        without=DEFAULT_THRESHOLDS,
    ),
    _Option("inconclusive", "pass|fail", "How to treat an inconclusive verdict.", "pass"),
    _Option("witness", "auto|never", "Whether to count instructions where time cannot tell.", "auto"),
    _Option("allow-missing", "", "Do not fail for benchmarks that exist in base but not in head."),
    _Option("launches", "N", "Maximum number of launches in lockstep.", str(MOST_LAUNCHES)),
    _Option("resume", "", "Take over what an interrupted run of the same comparison decided; measure the rest."),
    _Option(
        "arm-install",
        "CMD",
        "Command that installs the project into each arm, in its own virtual environment.",
        without="the arms run from their sources",
    ),
    _Option(
        "prove",
        "MINUTES",
        "Prove the gate on this suite instead of measuring it, for this long: see jarvisperf prove.",
        without="off",
    ),
    _Option("save", "NAME", "Store this run under a name.", without="do not store it"),
    _Option("compare", "NAME", "Compare with stored runs: a name, a commit, or latest.", without="do not compare"),
    _Option("confirm", "auto|never", "Whether to measure again in lockstep what stored runs cannot decide.", "auto"),
    _Option("store", "URL", "Where runs are kept: a folder, relative to the root folder, or a URL.", ".jarvisperf"),
    _Option("report", "DIR", "Folder for the report, relative to the root folder.", "reports"),
    _Option("report-formats", "NAMES", "Formats of the report to write, such as json,html.", without="all of them"),
    _Option(
        "repository",
        "URL",
        "The repository's web address, for links to commits and lines; off: no links.",
        without="that of git's remote origin",
    ),
    _Option("profile", "", "Profile every benchmark after measuring it."),
    _Option(
        "profile-engine",
        "ENGINE",
        "Profiler to use: pyinstrument, cprofile, memray or profile_function.",
        "pyinstrument",
    ),
    _Option(
        "shard",
        "N/M",
        "Run the Nth of M parts of the benchmarks; join them with: jarvisperf merge.",
        without="run all of them",
    ),
    _Option(
        "redis", "auto|fake|URL", "Redis for the fixtures; auto: a private real server if one is installed.", "auto"
    ),
)


def add_options(parser: pytest.Parser) -> None:
    """Register the options, each with an ini key of the same name with underscores."""
    group = parser.getgroup("jarvisperf", "benchmarks (jarvisperf): measure, compare, store, report")
    for option in OPTIONS:
        text = f"{option.text} Default: {option.shown_default}.".replace("%", "%%")
        see = f"see --jarvis-{option.name}"
        if option.metavar:
            group.addoption(f"--jarvis-{option.name}", metavar=option.metavar, default=None, help=text)
            parser.addini(option.key, see, default=option.default)
        else:
            group.addoption(f"--jarvis-{option.name}", action="store_true", default=None, help=text)
            parser.addini(option.key, see, type="bool", default=False)
    parser.addini("jarvis_shared", "files and folders of which both arms use head's version", type="args", default=[])


def are_defaults(config: pytest.Config) -> bool:
    """Return whether every option has its default, both on the command line and in the configuration file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pytest warns about a list where it expects text; that is not the default
        return all(_is_default(config, option) for option in OPTIONS) and not config.getini("jarvis_shared")


def _is_default(config: pytest.Config, option: _Option) -> bool:
    if config.getoption(option.key, None) is not None:
        return False
    try:
        value = config.getini(option.key)
    except (TypeError, ValueError, pytest.UsageError):  # it is set, and read or rejected later
        return False
    return bool(value == (option.default if option.metavar else False))
