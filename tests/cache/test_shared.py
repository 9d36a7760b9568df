"""Tests the process's default cache."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from jarvisperf.cache import get_smart_cache, reset_smart_cache
from jarvisperf.cache.disk_tier.database import Database
from jarvisperf.cache.testing import forget_memory


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("JARVISPERF_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("JARVISPERF_CACHE_DIR", str(tmp_path / "own"))
    reset_smart_cache()
    yield
    reset_smart_cache()


def test_there_is_one_per_process():
    assert get_smart_cache() is get_smart_cache()


def test_threads_get_the_same_one():
    found = set()
    threads = [threading.Thread(target=lambda: found.add(get_smart_cache())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1


def test_without_variables_there_is_no_redis():
    stats = get_smart_cache().get_stats()
    assert not stats["redis_available"]
    assert stats["local_cache_available"]


def test_the_variables_configure_it(monkeypatch, tmp_path, real_redis):
    monkeypatch.setenv("JARVISPERF_REDIS_URL", real_redis.url)
    monkeypatch.setenv("JARVISPERF_CACHE_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("JARVISPERF_DEFAULT_TTL", "12.5")
    cache = get_smart_cache()
    assert cache.get_stats()["redis_available"]
    assert (tmp_path / "elsewhere" / "cache.db").exists()
    cache.set("k", 1)
    assert 0 < cache.ttl("k") <= 12.5


def test_a_wrong_variable_is_an_error_that_names_it(monkeypatch):
    monkeypatch.setenv("JARVISPERF_REDIS_URL", "localhost")
    with pytest.raises(ValueError, match=r"Redis URL 'localhost' has an unknown scheme"):
        get_smart_cache()


def test_after_reset_there_is_a_new_one():
    first = get_smart_cache()
    reset_smart_cache()
    assert get_smart_cache() is not first


def test_a_forked_child_gets_its_own_and_the_parents_goes_on():
    cache = get_smart_cache()
    cache.set("k", "parent")
    pid = os.fork()
    if pid == 0:
        try:
            child = get_smart_cache()
            works = child is not cache and child.get("k") == "parent" and child.set("k", "child")
            os._exit(0 if works and get_smart_cache() is child else 1)
        except BaseException:  # noqa: BLE001 - a forked copy of pytest must not go on
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    forget_memory(cache)
    assert cache.get("k") == "child"


def test_a_fork_waits_for_what_other_threads_write_to_the_disk(tmp_path, monkeypatch):
    cache = get_smart_cache()
    begun, write_row = threading.Event(), Database._write_row

    def slowly(*args: object) -> None:
        write_row(*args)
        begun.set()
        time.sleep(0.1)

    monkeypatch.setattr(Database, "_write_row", slowly)
    writer = threading.Thread(target=cache.set, args=("k", "parent"), kwargs={"tags": ["t"]})
    writer.start()
    begun.wait()
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        works = cache.set("k", "child", tags=["t"]) and cache.get_stats()["errors"] == 0
        os._exit(0 if works else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    writer.join()
    forget_memory(cache)
    assert cache.get("k") == "child"


def test_a_child_that_is_forked_while_a_thread_imports_what_a_call_needs_does_not_hang():
    program = """
import os, signal, sys, threading, time
from importlib.abc import MetaPathFinder
from jarvisperf.cache import SmartCache

begun = threading.Event()

class Slow(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "jarvisperf.cache.engine.loads.drivers":
            begun.set()
            time.sleep(0.3)

cache = SmartCache(None, None)
sys.meta_path.insert(0, Slow())
threading.Thread(target=cache.get_or_set, args=("k", int)).start()
begun.wait()
pid = os.fork()
if pid == 0:
    signal.alarm(60)
    os._exit(cache.get_or_set("k", int))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(
    "module", ["jarvisperf.cache", "jarvisperf.cache.redis_tier.connection.url", "jarvisperf.cache.smart"]
)
def test_importing_loads_nothing_heavy(module):
    program = (
        f"import sys, {module}\n"
        "heavy = 'torch transformers chromadb matplotlib scipy numpy redis diskcache asyncio'.split()\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_the_public_names_are_there():
    import jarvisperf
    import jarvisperf.cache as package

    assert set(package.__all__) <= set(dir(package))
    for name in ("SmartCache", "cached", "get_smart_cache"):
        assert getattr(jarvisperf, name) is getattr(package, name)
