"""The contents of the golden files: one entry of each released layout and codec, as written at the time.

An existing file is never overwritten, because entries that users have stored must stay readable. For a new layout or
codec, add an entry and run ``python -m golden_envelopes`` in ``tests``, which writes the missing files.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from jarvisperf.cache.values.codec import Codec
from jarvisperf.cache.values.envelopes.envelope import mac_key, seal

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).parent / "cache" / "golden"
KEY = b"ns:key"
SECRET = mac_key(b"a secret of thirty-two bytes or more")


class Colour(enum.Enum):
    RED = "r"


class Access(enum.Flag):
    READ = 1
    WRITE = 2


CODEC = Codec([Colour, Access])
PICKLING = Codec(may_pickle=True)
COMPRESSING = Codec(compress_from_bytes=1)


@dataclass(frozen=True)
class Golden:
    """One file: its value, and how it is read."""

    name: str
    value: Callable[[], object]
    codec: Codec = CODEC
    secret: bytes | None = None

    @property
    def blob(self) -> bytes:
        return (FOLDER / self.name).read_bytes()


def leaves() -> object:
    return [
        None, True, 1, -(2**70), 1.5, float("inf"), 2j, "text", "\ud800", b"bytes", (1, (2,)), {1, "a"}, frozenset({2}),
        {(1, 2): "a", None: [1]}, {"plain": {"nested": 1}},
        datetime(2024, 10, 27, 1, 30, fold=1, tzinfo=ZoneInfo("Europe/Lisbon")),
        datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=1), "MEZ")), date(2024, 2, 29),
        time(1, 2, 3, 4, tzinfo=UTC), timedelta(-1, 2, 3), Decimal("-0.00"), Fraction(-1, 3), UUID(int=7),
        PurePosixPath("a/b"), Colour.RED, Access.READ | Access.WRITE, np.float32(1.5), np.str_("a\0"),
        np.arange(6, dtype=">i2").reshape(2, 3),
    ]  # fmt: skip


GOLDENS = [
    Golden("envelope-2-messagepack.bin", leaves),
    Golden("envelope-2-array.bin", lambda: np.asfortranarray(np.arange(6000, dtype="<f4").reshape(60, 100))),
    Golden("envelope-2-array-small.bin", lambda: np.array(["2024-01-01", "NaT"], dtype="datetime64[D]")),
    Golden("envelope-2-mac.bin", lambda: {"a": 1}, Codec(), SECRET),
    Golden("envelope-2-pickle.bin", lambda: complex, PICKLING, SECRET),
    Golden("envelope-2-zstd.bin", lambda: ["compressible"] * 50, COMPRESSING),
    Golden("envelope-2-zstd-array.bin", lambda: np.zeros((20, 30), dtype="<f4"), COMPRESSING),
]


def main() -> None:
    """Write the missing files."""
    for golden in GOLDENS:
        if not (FOLDER / golden.name).exists():
            encoded = golden.codec.compression.compress(golden.codec.encode(golden.value()))
            blob = seal(
                KEY, encoded, 100.0, 160.0, stale_until=200.0, generation=7, version=9, tags=("a", "é"),
                compute_seconds=0.25, secret=golden.secret,
            )  # fmt: skip
            (FOLDER / golden.name).write_bytes(blob)


if __name__ == "__main__":
    main()
