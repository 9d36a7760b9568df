"""Whether this machine's CPU computes bfloat16 in hardware; without it, it is slower than float32."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

_CPU_FACTS = Path("/proc/cpuinfo")
# x86: AVX-512 BF16 or AMX; Arm: BFMMLA and friends (Linux, arch/*/include/asm/cpufeatures.h and hwcap.h).
_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


@lru_cache(maxsize=1)
def has_bfloat16() -> bool:
    """Whether the kernel lists it among the CPU's features; False where that cannot be read."""
    try:
        return lists_bfloat16(_CPU_FACTS.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return False


def lists_bfloat16(cpu_facts: str) -> bool:
    """Whether the text of ``/proc/cpuinfo`` has one of the features, for its first CPU."""
    for line in cpu_facts.splitlines():
        name, _, features = line.partition(":")
        if name.strip() in {"flags", "Features"}:
            return not _FLAGS.isdisjoint(features.split())
    return False
