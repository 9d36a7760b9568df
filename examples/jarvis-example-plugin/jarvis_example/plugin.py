"""The plugin module that pytest loads; its hooks add the metric and the report format to JarvisPerf."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from jarvisperf.measure.metrics import MetricKind
    from jarvisperf.report import ReportFormat


@pytest.hookimpl(optionalhook=True)  # so that pytest starts even if JarvisPerf is disabled
def pytest_jarvis_metrics() -> list[MetricKind]:
    """Add `jarvis_bench.opened_files(func)`."""
    from jarvis_example.opened_files import OPENED_FILES

    return [OPENED_FILES]


@pytest.hookimpl(optionalhook=True)
def pytest_jarvis_report_formats() -> list[ReportFormat]:
    """Add `badge.json` to the report."""
    from jarvis_example.badge import BADGE

    return [BADGE]
