"""Tests that the bound on memory is what the process really uses, to within 20 %, whatever the values are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BOUND_BYTES = 30_000_000
PROGRAM = """
import datetime, decimal, fractions, gc, pathlib, sys, uuid
import numpy
from jarvisperf.cache import SmartCache

def resident_bytes():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * 4096

def make(n):
    return {making}

cache = SmartCache(None, None, memory_items=100_000, memory_bytes={bound})
for n in range(50):  # whatever is allocated once
    cache.set(f"first {{n}}", make(n))
cache.clear()
gc.collect()
before, n = resident_bytes(), 0
while not cache.get_stats()["memory_evictions"]:
    for n in range(n + 1, n + 101):
        cache.set(f"key {{n}}", make(n))
gc.collect()
print(resident_bytes() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not tell what a process uses")
@pytest.mark.parametrize(
    "making",
    [
        '[pathlib.Path(f"/srv/region-{i % 97}/day-{i % 31}/part-{n * 200 + i:08d}") for i in range(200)]',
        'pathlib.Path(f"/srv/region-{n % 97}/part-{n:08d}")',
        "{f'{n} {i}': uuid.UUID(int=n * 100 + i) for i in range(100)}",
        "{fractions.Fraction(n * 100 + i, 7**9 + i) for i in range(100)}",
        "[decimal.Decimal(f'{n}.{i:06d}') for i in range(100)]",
        "[datetime.datetime.fromtimestamp(n * 100 + i, datetime.UTC) for i in range(100)]",
        "[datetime.datetime.fromisoformat(f'2026-01-01T00:00:{i:02d}+02:00') for i in range(60)]",
        "[n / (i + 3) for i in range(100)]",
        "{f'key {n} {i}': f'value {i} {n}' for i in range(100)}",
        "{'paths': [pathlib.Path(f'/srv/{n}/{i}') for i in range(50)], 'id': uuid.UUID(int=n)}",
        "f'value {n}'",
        "tuple((n, i) for i in range(100))",
        "numpy.arange(200) + n",
        "bytes([n % 256]) * 10_000",
    ],
)
def test_memory_takes_as_much_as_its_bound_says(making):
    program = PROGRAM.format(making=making, bound=BOUND_BYTES)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 0.8 < int(done.stdout) / BOUND_BYTES < 1.2
