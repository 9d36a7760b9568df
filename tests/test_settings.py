"""Tests the environment variables."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jarvisperf.settings import needed_folder, read_settings


def test_without_variables_there_is_no_redis_and_a_user_folder():
    settings = read_settings({})
    assert settings.redis_url is None
    assert settings.model is None
    assert settings.default_ttl_seconds == 3600
    assert settings.cache_dir is not None
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


def test_a_user_without_a_home_folder_has_no_folders_and_is_told_which_variable_sets_one(
    monkeypatch: pytest.MonkeyPatch,
):
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)  # has no entry in the list of users
    settings = read_settings({"JARVISPERF_REDIS_URL": "redis://example"})
    assert (settings.cache_dir, settings.data_dir) == (None, None)
    with pytest.raises(ValueError, match=r"^this user has no home folder: set JARVISPERF_DATA_DIR$"):
        needed_folder(settings.data_dir, "JARVISPERF_DATA_DIR")
    with pytest.raises(ValueError, match=r"^JARVISPERF_CACHE_DIR is '~/x', but this user has no home folder"):
        read_settings({"JARVISPERF_CACHE_DIR": "~/x"})


def test_an_empty_variable_counts_as_absent():
    assert read_settings({"JARVISPERF_REDIS_URL": "", "JARVISPERF_DEFAULT_TTL": ""}) == read_settings({})


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf"])
def test_a_time_to_live_that_is_no_positive_number_is_named(text: str):
    with pytest.raises(ValueError, match=f"JARVISPERF_DEFAULT_TTL is '{text}'"):
        read_settings({"JARVISPERF_DEFAULT_TTL": text})
