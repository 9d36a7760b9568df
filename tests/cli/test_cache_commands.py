"""Tests `jarvisperf cache` from a user's point of view."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from jarvisperf.cache import SmartCache
from jarvisperf.cli.main import main
from pytest_jarvisperf.redis_fixtures.server import start_redis

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command on a folder without Redis."""

    def run(command: str, *words: str, redis: str = "none") -> tuple[int, str, str]:
        status = main(["cache", command, "--redis", redis, "--dir", str(folder), *words])
        shown = capsys.readouterr()
        return status, shown.out.strip(), shown.err.strip()

    return run


@pytest.fixture
def filled(folder: Path) -> None:
    with SmartCache(None, folder) as cache:
        cache.set("user:1", {"name": "Ada"}, ttl=600, tags=["people"])
        cache.set("user:2", [1, (2,)], ttl=float("inf"))
        cache.set("other", 1)


@pytest.mark.usefixtures("filled")
def test_a_value_is_shown(run):
    assert run("get", "user:1") == (0, "{'name': 'Ada'}", "")
    assert run("get", "nothing") == (1, "", "'nothing' is not in the cache")


def test_a_value_of_a_class_that_only_its_program_knows_stays_in_the_cache(run, folder):
    code = """if True:
        import dataclasses, sys
        from jarvisperf.cache import SmartCache, cached
        @dataclasses.dataclass
        class User:
            name: str
        with SmartCache(None, sys.argv[1]) as cache:
            @cached(cache=cache, key=lambda: "ada")
            def user() -> User:
                return User("Ada")
            print(user.cache_key() if user() else "")
    """
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)
    status, key, _ = run("keys")
    assert status == 0
    assert run("get", key) == (1, "", f"{key!r} cannot be shown: only the program that stored it knows its class")
    assert run("keys")[1] == key


@pytest.mark.usefixtures("filled")
def test_keys_are_listed_by_pattern_and_with_their_time_to_live(run):
    assert run("keys")[:2] == (0, "other\nuser:1\nuser:2")
    assert run("keys", "user:*")[:2] == (0, "user:1\nuser:2")
    assert run("keys", "nothing*")[:2] == (0, "")
    first, second = run("keys", "user:*", "--ttl")[1].splitlines()
    assert 500 < float(first.split()[0]) <= 600
    assert second.split() == ["never", "expires", "user:2"]


def test_a_key_with_control_characters_cannot_write_to_the_terminal(run, folder):
    with SmartCache(None, folder) as cache:
        cache.set("a\x1b[2J\nb", 1)
    assert run("keys")[:2] == (0, r"'a\x1b[2J\nb'")


def test_without_a_place_the_namespace_is_that_of_the_default_cache(monkeypatch, folder, capsys):
    monkeypatch.setenv("JARVISPERF_CACHE_DIR", str(folder))
    monkeypatch.setenv("JARVISPERF_NAMESPACE", "shop")
    with SmartCache(None, folder, namespace="shop") as cache:
        cache.set("k", 1)
    assert main(["cache", "keys"]) == 0
    assert capsys.readouterr().out == "k\n"


@pytest.mark.usefixtures("filled")
def test_the_time_to_live_is_shown(run):
    status, out, _ = run("ttl", "user:1")
    assert status == 0
    assert 500 < float(out) <= 600
    assert run("ttl", "user:2") == (0, "never expires", "")
    assert run("ttl", "nothing")[0] == 1


@pytest.mark.usefixtures("filled")
def test_keys_are_removed_by_pattern_and_by_tag(run):
    assert run("invalidate", "--tag", "people")[:2] == (0, "removed 1")
    assert run("invalidate", "user:*")[:2] == (0, "removed 1")
    assert run("get", "other")[:2] == (0, "1")


@pytest.mark.usefixtures("filled")
def test_clear_asks_before_it_removes(run):
    assert run("clear")[0] == 1
    assert run("get", "other")[:2] == (0, "1")
    assert run("clear", "--yes")[:2] == (0, "removed 3")
    assert run("get", "other")[0] == 1


@pytest.mark.usefixtures("filled")
def test_stats_count_what_is_there(run):
    status, out, _ = run("stats")
    assert status == 0
    assert "keys     3 in namespace jarvisperf" in out
    assert "redis    not in use" in out
    figures = json.loads(run("stats", "--json")[1])
    assert figures["keys"] == 3
    assert figures["tiers"]["disk"]["items"] == 3


@pytest.mark.usefixtures("filled")
def test_another_namespace_is_another_cache(run):
    assert run("get", "other", "--namespace", "elsewhere")[0] == 1


def test_a_malformed_url_is_said_in_one_line(run):
    status, _, err = run("stats", redis="http://x")
    assert status == 1
    assert "http://x" in err
    assert "\n" not in err


def test_doctor_says_that_all_is_well(run):
    with start_redis() as server:
        status, out, _ = run("doctor", redis=server.url)
    assert status == 0
    assert "✓ memory: works" in out
    assert "✓ Redis: writes and reads" in out
    assert "will be created" in out


def test_doctor_says_how_to_start_a_redis_that_does_not_run(run):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    status, out, _ = run("doctor", redis=f"redis://127.0.0.1:{port}")
    assert status == 1
    assert f"✗ Redis at redis://127.0.0.1:{port}" in out
    assert "start it with `redis-server`" in out


def test_doctor_says_what_to_set_where_no_redis_is_configured(run):
    status, out, _ = run("doctor")
    assert status == 0
    assert "· Redis: not configured" in out
    assert "JARVISPERF_REDIS_URL" in out


@pytest.mark.usefixtures("filled")
def test_doctor_looks_into_the_database(run, folder):
    assert "✓ disk: 3 values, the database is intact" in run("doctor")[1]
    for file in folder.glob("cache.db*"):
        file.write_bytes(b"rubbish" * 1000)
    status, out, _ = run("doctor")
    assert status == 1
    assert f"remove the folder {folder}" in out


def test_doctor_finds_a_folder_that_cannot_be_used(run, folder):
    folder.write_text("in the way")
    status, out, _ = run("doctor")
    assert status == 1
    assert "is not a writable folder" in out


def test_doctor_finds_a_folder_that_others_may_write_to(run, folder):
    folder.mkdir()
    folder.chmod(0o777)
    status, out, _ = run("doctor")
    assert status == 1
    assert f"chmod 700 {folder}" in out


@pytest.mark.parametrize("words", [("invalidate", "user:*"), ("invalidate", "--tag", "people"), ("clear", "--yes")])
def test_a_change_that_redis_could_not_be_told_of_is_a_failure(run, words):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    status, _, err = run(*words, redis=f"redis://127.0.0.1:{port}")
    assert status == 1
    assert err.endswith("A tier did not receive the change: run this again when it is available.")


def test_a_folder_without_a_name_is_an_error_and_not_the_working_folder(capsys):
    for command in ("stats", "doctor"):
        assert main(["cache", command, "--redis", "none", "--dir", ""]) == 1
        assert "--dir is '': give a folder" in "".join(capsys.readouterr())


@pytest.mark.parametrize("name", ["x" * 300, "link"])
def test_doctor_finds_a_name_that_leads_nowhere(capsys, tmp_path, name):
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    assert main(["cache", "doctor", "--redis", "none", "--dir", str(tmp_path / name)]) == 1
    assert "✗ disk: " in capsys.readouterr().out
