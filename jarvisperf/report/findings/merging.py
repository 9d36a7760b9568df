"""Merges the reports of a suite's parts, measured on several machines, into one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from jarvisperf.report.findings.model import Arm, arm_text, paired
from jarvisperf.runs.shard import parse_shard
from jarvisperf.suspects.blind_spots import merged_blind_spots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jarvisperf.report.findings.model import BenchmarkFinding, Findings


class MergeError(ValueError):
    """The parts do not belong together, or one is missing; the message names it."""


def merged(parts: Sequence[Findings]) -> tuple[Findings, list[str]]:
    """Merge reports.

    Args:
        parts: One or more reports, in any order.

    Returns:
        The whole report, which is trusted if every part is and has the duration of the slowest part; and warnings for
        the user, one line each.

    Raises:
        MergeError: The parts compare different commits, one is missing, duplicate or empty, or two of them contain the
            same benchmark.
    """
    first = parts[0]
    for part in parts:
        for name in ("mode", "base", "head"):
            if getattr(part, name) != getattr(first, name):
                one, other = (f"{_told(getattr(side, name))} in {_shown(side)}" for side in (first, part))
                raise MergeError(f"the parts do not belong together: {name} is {one}, but {other}")
    _check_shards(parts)
    for part in parts:
        if all(map(_is_missing, part.benchmarks)):
            raise MergeError(f"{_shown(part)} measured no benchmark: cut the suite into fewer parts (--jarvis-shard)")
    found: dict[str, BenchmarkFinding] = {}
    for part in parts:
        for finding in part.benchmarks:
            known = found.setdefault(finding.id, finding)
            # Every part reports the benchmarks that are missing in head.
            if known is not finding and not (_is_missing(known) and _is_missing(finding)):
                raise MergeError(f"{finding.id} is in more than one part")
    machines = {part.machine.fingerprint for part in parts}
    warnings = [] if len(machines) == 1 else [f"the parts were measured on {len(machines)} kinds of machine"]
    whole = msgspec.structs.replace(
        first,
        benchmarks=tuple(found.values()),
        trusted=all(part.trusted for part in parts),
        seconds=max(part.seconds for part in parts),
        created=min(part.created for part in parts),
        shard=None,
        split=None,
        allows_missing=all(part.allows_missing for part in parts),
        interrupted=any(part.interrupted for part in parts),
        blind_spots=merged_blind_spots(part.blind_spots for part in parts),
    )
    return paired(whole), warnings


def _check_shards(parts: Sequence[Findings]) -> None:
    try:
        named = [parse_shard(part.shard) for part in parts if part.shard is not None]
    except ValueError as error:
        raise MergeError(f"a report is of no part of a suite: {error}") from None
    if not named:
        return
    if len(named) < len(parts):
        raise MergeError("some of the reports are parts of a suite (--jarvis-shard), others are whole suites")
    sizes = {shard.of for shard in named}
    if len(sizes) > 1:
        raise MergeError(f"the parts come from suites cut into {' and '.join(map(str, sorted(sizes)))} parts")
    numbers = [shard.number for shard in named]
    absent = sorted(set(range(1, named[0].of + 1)) - set(numbers))
    if absent:
        raise MergeError(
            f"part {', '.join(f'{number}/{named[0].of}' for number in absent)} is missing: pass its report.json too"
        )
    if len(set(numbers)) < len(numbers):
        twice = next(number for number in numbers if numbers.count(number) > 1)
        raise MergeError(f"part {twice}/{named[0].of} was passed twice")
    for part in parts:
        if part.split != parts[0].split:
            one, other = (f"{_shown(side)} by {_source(side)}" for side in (parts[0], part))
            raise MergeError(f"the parts were cut differently, so benchmarks may be lost: {one}, {other}")


def _source(part: Findings) -> str:
    """Say what the parts were balanced by."""
    return part.split.source if part.split is not None and part.split.source is not None else "no durations"


def _is_missing(finding: BenchmarkFinding) -> bool:
    return bool(finding.metrics) and all(metric.verdict == "missing" for metric in finding.metrics.values())


def _told(value: str | Arm | None) -> str:
    if isinstance(value, Arm):
        return arm_text(value)
    return "nothing" if value is None else value


def _shown(part: Findings) -> str:
    return f"part {part.shard}" if part.shard else f"the report of {part.created}"
