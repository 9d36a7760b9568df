"""The plugin's command line options and their ini twins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_BUDGET_SECONDS = 2.0
REDIS_FORMS = "auto, fake, or a URL: redis://host:port/db, rediss://host:port/db, unix:///path"


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for.

    Attributes:
        bench: Measure.
        budget_seconds: Measuring time per benchmark.
        report_folder: Where the report goes.
        redis: What the Redis behind the fixtures is.
    """

    bench: bool
    budget_seconds: float
    report_folder: Path
    redis: str


def add_options(parser: pytest.Parser) -> None:
    """Tell pytest the options; each has an ini twin of the same name with underscores."""
    group = parser.getgroup("jarvisperf", "benchmarks (jarvisperf)")
    group.addoption(
        "--jarvis-bench",
        action="store_true",
        default=None,
        help="Measure. Without it benchmark tests run their target once, as ordinary quick tests.",
    )
    parser.addini("jarvis_bench", "measure, see --jarvis-bench", type="bool", default=False)
    for name, metavar, default, text in (
        ("budget", "SECONDS", f"{DEFAULT_BUDGET_SECONDS:g}", "Measuring time per benchmark."),
        ("report", "DIR", "reports", "Where the report goes, from the root folder."),
        (
            "redis",
            "auto|fake|URL",
            "auto",
            "Redis behind the fixtures; auto: a private real server where one can be had.",
        ),
    ):
        group.addoption(f"--jarvis-{name}", metavar=metavar, default=None, help=f"{text} Default: {default}.")
        parser.addini(f"jarvis_{name}", f"see --jarvis-{name}", default=default)


def read_options(config: pytest.Config) -> Options:
    """Read the options, the command line before the ini file.

    Raises:
        pytest.UsageError: A value is not allowed; the message names the option, the value and the allowed forms.
    """
    return Options(
        bench=_value(config, "jarvis_bench", bool),
        budget_seconds=_value(config, "jarvis_budget", parse_seconds),
        report_folder=config.rootpath / _value(config, "jarvis_report", _folder),
        redis=_value(config, "jarvis_redis", _redis),
    )


def _value(config: pytest.Config, name: str, parse: Callable[[Any], Any]) -> Any:
    given = config.getoption(name)
    if given is None:
        given = config.getini(name)
    try:
        return parse(given)
    except ValueError as error:
        raise pytest.UsageError(f"--{name.replace('_', '-')}: {error}") from None


def parse_seconds(value: object) -> float:
    """Read a positive number of seconds.

    Raises:
        ValueError: It is not one.
    """
    try:
        seconds = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError(f"{value!r} is not allowed, give a number of seconds above 0, like 2 or 0.5")
    return seconds


def _folder(value: str) -> Path:
    if not value.strip():
        raise ValueError("an empty name is not allowed, give a folder, like reports")
    return Path(value).expanduser()


def _redis(value: str) -> str:
    if value in {"auto", "fake"} or value.startswith(("redis://", "rediss://", "unix://")):
        return value
    raise ValueError(f"{value!r} is not allowed, give {REDIS_FORMS}")
