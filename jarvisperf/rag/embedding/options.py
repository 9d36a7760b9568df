"""Options for running a sentence-transformers model, checked before anything is loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from jarvisperf.checks import one_of, whole_number
from jarvisperf.rag.texts import framed

BACKENDS = ("torch", "onnx", "openvino")
DTYPES = ("auto", "float32", "bfloat16")
ROLES = ("query", "document")

_CPU_INFO = Path("/proc/cpuinfo")
# x86: AVX-512 BF16 or AMX; Arm: BFMMLA and others (Linux, arch/*/include/asm/cpufeatures.h and hwcap.h).
_BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Options for running the model.

    Args:
        device: A torch device name, such as "cpu" or "cuda"; None lets sentence-transformers choose.
        backend: "torch", "onnx" or "openvino".
        dtype: "float32", "bfloat16" or "auto" (bfloat16 if the CPU supports it in hardware).
        truncate_dim: Number of dimensions to keep of each vector (Matryoshka models); None keeps all.
        prompts: Prefixes for a "query" and a "document"; None uses those in the model's files.
        processes: How many processes embed documents on the CPU. They start with the first large call, which takes
            seconds, and run until the model is unloaded. Queries are embedded in this process.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument has an invalid value, such as bfloat16 on a CPU without it.
    """

    device: str | None = None
    backend: str = "torch"
    dtype: str = "auto"
    truncate_dim: int | None = None
    prompts: Mapping[str, str] | None = field(default=None)
    processes: int = 1

    def __post_init__(self) -> None:
        if self.device is not None and not isinstance(self.device, str):
            raise TypeError(f"device is {self.device!r}: give a name such as 'cpu', or None")
        for name, value, allowed in (("backend", self.backend, BACKENDS), ("dtype", self.dtype, DTYPES)):
            one_of(name, value, allowed)
        if self.truncate_dim is not None:
            whole_number("truncate_dim", self.truncate_dim, at_least=1)
        whole_number("processes", self.processes, at_least=1)
        if self.processes > 1 and (self.backend != "torch" or not self._on_cpu):
            raise ValueError(
                f"processes is {self.processes} with the backend {self.backend!r} and the device {self.device!r}:"
                " only 'torch' on the CPU supports several"
            )
        if self.dtype == "bfloat16" and self.backend != "torch":
            raise ValueError(f"dtype is 'bfloat16' with the backend {self.backend!r}: only 'torch' supports it")
        if self.dtype == "bfloat16" and self._on_cpu and not has_bfloat16():
            raise ValueError(
                "dtype is 'bfloat16', but this CPU lacks hardware support for it (many times slower): give 'auto' or"
                " 'float32'"
            )
        self._check_prompts()

    @property
    def uses_bfloat16(self) -> bool:
        """Whether the model computes in bfloat16."""
        if self.dtype == "auto":
            return self.backend == "torch" and self._on_cpu and has_bfloat16()
        return self.dtype == "bfloat16"

    def identity(self) -> str:
        """Return a string that differs for options that produce different vectors."""
        prompts = sorted((self.prompts or {}).items())
        packed = framed(*(part for pair in prompts for part in pair))
        digest = hashlib.blake2b(packed, digest_size=8).hexdigest() if self.prompts is not None else "own"
        dtype = "bfloat16" if self.uses_bfloat16 else "float32"
        return f"{self.backend}:{dtype}:{self.truncate_dim or 'whole'}:{digest}"

    @property
    def _on_cpu(self) -> bool:
        return self.device is None or self.device.startswith("cpu")

    def _check_prompts(self) -> None:
        if self.prompts is None:
            return
        if not isinstance(self.prompts, Mapping):
            raise TypeError(f"prompts is {self.prompts!r}: give a dictionary with 'query', 'document' or both")
        for role, prompt in self.prompts.items():
            if role not in ROLES or not isinstance(prompt, str):
                raise ValueError(f"prompts contains {role!r}: {prompt!r}; give strings for 'query', 'document' or both")


@lru_cache(maxsize=1)
def has_bfloat16() -> bool:
    """Return whether the CPU computes bfloat16 in hardware; without hardware support, it is slower than float32.

    False if the kernel does not list the CPU's features.
    """
    try:
        return lists_bfloat16(_CPU_INFO.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return False


def lists_bfloat16(cpu_info: str) -> bool:
    """Return whether the text of ``/proc/cpuinfo`` lists bfloat16 for its first CPU."""
    for line in cpu_info.splitlines():
        name, _, features = line.partition(":")
        if name.strip() in {"flags", "Features"}:
            return not _BFLOAT16_FLAGS.isdisjoint(features.split())
    return False
