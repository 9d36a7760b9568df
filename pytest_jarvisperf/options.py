"""Reads the plugin's command line options and ini keys, which `start/option_table.py` registers."""

from __future__ import annotations

import itertools
import math
import os
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jarvisperf.measure.metrics import BUILT_IN
from pytest_jarvisperf.ini_values import as_command, as_flag, as_list_text, as_text, as_words, ini_value
from pytest_jarvisperf.start.option_table import FEWEST_LAUNCHES, MOST_LAUNCHES
from pytest_jarvisperf.usage_errors import usage_error

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from jarvisperf.measure.metrics import Metrics
    from jarvisperf.profiles.model import Engine
    from jarvisperf.runs.shard import Shard

NEVER_EMPTY = frozenset(
    {"jarvis_against", "jarvis_compare", "jarvis_save"}
)  # if empty by mistake, the run would look green without comparing anything
NEED_BENCH = ("against", "compare", "save", "prove", "resume")
SECONDS_PER_MINUTE = 60.0
FOLDER_OPTIONS = frozenset({"--jarvis-store", "--jarvis-report"})
REDIS_FORMS = "auto, fake, or a URL: redis://host:port/db, rediss://host:port/db, unix:///path"


class Options(NamedTuple):
    """The options of a session.

    Attributes:
        bench: Whether to measure.
        budget_seconds: Measuring time per benchmark.
        report_folder: The folder for the report.
        report_formats: Names of the formats to write; empty: all of them.
        repository: The repository's web address; empty: no links; None: what CI or git's remote origin says.
        redis: The Redis for the fixtures.
        against: The revision to compare with in lockstep; None: no such comparison.
        exact: Whether to take that revision itself, not its merge base with HEAD.
        affected: Whether to run only the benchmarks that the change can have affected.
        thresholds: How much worse each metric may get, as a share; infinite: any amount; empty: the defaults.
        launches: Maximum number of launches in lockstep.
        fails_inconclusive: Whether an inconclusive verdict fails its test.
        witnesses: Whether to count instructions where time cannot tell.
        resumes: Whether to take over what an interrupted run of the same comparison had decided.
        allows_missing: Whether benchmarks that exist in base but not in head are allowed.
        arm_install: A command that installs the project into each arm; None: the arms run from their sources.
        shared: Further files and folders of which both arms use head's version.
        save: The name to store this run under; None: do not store it.
        compare: The stored runs to compare with: a name, a commit, a run's token or ``latest``; None: no comparison.
        store: The store of runs: a folder, relative to the root folder, or a URL.
        confirms: Whether benchmarks that stored runs cannot decide are measured again in lockstep.
        profile: Whether to profile every benchmark after measuring it.
        profile_engine: The profiler for benchmarks whose marker names none.
        shard: The part of the benchmarks to run; None: all.
        metrics: The metrics to measure for tests that name none.
        prove_seconds: How long to prove the gate on this suite; None: do not.
    """

    bench: bool
    budget_seconds: float
    report_folder: Path
    report_formats: tuple[str, ...]
    repository: str | None
    redis: str
    against: str | None
    exact: bool
    affected: bool
    thresholds: dict[str, float]
    launches: int
    fails_inconclusive: bool
    witnesses: bool
    resumes: bool
    allows_missing: bool
    arm_install: str | None
    shared: tuple[str, ...]
    save: str | None
    compare: str | None
    store: str
    confirms: bool
    profile: bool
    profile_engine: Engine
    shard: Shard | None
    metrics: tuple[str, ...]
    prove_seconds: float | None


def read_options(config: pytest.Config, metrics: Metrics = BUILT_IN) -> Options:
    """Read the options; the command line takes precedence over the ini file.

    Args:
        config: pytest's config.
        metrics: The metrics of this session.

    Raises:
        pytest.UsageError: A value is not allowed; the message names the option, the value and the allowed forms.
    """
    return Options(
        bench=_value(config, "jarvis_bench", as_flag),
        budget_seconds=_value(config, "jarvis_budget", parse_seconds),
        report_folder=config.rootpath / _value(config, "jarvis_report", _folder),
        report_formats=_value(config, "jarvis_report_formats", _names),
        repository=_value(config, "jarvis_repository", _repository),
        redis=_value(config, "jarvis_redis", _redis),
        against=_value(config, "jarvis_against", _stripped),
        exact=_value(config, "jarvis_against_exact", as_flag),
        affected=_value(config, "jarvis_affected", as_flag),
        thresholds=_value(config, "jarvis_threshold", partial(_thresholds, metrics)),
        launches=_value(config, "jarvis_launches", _launches),
        fails_inconclusive=_value(config, "jarvis_inconclusive", _pass_or_fail) == "fail",
        witnesses=_value(config, "jarvis_witness", _auto_or_never) == "auto",
        resumes=_value(config, "jarvis_resume", as_flag),
        allows_missing=_value(config, "jarvis_allow_missing", as_flag),
        arm_install=_value(config, "jarvis_arm_install", _command),
        shared=_value(config, "jarvis_shared", as_words),
        save=_value(config, "jarvis_save", _run_name),
        compare=_value(config, "jarvis_compare", _selector),
        store=_value(config, "jarvis_store", _store),
        confirms=_value(config, "jarvis_confirm", _auto_or_never) == "auto",
        profile=_value(config, "jarvis_profile", as_flag),
        profile_engine=_value(config, "jarvis_profile_engine", _engine),
        shard=_value(config, "jarvis_shard", _shard),
        metrics=_value(config, "jarvis_metrics", partial(_metrics, metrics)),
        prove_seconds=_value(config, "jarvis_prove", _minutes),
    )


def settled(config: pytest.Config, options: Options) -> Options:
    """Resolve contradictions: the command line takes precedence over the ini file, and comparing requires measuring.

    Raises:
        pytest.UsageError: The command line, or the ini file alone, asks for two things that cannot be combined, or the
            command line asks for something that only a measuring run can do.
    """
    given = [name for name in NEED_BENCH if config.getoption(f"jarvis_{name}")]
    if not options.bench:
        if given:
            raise usage_error(f"--jarvis-{given[0]} needs --jarvis-bench: only a run that measures can do that")
        return options._replace(against=None, compare=None, save=None, prove_seconds=None)
    if options.prove_seconds is not None:
        others = [name for name in given if name != "prove"]
        if others:
            raise usage_error(
                f"--jarvis-prove and --jarvis-{others[0]} cannot be combined: a proof compares the commit with itself"
            )
        return options._replace(against="HEAD", exact=True, affected=False, compare=None, save=None)
    if "resume" in given and options.against is None and options.compare is None:
        raise usage_error("--jarvis-resume continues a comparison: give the same --jarvis-against or --jarvis-compare")
    if options.against is None and config.getoption("jarvis_affected"):
        raise usage_error("--jarvis-affected needs --jarvis-against: only a change can affect a benchmark")
    if options.against is None or options.compare is None:
        return options
    if ("against" in given) == ("compare" in given):
        raise usage_error(
            "--jarvis-against and --jarvis-compare cannot be combined: the first compares with a revision, the second "
            "with stored runs; choose one of them"
        )
    if "against" in given:
        return options._replace(compare=None)
    return options._replace(against=None)


def check_root_folder(config: pytest.Config) -> None:
    """Reject a plugin option's folder that pytest has mistaken for a test folder.

    pytest finds its root folder before it knows the plugins' options. If the value of such an option is a separate word
    and an existing path, pytest mistakes it for a test folder. It then misses the project's own configuration, and the
    root folder becomes the common ancestor of that folder and the project.

    Raises:
        pytest.UsageError: This has happened; the message says what to write.
    """
    here = config.invocation_params.dir
    words = [str(word) for word in config.invocation_params.args]
    root = config.rootpath
    is_found = config.inipath is not None or (root / "setup.py").is_file()
    for option, word in itertools.pairwise(words):
        place = Path(os.path.normpath(here / word))
        if option not in FOLDER_OPTIONS or place.is_relative_to(here) or not place.exists():
            continue
        if not here.is_relative_to(root) or (place.is_relative_to(root) and not is_found):
            raise usage_error(
                f"{option} {word}: pytest mistook that folder for a test folder, so its root folder is {root}; "
                f"write {option}={word}"
            )


def _value(config: pytest.Config, name: str, parse: Callable[[Any], Any]) -> Any:
    given = config.getoption(name, None)
    if name in NEVER_EMPTY and given is not None and not given.strip():
        raise usage_error(f"--{name.replace('_', '-')}: the value is empty, perhaps because a variable is not set")
    shown = f"--{name.replace('_', '-')}" if given is not None else name
    try:
        return parse(ini_value(config, name) if given is None else given)
    except ValueError as error:
        raise usage_error(f"{shown}: {error}") from None


def parse_seconds(value: object) -> float:
    """Read a positive number of seconds.

    Raises:
        ValueError: The value is not a positive number.
    """
    try:
        seconds = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError(f"{value!r} is not allowed; give a number of seconds above 0, like 2 or 0.5")
    return seconds


def _minutes(value: object) -> float | None:
    if as_text(value) == "":
        return None
    return SECONDS_PER_MINUTE * parse_seconds(value)


def _stripped(value: object) -> str | None:
    return as_text(value).strip() or None


def _command(value: object) -> str | None:
    return as_command(value).strip() or None


def _metrics(metrics: Metrics, value: object) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in as_list_text(value).split(",")))
    for name in names:
        if name not in metrics.of_calls:
            raise ValueError(f"{name!r} is not allowed; give one or more of: {', '.join(metrics.of_calls)}")
    return names


def _thresholds(metrics: Metrics, value: object) -> dict[str, float]:
    text = as_list_text(value)
    if not text:
        return {}
    from jarvisperf.gate.verdict.thresholds import parse_thresholds

    return parse_thresholds(text, metrics)


def _launches(value: object) -> int:
    text = str(value).strip()
    if not text.isdecimal() or not FEWEST_LAUNCHES <= int(text) <= MOST_LAUNCHES:
        raise ValueError(f"{value!r} is not allowed; give a whole number from {FEWEST_LAUNCHES} to {MOST_LAUNCHES}")
    return int(text)


def _pass_or_fail(value: object) -> str:
    text = as_text(value)
    if text not in {"pass", "fail"}:
        raise ValueError(f"{value!r} is not allowed; give pass or fail")
    return text


def _auto_or_never(value: object) -> str:
    text = as_text(value)
    if text not in {"auto", "never"}:
        raise ValueError(f"{value!r} is not allowed; give auto or never")
    return text


def _engine(value: object) -> Engine:
    from jarvisperf.profiles.engines import ENGINES

    for engine in ENGINES:
        if engine == value:
            return engine
    raise ValueError(f"{value!r} is not allowed; give one of {', '.join(ENGINES)}")


def _shard(value: object) -> Shard | None:
    text = as_text(value)
    if not text:
        return None
    from jarvisperf.runs.shard import parse_shard

    return parse_shard(text)


def _run_name(value: object) -> str | None:
    text = as_text(value)
    if not text:
        return None
    from jarvisperf.runs.names import check_name

    return check_name(text)


def _selector(value: object) -> str | None:
    text = as_text(value)
    if not text or text == "latest":
        return text or None
    from jarvisperf.runs.names import NAME_FORMS, is_name

    if not is_name(text):
        raise ValueError(f"{text!r} is not allowed; give a commit, a run's token, latest, or a name: {NAME_FORMS}")
    return text


def _store(value: object) -> str:
    text = as_text(value)
    if not text.strip():
        raise ValueError("an empty name is not allowed; give a folder or a URL, like s3://bucket/folder")
    return text


def _folder(value: object) -> Path:
    text = as_text(value)
    if not text.strip():
        raise ValueError("an empty name is not allowed; give a folder, like reports")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError(f"{text!r} is not allowed: there is no such home folder; give an absolute path") from None


def _repository(value: object) -> str | None:
    text = as_text(value).strip()
    if text in {"", "off"}:
        return "" if text else None
    if not re.fullmatch(r"https?://[\w.-]+(:\d+)?/[\w./~-]+", text):
        raise ValueError(f"{text!r} is not allowed; give an address like https://github.com/ada/project, or off")
    return text.rstrip("/").removesuffix(".git")


def _names(value: object) -> tuple[str, ...]:
    return tuple(name.strip() for name in as_list_text(value).split(",") if name.strip())


def _redis(value: object) -> str:
    text = as_text(value)
    if text in {"auto", "fake"}:
        return text
    from jarvisperf.cache.redis_tier.connection.url import check_redis_url

    try:
        check_redis_url(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not allowed; give {REDIS_FORMS} ({error})") from None
    return text
