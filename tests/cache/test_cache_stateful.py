"""The whole cache against a dictionary with a clock, with several processes, and with faults of Redis and the disk.

Never a wrong value, never one that was gone, never an exception, never a call beyond its deadline. A miss is always
allowed once there was a fault. While the first cache is cut off from Redis, the others cannot know what it writes, so
they may see any value that was written since; once it is back, all must agree on the last. Redis and the disk are never
broken at the same time: then processes have nothing left in common, and none can know what another does.
"""

from __future__ import annotations

import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from waiting import wait_until

from jarvisperf.cache import SmartCache
from pytest_jarvisperf import redis_server
from pytest_jarvisperf.redis_faults import RedisFaults

KEYS = ["a:1", "a:2", "b:1", "b:2"]
MEMORY_SECONDS = 5.0
LONGEST_CALL_SECONDS = 6.0  # far beyond any deadline, for a loaded machine; what hangs takes longer
TAGS = {"a:1": ("odd",), "b:1": ("odd",), "a:2": (), "b:2": ("even",)}


class Server:
    """A Redis that can be killed, paused and started again."""

    def __init__(self, executable: Path) -> None:
        self.folder = redis_server._short_private_folder()
        self.url = f"unix://{self.folder}/r.sock"
        self._command = [executable, "--unixsocket", self.folder / "r.sock", "--dir", self.folder]
        self.is_paused = False
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [*self._command, *redis_server.SERVER_OPTIONS], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(lambda: redis_server._answers(Path(urlsplit(self.url).path)))

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        self.is_paused = True
        self._process.send_signal(signal.SIGSTOP)

    def heal(self) -> None:
        if self.is_paused:
            self.is_paused = False
            self._process.send_signal(signal.SIGCONT)
        if not self.is_alive:
            self.start()


class Worker:
    """A cache in a process of its own."""

    def __init__(self, *args: object) -> None:
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("cache_worker.py"), *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def call(self, now: float, method: str, *args: object) -> Any:
        pickle.dump((now, method, args), self._process.stdin)
        self._process.stdin.flush()
        answer = pickle.load(self._process.stdout)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()


class CacheMachine(RuleBasedStateMachine):
    """Three caches of one namespace: one behind a proxy, one beside it, one in another process."""

    server: Server

    @initialize(with_process=st.booleans())
    def begin(self, with_process: bool) -> None:
        self.now = 0.0
        self.server.heal()
        self.faults = RedisFaults(self.server.url)
        self.folder = tempfile.TemporaryDirectory(prefix="jarvis-stateful-", ignore_cleanup_errors=True)
        self.namespace = f"test-{uuid.uuid4().hex}"
        disk = Path(self.folder.name) / "disk"
        self.disk = disk
        options = {
            "namespace": self.namespace,
            "memory_seconds": MEMORY_SECONDS,
            "clock": lambda: self.now,
            "wall_clock": lambda: 1.7e9 + self.now,
        }
        self.caches = [SmartCache(self.faults.url, disk, **options), SmartCache(self.server.url, disk, **options)]
        self.worker = Worker(self.server.url, disk, self.namespace, MEMORY_SECONDS) if with_process else None
        self.model: dict[str, tuple[int, float]] = {}
        self.history: dict[str, set[int | None]] = {key: {None} for key in KEYS}
        self.is_cut_off = False
        self.lock: sqlite3.Connection | None = None
        self.is_spoilt = False
        self.step = 0

    @property
    def redis_is_well(self) -> bool:
        return not self.is_cut_off and self.server.is_alive and not self.server.is_paused

    @property
    def disk_is_well(self) -> bool:
        return self.lock is None and not self.is_spoilt

    @property
    def count(self) -> int:
        return 3 if self.worker else 2

    def call(self, number: int, method: str, *args: object) -> Any:
        started = time.monotonic()
        if number < 2:
            answer = getattr(self.caches[number], method)(*args)
        else:
            answer = self.worker.call(self.now, method, *args)
        assert time.monotonic() - started < LONGEST_CALL_SECONDS
        return answer

    def allowed(self, key: str) -> set[int | None]:
        value, deadline = self.model.get(key, (None, 0.0))
        last = {None, value if self.now < deadline else None}
        return last | self.history[key] if self.is_cut_off else last

    def settle(self) -> None:
        """Give messages, and what is believed without them, the time they may take; from then on all must agree."""
        self.now += MEMORY_SECONDS + 1
        for number in range(self.count):
            for key in KEYS:
                wait_until(lambda number=number, key=key: self.call(number, "get", key) in self.allowed(key))
        for key in KEYS:
            for number in range(self.count):
                assert self.call(number, "get", key) in self.allowed(key)

    def changed(self, keys, value: int | None, ttl: float = 0.0) -> None:
        for key in keys:
            if value is None:
                self.model.pop(key, None)
            else:
                self.model[key] = value, self.now + ttl
            self.history[key] = (self.history[key] | {value}) if self.is_cut_off else {value}

    @rule(who=st.integers(0, 2), key=st.sampled_from(KEYS), ttl=st.sampled_from([60.0, 600.0]))
    def set(self, who: int, key: str, ttl: float) -> None:
        who %= self.count
        self.step += 1
        self.changed([key], self.step, ttl)
        self.call(who, "set", key, self.step, ttl, TAGS[key])
        assert self.call(who, "get", key) in self.allowed(key)
        self.settle()

    @rule(who=st.integers(0, 2), ttl=st.sampled_from([60.0, 600.0]))
    def set_many(self, who: int, ttl: float) -> None:
        who %= self.count
        self.step += 1
        self.changed(KEYS[2:], self.step, ttl)
        self.call(who, "set_many", dict.fromkeys(KEYS[2:], self.step), ttl)
        self.settle()

    @rule(who=st.integers(0, 2), key=st.sampled_from(KEYS))
    def delete(self, who: int, key: str) -> None:
        who %= self.count
        self.changed([key], None)
        self.call(who, "delete", key)
        assert self.call(who, "get", key) in self.allowed(key)
        self.settle()

    @precondition(lambda self: self.redis_is_well and self.disk_is_well)
    @rule(who=st.integers(0, 2), key=st.sampled_from(KEYS), ttl=st.sampled_from([10.0, 600.0]))
    def touch(self, who: int, key: str, ttl: float) -> None:
        who %= self.count
        if self.call(who, "touch", key, ttl):
            value, deadline = self.model[key]
            assert self.now < deadline
            self.model[key] = value, self.now + ttl
        self.settle()

    @rule(who=st.integers(0, 2), pattern=st.sampled_from(["a:*", "?:1", "*"]))
    def invalidate(self, who: int, pattern: str) -> None:
        who %= self.count
        found = [key for key in KEYS if pattern == "*" or (key[0] == "a" if pattern == "a:*" else key[2] == "1")]
        self.changed(found, None)
        self.call(who, "invalidate", pattern)
        self.settle()

    @rule(who=st.integers(0, 2))
    def clear(self, who: int) -> None:
        who %= self.count
        self.changed(KEYS, None)
        self.call(who, "clear")
        self.settle()

    @rule(who=st.integers(0, 2))
    def get_many(self, who: int) -> None:
        who %= self.count
        found = self.call(who, "get_many", KEYS)
        for key in KEYS:
            assert found.get(key) in self.allowed(key)

    @rule(who=st.integers(0, 1), key=st.sampled_from(KEYS))
    def get_or_set(self, who: int, key: str) -> None:
        self.step += 1
        made = self.step
        before = self.allowed(key)
        found = self.caches[who].get_or_set(key, lambda: made, 600.0, TAGS[key])
        assert found in before | {made}
        if found == made:
            self.changed([key], made, 600.0)
        self.settle()

    @rule(seconds=st.sampled_from([1.0, 20.0, 70.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.settle()

    @precondition(lambda self: self.redis_is_well and self.disk_is_well)
    @rule(fault=st.sampled_from(["blackhole", "reset", "half_reply", "delay"]))
    def cut_off(self, fault: str) -> None:
        self.is_cut_off = True
        getattr(self.faults, fault)(*([2.0] if fault == "delay" else []))

    @precondition(lambda self: self.is_cut_off)
    @rule()
    def mend(self) -> None:
        self.faults.heal()
        self.wait_until_used()
        self.is_cut_off = False
        self.settle()
        self.history = {key: {self.model[key][0] if key in self.model else None} for key in KEYS}

    @precondition(lambda self: self.redis_is_well and self.disk_is_well)
    @rule(how=st.sampled_from(["kill", "pause"]))
    def lose_server(self, how: str) -> None:
        getattr(self.server, how)()
        for number in range(self.count):  # each finds out
            self.call(number, "get", "nothing")
        self.settle()

    @precondition(lambda self: self.server.is_paused or not self.server.is_alive)
    @rule()
    def get_server_back(self) -> None:
        self.server.heal()
        self.wait_until_used()
        self.settle()

    @precondition(lambda self: self.redis_is_well and self.lock is None)
    @rule()
    def lock_disk(self) -> None:
        path = self.disk / "cache.db"
        if path.exists():
            self.lock = sqlite3.connect(path, timeout=0.1, isolation_level=None)
            try:
                self.lock.execute("BEGIN IMMEDIATE")
            except sqlite3.Error:  # a writer was first, or the file was spoilt by another rule
                self.lock.close()
                self.lock = None

    @precondition(lambda self: self.lock is not None)
    @rule()
    def unlock_disk(self) -> None:
        self.lock.close()
        self.lock = None
        if not self.is_spoilt:
            for number in range(self.count):  # before Redis may be lost, the disk is to know what was deleted
                wait_until(lambda number=number: self.call(number, "get_stats")["local_cache_available"])
        self.settle()

    @precondition(lambda self: self.redis_is_well)
    @rule(position=st.integers(0, 20_000))
    def spoil_disk(self, position: int) -> None:
        path = self.disk / "cache.db"
        self.is_spoilt = True
        if path.exists() and path.stat().st_size > position:
            with path.open("r+b") as file:
                file.seek(position)
                file.write(os.urandom(64))
        self.settle()

    def wait_until_used(self) -> None:
        for number in range(self.count):
            wait_until(
                lambda number=number: (
                    self.call(number, "get_stats")["redis_available"]
                    and self.call(number, "get_stats")["redis_listening"]
                )
            )

    def teardown(self) -> None:
        if not hasattr(self, "caches"):
            return
        self.server.heal()
        self.faults.heal()
        for cache in self.caches:
            cache.close()
        if self.worker:
            self.worker.stop()
        if self.lock is not None:
            self.lock.close()
        self.faults.close()
        self.folder.cleanup()


def test_whatever_happens_no_cache_gives_a_wrong_value():
    executables = redis_server._executables(os.environ)
    if not executables:
        if os.environ.get("JARVISPERF_REQUIRE_ALL"):
            pytest.fail("JARVISPERF_REQUIRE_ALL is set, and no real Redis server is installed")
        pytest.skip("no real Redis server is installed")
    server = Server(executables[0])
    machine = type("Machine", (CacheMachine,), {"server": server})
    examples = int(os.environ.get("JARVISPERF_STATEFUL_EXAMPLES", "3"))
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=15,
                deadline=None,
                phases=[Phase.explicit, Phase.reuse, Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        server.heal()
        server.kill()
