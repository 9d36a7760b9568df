"""pytest-benchmark's own options, by the names under which pytest keeps their values."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

OUTPUT_OPTIONS = (
    "benchmark_save",
    "benchmark_autosave",
    "benchmark_json",
    "benchmark_compare",
    "benchmark_compare_fail",
    "benchmark_histogram",
)
PROFILE_OPTIONS = ("benchmark_cprofile", "benchmark_cprofile_dump")
# Options that tell it to do something; without --jarvis-bench it is then left alone.
ITS_OWN_OPTIONS = (
    "benchmark_disable",
    "benchmark_skip",
    "benchmark_enable",
    "benchmark_only",
    *OUTPUT_OPTIONS,
    *PROFILE_OPTIONS,
)


def has_outputs(config: pytest.Config) -> bool:
    """Return whether pytest-benchmark was asked to write, show or compare something."""
    return any(config.getoption(name, None) for name in OUTPUT_OPTIONS)
