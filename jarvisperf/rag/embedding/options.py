"""How a sentence-transformers model is run, checked before anything is loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from jarvisperf.rag.checks import whole_number
from jarvisperf.rag.embedding.cpu import has_bfloat16
from jarvisperf.rag.texts import framed

BACKENDS = ("torch", "onnx", "openvino")
DTYPES = ("auto", "float32", "bfloat16")
ROLES = ("query", "document")


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """How the model is run.

    Args:
        device: As torch names it, such as "cpu" or "cuda"; None: sentence-transformers chooses.
        backend: "torch", "onnx" or "openvino".
        dtype: "float32", "bfloat16" or "auto": bfloat16 where the CPU has it in hardware.
        truncate_dim: Keep only so many numbers of each vector (Matryoshka models); None: all.
        prompts: What to put before a "query" or a "document"; None: what the model's own files say.

    Raises:
        TypeError: An argument has a type that it cannot have.
        ValueError: An argument has a value that it cannot have, such as bfloat16 on a CPU without it.
    """

    device: str | None = None
    backend: str = "torch"
    dtype: str = "auto"
    truncate_dim: int | None = None
    prompts: Mapping[str, str] | None = field(default=None)

    def __post_init__(self) -> None:
        if self.device is not None and not isinstance(self.device, str):
            raise TypeError(f"device is {self.device!r}: give a name such as 'cpu', or None")
        for name, value, allowed in (("backend", self.backend, BACKENDS), ("dtype", self.dtype, DTYPES)):
            if value not in allowed:
                raise ValueError(f"{name} is {value!r}: give one of {', '.join(map(repr, allowed))}")
        if self.truncate_dim is not None:
            whole_number("truncate_dim", self.truncate_dim)
        if self.dtype == "bfloat16" and self.backend != "torch":
            raise ValueError(f"dtype is 'bfloat16' with the backend {self.backend!r}: only 'torch' has it")
        if self.dtype == "bfloat16" and self._on_cpu and not has_bfloat16():
            raise ValueError(
                "dtype is 'bfloat16', which this CPU does not have in hardware (many times slower there):"
                " give 'auto' or 'float32'"
            )
        self._check_prompts()

    @property
    def uses_bfloat16(self) -> bool:
        """Whether the model computes in bfloat16."""
        if self.dtype == "auto":
            return self.backend == "torch" and self._on_cpu and has_bfloat16()
        return self.dtype == "bfloat16"

    def identity(self) -> str:
        """What tells the vectors of these options from those of others of the same model."""
        prompts = sorted((self.prompts or {}).items())
        said = framed(*(part for pair in prompts for part in pair))
        digest = hashlib.blake2b(said, digest_size=8).hexdigest() if self.prompts is not None else "own"
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
                raise ValueError(f"prompts has {role!r}: {prompt!r}, give texts for 'query', 'document' or both")
