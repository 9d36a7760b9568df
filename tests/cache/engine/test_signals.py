"""Tests that a signal handler may use the cache, whatever it interrupts."""

from __future__ import annotations

import math
import signal
import subprocess
import sys

import pytest
from waiting import PROCESS_SECONDS

from jarvisperf.cache.memory.tier import MemoryTier
from jarvisperf.cache.testing import Clock
from jarvisperf.cache.values.isolation import Held

PROGRAM = """
import logging, random, signal, sys, time
from jarvisperf.cache import SmartCache, cached

logging.disable(logging.CRITICAL)
url, folder, handler_does = sys.argv[1] or None, sys.argv[2] or None, sys.argv[3]
cache = SmartCache(url, folder, memory_items=50, redis_reply_seconds=30.0)
is_handling, handled, draw = False, 0, random.Random(1)

@cached(cache=cache)
def double(number):
    return 2 * number

def use(number):
    key = f"k{number % 80}"
    cache.set(key, number, ttl=60, tags=["t"])
    assert cache.get_or_set(f"made{number % 7}", lambda: number % 7) == number % 7
    assert double(number % 9) == 2 * (number % 9)

def change(number):
    cache.delete(f"k{number % 80}")
    if number % 10 == 0:
        cache.invalidate("made*"), cache.invalidate_tag("t"), cache.touch("k3", 50), cache.get_many(["k1", "k2"])
    if number % 50 == 0:
        cache.clear(), cache.keys(), cache.get_stats()

def handle(*_):
    global is_handling, handled
    if not is_handling:
        is_handling = True
        handled += 1
        try:
            {"use": use, "change": change}[handler_does](draw.randrange(1000))
        except RuntimeError as error:  # it needs what the interrupted function is computing
            assert "recursive get_or_set" in str(error)
        is_handling = False

use(1), change(50)  # imports what is loaded at the first call: a module that is being imported cannot be used
signal.signal(signal.SIGALRM, handle)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0007)
while handled < 1500:
    use(draw.randrange(1000))
    change(draw.randrange(1000))
signal.setitimer(signal.ITIMER_REAL, 0)
cache.set("last", "write")
assert cache.get("last") == "write"
print("went on to the end")
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="Windows has no interval timers")
@pytest.mark.parametrize("handler_does", ["use", "change"])
@pytest.mark.parametrize("tiers", ["memory", "disk", "redis", "three"])
def test_a_handler_that_interrupts_the_cache_can_use_it(request, tmp_path, tiers, handler_does):
    url = request.getfixturevalue("real_redis").url if tiers in {"redis", "three"} else ""
    folder = str(tmp_path / "disk") if tiers in {"disk", "three"} else ""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, url, folder, handler_does],
        capture_output=True, text=True, timeout=PROCESS_SECONDS, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert ran.stdout.startswith("went on to the end"), ran.stderr[-2000:]


class Interrupting(Clock):
    """A clock whose next reading is interrupted by a signal handler."""

    def __init__(self) -> None:
        super().__init__()
        self.handler = None

    def __call__(self) -> float:
        handler, self.handler = self.handler, None
        if handler is not None:
            handler()
        return super().__call__()


def held(value: object) -> Held:
    return Held(value, None, 10)


@pytest.fixture
def clock() -> Interrupting:
    return Interrupting()


@pytest.fixture
def tier(clock) -> MemoryTier:
    tier = MemoryTier(10, clock)
    for key in "abc":
        tier.hold(key, held("old"), deadline=math.inf, tags=(key,))
    return tier


INTERRUPTIONS = {
    "hold": (lambda tier: tier.hold("a", held("new"), deadline=math.inf), "new"),
    "delete": (lambda tier: tier.delete("a"), None),
    "invalidate_tags": (lambda tier: tier.invalidate_tags(["a"]), None),
    "clear": (lambda tier: tier.clear(), None),
}


@pytest.mark.parametrize("name", INTERRUPTIONS)
def test_what_a_handler_changed_is_not_read_as_it_was_and_the_change_happens(tier, clock, name):
    interrupt, expected = INTERRUPTIONS[name]
    seen = []

    def handler() -> None:
        interrupt(tier)
        seen.append(tier.make_reader(lambda key, default: default)("a"))

    clock.handler = handler
    tier.invalidate_tags(["b"])  # reads the clock while it changes the entries
    assert seen == [None]  # "new" comes with the end of the interrupted change
    assert tier.make_reader(lambda key, default: default)("a") == expected
    assert "b" not in tier.entries
    assert tier.size()[0] == len(tier.entries)
