"""Fast paths for entries without a MAC: for one entry, and for many plain ones with few calls per entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jarvisperf.cache.values.envelopes.envelope import (
    ALIGNMENT_BYTES,
    CHECKED_FROM,
    KEY_START,
    MESSAGEPACK,
    PLAIN_KIND,
    PLAIN_START,
    SHORT_BYTES,
    crc32,
    fields_of,
    plain_fields,
    read_plain_header,
)
from jarvisperf.cache.values.unpacking import UNREADABLE_BECAUSE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def open_one(
    blob: bytes, name: bytes, now: float, generation: int, unpack: Callable[[bytes | memoryview], Any]
) -> tuple[Any, int] | None:
    """Return the value of an envelope and the version of its write; None if it needs a full check.

    Args:
        blob: The envelope.
        name: The key as it is stored.
        now: The current time, in seconds since 1970.
        generation: The generation of the namespace.
        unpack: Decodes a payload; raises one of ``UNREADABLE_BECAUSE``.
    """
    fields = plain_fields(blob, name) or fields_of(blob, name)
    if not isinstance(fields, tuple):
        return None
    created, expiry, _, of, version, _, _, codec, payload = fields
    if of != generation or codec != MESSAGEPACK or not created <= now < expiry:
        return None
    try:
        return unpack(payload), version
    except UNREADABLE_BECAUSE:
        return None


def open_plain(
    blobs: Mapping[str, bytes],
    names: Sequence[bytes],
    now: float,
    generation: int,
    unpack: Callable[[bytes], Any],
    found: dict[str, Any],
) -> tuple[dict[str, bytes], int]:
    """Find the values of short plain envelopes.

    Args:
        blobs: The envelopes by key.
        names: The keys as they are stored.
        now: The current time, in seconds since 1970.
        generation: The generation of the namespace.
        unpack: Decodes a payload; raises one of ``UNREADABLE_BECAUSE``.
        found: Receives the values by key.

    Returns:
        The envelopes that need a full check (not plain, expired, written in the future, of another generation, or
        damaged), and the newest version among the values found.
    """
    if not blobs or min(map(len, blobs.values())) < KEY_START:
        return dict(blobs), 0
    others: dict[str, bytes] = {}
    payloads: list[bytes] = []
    newest = 0
    heads = map(read_plain_header, blobs.values())
    checksums = map(crc32, [blob[CHECKED_FROM:] for blob in blobs.values()])
    for key, blob, name, head, checksum in zip(blobs, blobs.values(), names, heads, checksums, strict=True):
        (
            start, noted, version, kind, name_bytes, tail_bytes, payload_bytes, created, expiry, stale_until,
            compute_seconds, of,
        ) = head  # fmt: skip
        name_end = KEY_START + name_bytes
        payload_start = name_end + -name_end % ALIGNMENT_BYTES
        if (
            noted == checksum
            and blob[KEY_START:name_end] == name
            and kind == PLAIN_KIND
            and not tail_bytes
            and payload_start + payload_bytes == len(blob) < SHORT_BYTES
            and start == PLAIN_START
            and of == generation
            and created <= now < expiry <= stale_until
            and compute_seconds >= 0.0
        ):
            payloads.append(blob[payload_start:])
            if version > newest:  # noqa: PLR1730 - a call of max takes five times as long
                newest = version
        else:
            others[key] = blob
    try:
        values = list(map(unpack, payloads))
    except UNREADABLE_BECAUSE:
        return dict(blobs), 0
    found.update(zip([key for key in blobs if key not in others] if others else blobs, values, strict=True))
    return others, newest
