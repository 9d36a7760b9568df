"""An unfinished comparison as bytes: a header with a keyed digest (BLAKE2, RFC 7693), then MessagePack.

MessagePack rather than JSON, because there are thousands of floats, and intervals without an upper bound.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

import msgspec

from jarvisperf.gate.lockstep.control import ControlState  # msgspec reads the annotations
from jarvisperf.gate.lockstep.model import Decided
from jarvisperf.gate.lockstep.tally import LaunchFigures, MetricTally, Tally
from jarvisperf.gate.verdict.decide import Judgement  # likewise

if TYPE_CHECKING:
    from jarvisperf.measure.metrics import Metrics

MAGIC = b"jarvisperf.unfinished/1 "
DIGEST_BYTES = 32


class NotOursError(ValueError):
    """The bytes were not written by this user's jarvisperf, or were changed since."""


class _SavedMetric(msgspec.Struct, frozen=True):
    # What is kept of a MetricTally, by the names of its fields.
    log_ratios: list[float]
    launches: list[LaunchFigures]
    drifts: list[float]
    base: list[float]
    head: list[float]
    iterations: int
    method: str
    judgement: Judgement | None


class _SavedBenchmark(msgspec.Struct, frozen=True):
    since: str
    forks: int
    metrics: dict[str, _SavedMetric]
    seconds: float
    xfail: str | None
    group: str | None
    extra_info: dict[str, str]
    unequal: str
    notes: list[str]


class Unfinished(msgspec.Struct, frozen=True):
    """What a comparison had decided when it ended early.

    Attributes:
        created: When it started, ISO 8601 in UTC.
        conditions: The digests of its conditions, by name.
        benchmarks: The decided benchmarks, by id.
        control: What its control had found.
        spent: Seconds that it spent, by what on.
    """

    created: str
    conditions: dict[str, str]
    benchmarks: dict[str, _SavedBenchmark]
    control: ControlState
    spent: dict[str, float]

    def decided(self, metrics: Metrics) -> Decided:
        """Return its decisions, each marked with the start of the run that made it.

        Args:
            metrics: The metrics that tests may measure.

        Raises:
            KeyError: A metric is unknown.
        """
        return Decided(
            {name: _tally(one, metrics) for name, one in self.benchmarks.items()}, self.control, dict(self.spent)
        )


def unfinished_of(decided: Decided, created: str, conditions: dict[str, str]) -> Unfinished:
    """Return what to keep of a comparison.

    Args:
        decided: Its decisions.
        created: When it started, ISO 8601 in UTC.
        conditions: The digests of its conditions, by name.
    """
    found = {name: _benchmark(tally, created) for name, tally in decided.tallies.items()}
    return Unfinished(created, conditions, found, decided.control, decided.spent)


def pack(unfinished: Unfinished, key: bytes) -> bytes:
    """Return the bytes to store."""
    content = msgspec.msgpack.encode(unfinished)
    return MAGIC + _signature(content, key) + content


def unpack(data: bytes, key: bytes) -> Unfinished:
    """Read the output of `pack`.

    Raises:
        NotOursError: They were not written with this key, or were changed or truncated since.
    """
    start = len(MAGIC) + DIGEST_BYTES
    if not data.startswith(MAGIC) or not hmac.compare_digest(data[len(MAGIC) : start], _signature(data[start:], key)):
        raise NotOursError("it was not written by this user on this machine, or it was changed since")
    try:
        return msgspec.msgpack.decode(data[start:], type=Unfinished)
    except msgspec.DecodeError as error:  # another version of jarvisperf wrote it
        raise NotOursError(f"another version of jarvisperf wrote it: {error}") from None


def _signature(content: bytes, key: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES, key=key, person=b"unfinished").digest()


def _benchmark(tally: Tally, created: str) -> _SavedBenchmark:
    return _SavedBenchmark(
        since=tally.taken_over or created,
        forks=tally.forks,
        metrics={
            name: _SavedMetric(**{part: getattr(one, part) for part in _SavedMetric.__struct_fields__})
            for name, one in tally.metrics.items()
        },
        seconds=tally.seconds,
        xfail=tally.xfail,
        group=tally.group,
        extra_info=tally.extra_info,
        unequal=tally.unequal,
        notes=list(tally.notes),
    )


def _tally(saved: _SavedBenchmark, metrics: Metrics) -> Tally:
    return Tally(
        state="decided",
        forks=saved.forks,
        metrics={
            name: MetricTally(metrics[name], **msgspec.structs.asdict(one)) for name, one in saved.metrics.items()
        },
        seconds=saved.seconds,
        xfail=saved.xfail,
        group=saved.group,
        extra_info=saved.extra_info,
        unequal=saved.unequal,
        notes=dict.fromkeys(saved.notes),
        taken_over=saved.since,
    )
