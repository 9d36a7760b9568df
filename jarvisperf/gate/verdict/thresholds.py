"""Reads from text how much worse a metric may get; absolute limits are read by its unit."""

from __future__ import annotations

import math

from jarvisperf.measure.metrics import BUILT_IN, TIME, Metrics
from jarvisperf.measure.metrics.units import split_number

OFF = math.inf

FORMS = "a percentage like '5%' or 'off'"


def parse_share(text: object) -> float:
    """Read a relative threshold: ``5%`` is 0.05, ``off`` is infinite.

    Raises:
        ValueError: The text is neither a percentage above 0 nor ``off``.
    """
    if text == "off":
        return OFF
    try:
        value, unit = split_number(text)
    except ValueError:
        value, unit = math.nan, ""
    if unit != "%" or not 0 < value < 1e6:
        raise ValueError(f"{text!r} is not allowed; give {FORMS}")
    return value / 100


def parse_thresholds(text: str, metrics: Metrics = BUILT_IN) -> dict[str, float]:
    """Read the option: ``5%`` applies to time, ``time=5%,memory=10%`` to several metrics, ``off`` to all.

    Args:
        text: The option's text.
        metrics: The known metrics.

    Raises:
        ValueError: A metric is unknown or a value is not allowed.
    """
    if text.strip() == "off":
        return dict.fromkeys(metrics.thresholds, OFF)
    found = metrics.thresholds
    for part in text.split(","):
        metric, equals, value = part.partition("=")
        name = metric.strip() if equals else TIME.name
        if name not in metrics:
            raise ValueError(f"unknown metric {name!r}; choose one of: {', '.join(metrics.thresholds)}")
        found[name] = parse_share((value if equals else metric).strip())
    return found
