"""Tests the cache with a real Redis server that is paused, killed, restarted and shared."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import redis
from patience import PATIENT, brief_deadline
from waiting import SOON_SECONDS, ends_within, wait_until

from jarvisperf.cache import SmartCache, cached
from pytest_jarvisperf.redis_fixtures import server as redis_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Server:
    """A real Redis on a separate socket that can be stopped and restarted."""

    def __init__(self, executable: Path, folder: Path) -> None:
        self._command = [executable, "--unixsocket", folder / "r.sock", "--dir", folder]
        self.url = f"unix://{folder}/r.sock"
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [*self._command, *redis_server.SERVER_OPTIONS], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(lambda: redis_server._answers(Path(urlsplit(self.url).path)))

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self._process.pid, signal.SIGCONT)  # also works in a forked child, unlike Popen

    @property
    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)


def wait_until_used(cache: SmartCache) -> None:
    wait_until(lambda: cache.get_stats()["redis_available"])


@pytest.fixture
def server() -> Iterator[Server]:
    executables = redis_server._executables(os.environ)
    if not executables:
        if os.environ.get("JARVISPERF_REQUIRE_ALL"):
            pytest.fail("JARVISPERF_REQUIRE_ALL is set, and no real Redis server is installed")
        pytest.skip("no real Redis server is installed")
    folder = redis_server._short_private_folder()
    server = Server(executables[0], folder)
    yield server
    server.kill()
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


@pytest.fixture
def cache(server: Server) -> Iterator[SmartCache]:
    with SmartCache(server.url, None, **PATIENT) as cache:
        wait_until_used(cache)
        yield cache


@pytest.fixture
def reader(server: Server) -> Iterator[Callable[[str], object]]:
    """Return what another process would read from Redis."""

    def read(key: str) -> object:
        with SmartCache(server.url, None, **PATIENT) as other:
            assert other.get_stats()["redis_available"]
            return other.get(key)

    return read


def test_a_paused_server_costs_one_short_wait_and_then_nothing(cache, server):
    cache.set("k", [1])

    def go_on() -> None:
        for number in range(1000):
            assert cache.get("k") == [1]
            cache.set(f"k{number}", number)

    with brief_deadline(cache):
        server.pause()
        assert cache.get("other") is None
        ends_within(SOON_SECONDS, go_on)  # waiting for each call would take twelve minutes
        server.go_on()
    wait_until_used(cache)


@pytest.mark.parametrize("outage", ["pause", "kill"])
def test_after_an_outage_redis_is_used_again(cache, server, reader, outage):
    with brief_deadline(cache):
        getattr(server, outage)()
        cache.set("during", 1)
        assert not cache.get_stats()["redis_available"]
        server.go_on() if outage == "pause" else server.start()
    wait_until_used(cache)
    cache.set("after", [2])
    wait_until(lambda: cache.set("after", [2]) and reader("after") == [2])


def test_a_value_written_during_a_pause_replaces_the_old_one(cache, server, reader):
    cache.set("k", "old")
    cache.set("untouched", "still here")
    with brief_deadline(cache):
        server.pause()
        cache.set("k", "new")
        server.go_on()
    wait_until_used(cache)
    assert cache.get("k") == "new"
    assert reader("k") in {None, "new"}
    assert reader("untouched") == "still here"


def test_a_key_deleted_during_a_pause_stays_deleted(cache, server, reader):
    cache.set("k", "old")
    with brief_deadline(cache):
        server.pause()
        cache.delete("k")
        server.go_on()
    wait_until_used(cache)
    assert cache.get("k") is None
    assert reader("k") is None


@pytest.mark.parametrize("remove", [lambda cache: cache.invalidate("user:*"), lambda cache: cache.clear()])
def test_keys_invalidated_during_a_pause_stay_gone(cache, server, reader, remove):
    for number in range(50):
        cache.set(f"user:{number}", number)
    with brief_deadline(cache):
        server.pause()
        remove(cache)
        server.go_on()
    wait_until_used(cache)
    assert reader("user:7") is None


def test_a_server_that_comes_back_empty_is_filled_again_from_the_disk(server, tmp_path, reader):
    with SmartCache(server.url, tmp_path / "disk", memory_items=0, **PATIENT) as cache:
        wait_until_used(cache)
        cache.set("k", [1])
        server.kill()
        assert cache.get("k") == [1]
        server.start()
        wait_until_used(cache)
        assert cache.get("k") == [1]
        wait_until(lambda: cache.get("k") == [1] and reader("k") == [1])


def test_a_cache_made_before_the_server_finds_it_later(server):
    server.kill()
    with SmartCache(server.url, None) as cache:
        assert not cache.get_stats()["redis_available"]
        cache.set("k", 1)
        server.start()
        wait_until_used(cache)


def test_a_full_server_is_a_fallback_and_the_old_value_does_not_stay(cache, server, reader):
    cache.set("k", "old")
    server.client.config_set("maxmemory", 1)
    server.client.config_set("maxmemory-policy", "noeviction")
    assert cache.set("k", "new")
    assert cache.get("k") == "new"
    wait_until_used(cache)
    assert reader("k") is None


def test_a_wrong_password_is_a_fallback_and_is_logged(server, caplog):
    server.client.config_set("requirepass", "secret")
    with SmartCache(server.url.replace("unix://", "unix://:wrong@"), None) as cache:
        assert cache.set("k", 1)
        assert cache.get("k") == 1
        assert not cache.get_stats()["redis_available"]
    assert "wrong" not in caplog.messages[0].partition(": unix")[2].partition(": ")[0]
    with SmartCache(server.url.replace("unix://", "unix://:secret@"), None) as cache:
        wait_until_used(cache)


def test_processes_share_values_and_cached_results(server, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import sys; from jarvisperf.cache import SmartCache, cached\n"
        "with SmartCache(sys.argv[1], None, redis_connect_seconds=30, redis_reply_seconds=30) as cache:\n"
        "    @cached(key_prefix='shared', cache=cache)\n"
        "    def work(x):\n"
        "        print('ran', end=' ')\n"
        "        return (x, {x})\n"
        "    print(work('a'))\n"
    )
    shown = [
        subprocess.run([sys.executable, program, server.url], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert shown == ["ran ('a', {'a'})\n", "('a', {'a'})\n"]


def test_a_forked_child_may_go_on_with_the_parents_cache(cache, server, reader):
    cache.set("k", [1])
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            works = cache.get("k") == [1] and cache.set("from child", [2])
            os._exit(0 if works else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert cache.get("from child") == [2]
    assert reader("k") == [1]


def test_a_forked_child_recovers_from_an_outage_of_its_parent(cache, server):
    with brief_deadline(cache):
        server.pause()
        cache.get("k")
        assert not cache.get_stats()["redis_available"]
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                server.go_on()
                cache.get("k")
                wait_until_used(cache)
                os._exit(0)
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_decorated_function_works_through_an_outage(cache, server):
    calls = []

    @cached(ttl=600, key_prefix="embeddings", cache=cache)
    def embed(text: str) -> list[int]:
        calls.append(text)
        return [len(text)]

    embed("before")
    with brief_deadline(cache):
        server.pause()
        assert [embed("before"), embed("during"), embed("during")] == [[6], [6], [6]]
        assert calls == ["before", "during"]
        server.go_on()
