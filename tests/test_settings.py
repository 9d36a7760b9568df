"""Tests the environment variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from jarvisperf.settings import read_settings


def test_without_variables_there_is_no_redis_and_a_user_folder():
    settings = read_settings({})
    assert settings.redis_url is None
    assert settings.model is None
    assert settings.default_ttl_seconds == 3600
    assert settings.cache_dir.is_absolute()
    assert settings.cache_dir != settings.data_dir


def test_variables_are_read():
    settings = read_settings(
        {
            "JARVISPERF_REDIS_URL": "redis://example:1/2",
            "JARVISPERF_CACHE_DIR": "/some/cache",
            "JARVISPERF_DATA_DIR": "~/data",
            "JARVISPERF_DEFAULT_TTL": "1.5",
            "JARVISPERF_MODEL": "/some/model",
            "JARVISPERF_CACHING": "off",
        }
    )
    assert settings.redis_url == "redis://example:1/2"
    assert settings.cache_dir == Path("/some/cache")
    assert settings.data_dir == Path.home() / "data"
    assert settings.default_ttl_seconds == 1.5
    assert settings.model == "/some/model"
    assert not settings.caching


def test_an_empty_variable_counts_as_absent():
    assert read_settings({"JARVISPERF_REDIS_URL": "", "JARVISPERF_DEFAULT_TTL": ""}) == read_settings({})


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf"])
def test_a_time_to_live_that_is_no_positive_number_is_named(text: str):
    with pytest.raises(ValueError, match=f"JARVISPERF_DEFAULT_TTL is '{text}'"):
        read_settings({"JARVISPERF_DEFAULT_TTL": text})
