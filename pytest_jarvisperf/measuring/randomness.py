"""Unseeded random numbers, made the same in both arms and from run to run, so that they measure the same inputs.

Seeded are the generators of `random` and numpy that nobody seeded: the shared ones, and those that are made without a
seed (``random.Random()``, ``numpy.random.default_rng()``). A test that seeds a generator itself, after this, wins; so
does ``random.seed()``, which asks for numbers that nobody can foresee. What comes from the system (`os.urandom`,
`secrets`, ``uuid.uuid4()``) is left as it is, and watched.
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
LEGACY_SEEDS = 1 << 32  # numpy's shared generator takes no larger ones
NUMPY_SEEDS = "numpy.random.bit_generator"  # numpy asks `randbits` of this module where it is given no seed

_draw = random.Random.seed  # as it is before anything is replaced
_urandom = os.urandom
_randbits = secrets.randbits


def seed_of(*parts: object) -> int:
    """Make a seed of what it is for, the same in every process."""
    text = "\0".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "backslashreplace")).digest()[:SEED_BYTES], "big")


class SeededRandomness:
    """Stands behind the generators of this process while it is on.

    Attributes:
        system_draws: How often something asked the system for random bytes since `seed`.
    """

    def __init__(self) -> None:
        self._source: random.Random | None = None
        self._earlier: tuple[Any, Any] | None = None
        self.system_draws = 0

    def begin(self, seed: int) -> None:
        """Take over, and seed; `end` gives the shared generators back as they are now."""
        self._earlier = random.getstate(), _numpy_state()
        random.Random.seed = _seeding(self)  # type: ignore[method-assign]
        secrets.randbits = self._bits  # what numpy will bind when it is imported
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Seed what there is now: the shared generators, and the source of seeds for those to come."""
        self._source = random.Random(seed)  # noqa: S311  # no secrets are made of it
        random.seed(seed)
        numpy_seeds = sys.modules.get(NUMPY_SEEDS)
        if numpy_seeds is not None:
            numpy_seeds.randbits = self._bits  # type: ignore[attr-defined]
            sys.modules["numpy.random"].seed(seed % LEGACY_SEEDS)
        self.system_draws = 0

    def watch(self) -> None:
        """Count what is asked of the system; it costs a little, so no sample may be taken before `unwatch`."""
        os.urandom = random._urandom = self._system_bytes  # type: ignore[attr-defined]  # noqa: SLF001

    def unwatch(self) -> None:
        """Count no more."""
        os.urandom = random._urandom = _urandom  # type: ignore[attr-defined]  # noqa: SLF001

    def end(self) -> None:
        """Give all back: the shared generators go on where they were."""
        self.unwatch()
        if self._earlier is not None:
            random.setstate(self._earlier[0])
            if self._earlier[1] is not None:
                sys.modules["numpy.random"].set_state(self._earlier[1])
        self._source = None
        random.Random.seed = _draw  # type: ignore[method-assign]
        secrets.randbits = _randbits

    def next_seed(self) -> int | None:
        """Give the seed of another generator; None: it is off."""
        return None if self._source is None else self._source.getrandbits(64)

    def state(self) -> str:
        """Say in a few characters how far the generators are: equal where two processes drew the same."""
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
    """Give the state of numpy's shared generator; None where numpy is not loaded."""
    numpy = sys.modules.get("numpy.random")
    return None if numpy is None else numpy.get_state()


def _seeding(randomness: SeededRandomness) -> Callable[..., None]:
    """Make the method that seeds a generator: one that is made without a seed gets the next one."""

    def seed(self: random.Random, a: Any = None, version: int = 2) -> None:
        if a is None and _is_made_by_a_project(sys._getframe(1)):  # noqa: SLF001
            a = randomness.next_seed()
        _draw(self, a, version)

    seed.__doc__ = _draw.__doc__
    return seed


def _is_made_by_a_project(caller: FrameType) -> bool:
    """Whether a generator is being made, and not for the names of temporary files, which must differ."""
    maker = caller.f_back
    return (
        caller.f_code is random.Random.__init__.__code__
        and maker is not None
        and maker.f_globals.get("__name__") != "tempfile"
    )
