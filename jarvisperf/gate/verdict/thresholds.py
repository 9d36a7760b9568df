"""How much worse a metric may get: relative thresholds and absolute limits, read from text."""

from __future__ import annotations

import math
import re

RELATIVE = ("time", "memory", "startup")
DEFAULT_THRESHOLDS = {"time": 0.05, "memory": 0.10, "startup": 0.10}
OFF = math.inf

_NUMBER = re.compile(r"\s*([0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)\s*(\S*)\s*")
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_BYTES = {"B": 1.0, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30}

FORMS = "a percentage like '5%' or 'off'"
SECONDS_FORMS = "a time like '2ms' (s, ms, us, ns)"
BYTES_FORMS = "a size like '50MB' (B, KB, MB, GB, KiB, MiB, GiB)"


def parse_share(text: object) -> float:
    """Read a relative threshold: ``5%`` is 0.05, ``off`` is infinite.

    Raises:
        ValueError: It is neither a percentage above 0 nor ``off``.
    """
    if text == "off":
        return OFF
    value, unit = _split(text, FORMS)
    if unit != "%" or not 0 < value < 1e6:
        raise ValueError(f"{text!r} is not allowed, give {FORMS}")
    return value / 100


def parse_seconds_limit(text: object) -> float:
    """Read an absolute limit of time, in seconds.

    Raises:
        ValueError: It is not a time above 0 with a unit.
    """
    return _with_unit(text, _SECONDS, SECONDS_FORMS)


def parse_bytes_limit(text: object) -> float:
    """Read an absolute limit of memory, in bytes.

    Raises:
        ValueError: It is not a size above 0 with a unit.
    """
    return _with_unit(text, _BYTES, BYTES_FORMS)


def parse_thresholds(text: str) -> dict[str, float]:
    """Read the option: ``5%`` is for time, ``time=5%,memory=10%`` for several, ``off`` for all.

    Raises:
        ValueError: A metric is unknown or a value is not allowed.
    """
    if text.strip() == "off":
        return dict.fromkeys(RELATIVE, OFF)
    found = dict(DEFAULT_THRESHOLDS)
    for part in text.split(","):
        metric, equals, value = part.partition("=")
        name = metric.strip() if equals else "time"
        if name not in RELATIVE:
            raise ValueError(f"there is no metric {name!r}, there are {', '.join(RELATIVE)}")
        found[name] = parse_share((value if equals else metric).strip())
    return found


def _with_unit(text: object, units: dict[str, float], forms: str) -> float:
    value, unit = _split(text, forms)
    limit = value * units.get(unit, 0.0)
    if not 0 < limit < math.inf:
        raise ValueError(f"{text!r} is not allowed, give {forms}")
    return limit


def _split(text: object, forms: str) -> tuple[float, str]:
    match = _NUMBER.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{text!r} is not allowed, give {forms}")
    return float(match[1]), match[2]
