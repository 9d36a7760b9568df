"""Makes unseeded random numbers equal in both arms and from run to run, so that the same inputs are measured.

It seeds generators of `random` and numpy that have no seed: the shared ones, and those created without a seed
(``random.Random()``, ``numpy.random.default_rng()``). A seed that a test sets afterwards takes precedence, and
so does ``random.seed()``, which requests unpredictable numbers. Random bytes from the system (`os.urandom`, `secrets`,
``uuid.uuid4()``) stay as they are, but are counted.
"""

from __future__ import annotations

import hashlib
import os
import random
import secrets
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

SEED_BYTES = 8
LEGACY_SEEDS = 1 << 32  # seeds of numpy's shared generator are smaller
NUMPY_SEEDS = "numpy.random.bit_generator"  # without a seed, numpy calls `randbits` of this module

_draw = random.Random.seed  # as it is before anything is replaced
_urandom = os.urandom
_randbits = secrets.randbits


def seed_of(*parts: object) -> int:
    """Derive a seed from its purpose; the same in every process."""
    text = "\0".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "backslashreplace")).digest()[:SEED_BYTES], "big")


class SeededRandomness:
    """Seeds this process's generators while it is active.

    Attributes:
        system_draws: Number of requests for random bytes from the system since `seed`.
    """

    def __init__(self) -> None:
        self._source: random.Random | None = None
        self._earlier: tuple[Any, Any] | None = None
        self.system_draws = 0

    def begin(self, seed: int) -> None:
        """Take over and seed; `end` restores the shared generators to their present state."""
        self._earlier = random.getstate(), _numpy_state()
        random.Random.seed = _seeding(self)  # type: ignore[method-assign]
        secrets.randbits = self._bits  # what numpy will bind when it is imported
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Seed the shared generators, and the source of seeds for generators created later."""
        self._source = random.Random(seed)  # noqa: S311  # not used for secrets
        random.seed(seed)
        numpy_seeds = sys.modules.get(NUMPY_SEEDS)
        if numpy_seeds is not None:
            numpy_seeds.randbits = self._bits  # type: ignore[attr-defined]
            sys.modules["numpy.random"].seed(seed % LEGACY_SEEDS)
        self.system_draws = 0

    def watch(self) -> None:
        """Count requests to the system; this has a cost, so no sample may be taken before `unwatch`."""
        os.urandom = random._urandom = self._system_bytes  # type: ignore[attr-defined]  # noqa: SLF001

    def unwatch(self) -> None:
        """Stop counting."""
        os.urandom = random._urandom = _urandom  # type: ignore[attr-defined]  # noqa: SLF001

    def end(self) -> None:
        """Restore everything; the shared generators continue where they were."""
        self.unwatch()
        if self._earlier is not None:
            random.setstate(self._earlier[0])
            if self._earlier[1] is not None:
                sys.modules["numpy.random"].set_state(self._earlier[1])
        self._source = None
        random.Random.seed = _draw  # type: ignore[method-assign]
        secrets.randbits = _randbits

    def next_seed(self) -> int | None:
        """Return a seed for another generator; None if not active."""
        return None if self._source is None else self._source.getrandbits(64)

    def state(self) -> str:
        """Return a short digest of the generators' state, which is equal if two processes drew the same numbers."""
        if self._source is None:
            return ""
        parts: list[object] = [hash(state[1]) for state in (random.getstate(), self._source.getstate())]
        numpy = sys.modules.get("numpy.random")
        if numpy is not None:
            name, keys, *rest = numpy.get_state()
            parts += [name, hashlib.sha256(keys.tobytes()).hexdigest(), rest]
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

    def _bits(self, k: int) -> int:
        return _randbits(k) if self._source is None else self._source.getrandbits(k)

    def _system_bytes(self, size: int) -> bytes:
        self.system_draws += 1
        return _urandom(size)


def _numpy_state() -> Any:
    """Return the state of numpy's shared generator; None if numpy is not loaded."""
    numpy = sys.modules.get("numpy.random")
    return None if numpy is None else numpy.get_state()


def _seeding(randomness: SeededRandomness) -> Callable[..., None]:
    """Create the method that seeds a generator; one created without a seed gets the next seed."""

    def seed(self: random.Random, a: Any = None, version: int = 2) -> None:
        if a is None and _is_made_by_a_project(sys._getframe(1)):  # noqa: SLF001
            a = randomness.next_seed()
        _draw(self, a, version)

    seed.__doc__ = _draw.__doc__
    return seed


def _is_made_by_a_project(caller: FrameType) -> bool:
    """Return whether a generator is being created, except for names of temporary files, which must differ."""
    maker = caller.f_back
    return (
        caller.f_code is random.Random.__init__.__code__
        and maker is not None
        and maker.f_globals.get("__name__") != "tempfile"
    )
