"""The Redis store: any deployment, with short timeouts and without the client's own retries.

Names in Redis:

- ``namespace:key``: a value, or a mark that explains why there is none;
- ``namespace#generation``, and ``namespace#count``: the number of pattern and tag invalidations;
- ``namespace#tag#digest``: the keys of a tag; ``namespace#refresh#digest``: the lease for replacing a value.

Messages are published on the channel ``namespace#changes``, in databases other than 0 ``namespace#changes@database``:
unlike names, channels belong to the whole server.
"""

from __future__ import annotations

import time
import uuid
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import redis

from jarvisperf.cache.keys.pattern import common_head, matches_any
from jarvisperf.cache.outage.store import CorruptEntryError, RejectedError, Write
from jarvisperf.cache.redis_tier import scripts as redis_scripts
from jarvisperf.cache.redis_tier.acknowledged import Acknowledged
from jarvisperf.cache.redis_tier.commands import batches, expiry, flat, glob, is_full, milliseconds, script
from jarvisperf.cache.redis_tier.connection.connect import Limits, link_to
from jarvisperf.cache.redis_tier.connection.link import LARGE_BYTES, SCAN_BATCH
from jarvisperf.cache.redis_tier.connection.reply_reader import INTERRUPTED
from jarvisperf.cache.redis_tier.messages import Message, change_to_bytes, to_bytes
from jarvisperf.cache.redis_tier.rejections import FAILURES, Rejections, is_forbidden
from jarvisperf.cache.values.envelopes import marks
from jarvisperf.cache.values.envelopes.envelope import VERSION_OFFSET, version_of
from jarvisperf.cache.values.envelopes.marks import Lease, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from jarvisperf.cache.keys.names import Names
    from jarvisperf.cache.keys.pattern import KeyPattern
    from jarvisperf.cache.redis_tier.connection.link import Command
    from jarvisperf.cache.redis_tier.messages import Kind
    from jarvisperf.cache.values.envelopes.versions import Versions

_TOMBSTONE_MILLISECONDS: Final = int(marks.TOMBSTONE_SECONDS * 1000)
# A mark far outlives its lease, so that a slow holder can still fill the key if no one else took or voided the lease.
_LEASE_MARK_SECONDS: Final = 3600.0


class RedisStore:
    """Stores bytes under the names of one namespace in one Redis.

    Args:
        where: A URL or a client; see ``connect.link_to``.
        names: The names of the namespace.
        limits: The timeouts.
        versions: Issues the versions of deletions.
        most_bytes: The size of the largest blob to store.

    Attributes:
        sender: The id of this cache in messages; a forked child gets a new one.
        generation: The generation of the namespace; values of older ones are not read.
        invalidations: The number of pattern and tag invalidations known to this cache.
        missed_invalidations: Whether any were missed since the last replay.

    Raises:
        TypeError: ``where`` is neither a URL nor a client.
        ValueError: The URL is malformed, or has an option that the client rejects.
    """

    name = "redis"
    failures = FAILURES

    def __init__(
        self,
        where: str | redis.Redis | redis.RedisCluster,
        names: Names,
        limits: Limits,
        versions: Versions,
        most_bytes: int,
    ) -> None:
        self.link, self.place = link_to(where, limits)
        self.generation = 0
        self.invalidations: int | None = None
        self.missed_invalidations = False
        self._names = names
        self._versions = versions
        self._rejections = Rejections(most_bytes, self._read_count, self._mark_rejected)
        self._acknowledged = Acknowledged()
        self.sender = uuid.uuid4().bytes
        space = names.prefix[:-1]
        self.channel = space + b"#changes" + (b"@%d" % self.link.database if self.link.database else b"")
        self._count_name = space + b"#count"
        self._generation_name = space + b"#generation"
        self._tag_prefix = space + b"#tag#"
        self._refresh_prefix = space + b"#refresh#"

    def open(self) -> None:
        """Check that the server answers, with a new connection, and read the namespace's generation.

        What a failover has undone is removed again.
        """
        self.link.open()
        self._raise_generation(self.generation)
        self.bury_if_older(self._acknowledged.outdated(), only_present=True)  # the disk may hold what is absent
        self.count_invalidations()

    def count_invalidations(self) -> None:
        """Find out whether any invalidations were missed."""
        # Content that is not a number is replaced.
        count = int(self.link.call(*flat(script(redis_scripts.RAISE, self._count_name, 0))))
        if self.invalidations not in {None, count}:
            self.missed_invalidations = True
        self.invalidations = count

    def get(self, key: str) -> bytes | None:
        """Return the value or mark of a key."""
        name = self._names.name(key)
        try:
            found: bytes | None = self.link.call(name, "GET", name)
        except (redis.ResponseError, *INTERRUPTED) as error:
            if str(error).startswith("WRONGTYPE"):
                raise CorruptEntryError(str(error)) from None
            raise self._rejections.unread(key, error, lambda: self.discard(key)) from error
        return found

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return the values and marks of those keys that have one."""
        try:
            found = self.link.get_many(self._names.names(keys))
        except (redis.ResponseError, *INTERRUPTED):
            return self._get_halves(keys)
        if None not in found:
            return dict(zip(keys, found, strict=True))  # type: ignore[arg-type] # as was just checked
        return {key: blob for key, blob in zip(keys, found, strict=True) if blob is not None}

    def put(self, key: str, blob: bytes, seconds: float, tags: tuple[str, ...] = ()) -> bool:
        """Store bytes and publish the change; always True."""
        write = Write(key, blob, seconds, tags)
        self._rejections.stored(write, lambda: self._put_one(write), only_older=False)
        self._acknowledged.note_written([write])
        return True

    def send(self, write: Write) -> Callable[[], bool]:
        """Begin to store bytes; the returned function, which must be called, finishes what ``put`` does."""
        if write.tags or len(write.blob) >= LARGE_BYTES:
            return lambda: self.put(*write)
        received = self.link.begin(*flat(self._putting(redis_scripts.PUT, write, self.channel, self._message(write))))

        def finish() -> bool:
            self._rejections.stored(write, lambda: self._insist_unless(received(), write), only_older=False)
            self._acknowledged.note_written([write])
            return True

        return finish

    def put_many(self, writes: Sequence[Write]) -> int:
        """Store several values and publish the changes; return how many."""
        self._rejections.stored_all(writes, self._put_or_insist, only_older=False)
        self._acknowledged.note_written(writes)
        return len(writes)

    def put_if_absent(
        self, key: str, blob: bytes, seconds: float, tags: tuple[str, ...], *, is_news: bool = False
    ) -> bool:
        """Store bytes unless there is a value or a mark; return whether they were stored.

        With ``is_news``, also publish the change.
        """
        name = self._names.name(key)
        setting: Command = (name, ("SET", name, blob, "NX", *expiry(seconds)))
        write = Write(key, blob, seconds, tags)
        replies = self._rejections.stored(
            write, lambda: self.link.many(self._tagging(name, seconds, tags), [setting]), only_older=True
        )
        is_held = replies[-1] is not None
        if is_held and is_news:
            self._publish("keys", [key])
        return is_held

    def put_if_newer(self, writes: Sequence[Write]) -> None:
        """Store the writes that are newer than the current content; for the replay after an outage."""
        self._rejections.stored_all(writes, self._put_newer, only_older=True)

    def bury_if_older(self, keys: dict[str, int], *, only_present: bool = False) -> None:
        """Delete keys whose value is not newer than the version of the deletion.

        Args:
            keys: The version of the deletion, by key.
            only_present: Whether to leave keys without a value or mark alone; otherwise they get a tombstone.
        """
        for batch in batches(list(keys.items()), SCAN_BATCH):
            names = [self._names.name(key) for key, _ in batch]
            replaced = redis_scripts.OLDER_PRESENT if only_present else redis_scripts.OLDER
            burying = [self._burying(name, of, replaced) for name, (_, of) in zip(names, batch, strict=True)]
            self._bury_or_reject([key for key, _ in batch], burying, self._versions.next())

    def replace(self, write: Write, version: int) -> bool:
        """Store bytes if the current value has this version; return whether it did."""
        lease = Lease(b"", version, 0)
        return self._rejections.stored(write, lambda: self._fill(*write, lease), only_older=True) != 0

    def delete(self, key: str) -> bool:
        """Remove a key and publish the change; return whether it existed."""
        return bool(self.delete_many([key]))

    def delete_many(self, keys: Collection[str], version: int = 0) -> set[str]:
        """Remove keys and publish the change; return those that existed. Version 0 means a new version."""
        found: set[str] = set()
        for batch in batches(list(keys), SCAN_BATCH):
            of = version or self._versions.next()
            names = [self._names.name(key) for key in batch]
            burying = [self._burying(name, of) for name in names]
            replies = self._bury_or_reject(batch, burying, of)
            self._acknowledged.note_deleted(batch, of)
            found.update(key for key, was_there in zip(batch, replies, strict=False) if was_there)
        return found

    def discard(self, key: str) -> None:
        """Remove a damaged entry without a tombstone; the disk may hold a good copy."""
        name = self._names.name(key)
        self.link.call(name, "UNLINK", name)

    def keys(self, pattern: KeyPattern) -> set[str]:
        """Return the keys that match, found with SCAN."""
        keys: set[str] = set()
        for found in self._matching([pattern]):
            names = [self._names.name(key) for key in found]
            heads = self.link.many([script(redis_scripts.IS_VALUE, name) for name in names])
            keys.update(key for key, is_value in zip(found, heads, strict=True) if is_value)
        return keys

    def invalidate(self, pattern: KeyPattern) -> set[str]:
        """Remove the keys that match, found with SCAN, publish the change and return them."""
        return self.invalidate_all([pattern])

    def invalidate_all(self, patterns: Sequence[KeyPattern]) -> set[str]:
        """Remove the keys that match one of several patterns, found with one SCAN, publish the change and return them.

        However many patterns there are, the server looks at each of its keys once.
        """
        literal = [pattern.head for pattern in patterns if pattern.is_literal]
        keys = self.delete_many(literal) if literal else set()
        patterns = [pattern for pattern in patterns if not pattern.is_literal]
        if not patterns:
            return keys
        self._count_change()
        for found in self._matching(patterns):
            keys |= self.delete_many(found)
        version = self._versions.next()
        self.link.many([self._publishing("pattern", [pattern.text], version) for pattern in patterns])
        return keys

    def invalidate_tags(self, tags: Collection[str]) -> set[str]:
        """Remove the keys that have one of the tags, publish the change and return them."""
        self._count_change()
        keys: set[str] = set()
        for tag in tags:
            of_tag = self._tag_name(tag)
            members = self.link.call(of_tag, "ZRANGE", of_tag, 0, -1)
            for batch in batches(members, SCAN_BATCH):
                found = [key for name in batch if (key := self._names.key(name))]
                # A key that is written in the meantime is tagged again after its write, so this order loses none.
                self.link.call(of_tag, "ZREM", of_tag, *batch)
                keys |= self.delete_many(found)
        self._publish("tags", list(tags))
        return keys

    def begin_generation(self) -> None:
        """Make everything written so far unreadable, in one step, and publish the change."""
        try:
            self._count_generation()
        except redis.ResponseError as error:
            if not is_full(error):
                raise
            self._unlink_all()  # a full server still deletes
            self._count_generation()
        self._raise_generation(self.generation + 1)
        self._publish("all", [])

    def clear(self) -> None:
        """Remove every key of the namespace."""
        self.begin_generation()
        self._unlink_all()

    def remove_older_generations(self) -> Iterator[None]:
        """Remove the values of older generations, which nobody reads any more, in steps."""
        for names in self.link.scan(glob(self._names.prefix)):
            ours = [name for name in names if self._names.key(name)]
            self.link.many([script(redis_scripts.REMOVE_OLDER, name, self.generation) for name in ours])
            yield

    def take_lease(self, key: str, held_version: int | None, lease_seconds: float) -> Lease | Refusal:
        """Request the lease of a key.

        Args:
            key: The key.
            held_version: The version of the value to replace; None if no value was found.
            lease_seconds: After this time another process may get the lease.
        """
        counting = (self._count_name, ("GET", self._count_name))
        token, asking = self._asking_for_lease(key, held_version, lease_seconds)
        granted, changes = self._rejections.asked(key, lambda: self.link.many([asking, counting]))
        return _lease_or_refusal(granted, token, held_version, _number(changes))

    def take_leases(
        self, keys: Sequence[str], held_versions: Mapping[str, int], lease_seconds: float
    ) -> dict[str, Lease | Refusal]:
        """Request the leases of several keys; see ``take_lease``.

        Raises:
            RejectedError: One of them cannot be leased.
        """
        answers: dict[str, Lease | Refusal] = {}
        counting = (self._count_name, ("GET", self._count_name))
        for batch in batches(list(keys), SCAN_BATCH):
            asking = [self._asking_for_lease(key, held_versions.get(key), lease_seconds) for key in batch]
            commands = [*(command for _, command in asking), counting]
            replies = self._rejections.asked(batch[0], partial(self.link.many, commands))
            for key, (token, _), granted in zip(batch, asking, replies[:-1], strict=True):
                answers[key] = _lease_or_refusal(granted, token, held_versions.get(key), _number(replies[-1]))
        return answers

    def renew(self, key: str, lease: Lease, lease_seconds: float) -> bool:
        """Let a lease last for this long from now; return False if it is lost."""
        name = self._names.name(key)
        if lease.token:
            asking = script(redis_scripts.RENEW, name, lease.token, _stay_milliseconds(lease_seconds))
        else:
            of_refresh = self._refresh_name(name)
            asking = script(redis_scripts.REFRESH, of_refresh, lease.refresh_token, milliseconds(lease_seconds))
        return bool(self._rejections.asked(key, lambda: self.link.call(*flat(asking))))

    def fill(self, key: str, blob: bytes, seconds: float, tags: tuple[str, ...], lease: Lease) -> bool:
        """Store a value computed under a lease and publish the change; return False if the key has changed since."""
        write = Write(key, blob, seconds, tags)
        if not self._rejections.stored(write, lambda: self._fill(*write, lease), only_older=True):
            return False
        if self._read_count() != lease.changes:
            # A pattern or tag was invalidated in the meantime, and the value may predate that.
            self.delete(key)
            return False
        self._acknowledged.note_written([write])
        return True

    def fill_many(self, writes: Sequence[Write], leases: Mapping[str, Lease], lost: set[str]) -> None:
        """Store values computed under leases and publish the changes.

        Args:
            writes: The values.
            leases: The lease of each key.
            lost: Receives the keys that have changed since.

        Raises:
            RejectedError: Some are rejected; all others are stored.
        """
        counting = (self._count_name, ("GET", self._count_name))

        def fill(batch: Sequence[Write]) -> None:
            filling = [self._filling(write.key, write.blob, write.seconds, leases[write.key]) for write in batch]
            tagging = self._tagging_all(batch)
            *replies, count = self.link.many(tagging, filling, [*tagging, self._saying(batch)], [counting])
            changes = _number(count)
            taken = replies[len(tagging) : len(tagging) + len(batch)]
            lost.update(write.key for write, is_taken in zip(batch, taken, strict=True) if not is_taken)
            self._acknowledged.note_written(write for write in batch if write.key not in lost)
            # As in ``fill``.
            outdated = [write.key for write in batch if leases[write.key].changes != changes and write.key not in lost]
            if outdated:
                self.delete_many(outdated)
                lost.update(outdated)

        self._rejections.stored_all(writes, fill, only_older=True)

    def release(self, key: str, lease: Lease) -> None:
        """Release a lease."""
        self._rejections.asked(key, lambda: self.link.call(*flat(self._releasing(key, lease))))

    def release_many(self, leases: Mapping[str, Lease]) -> None:
        """Release several leases."""
        for batch in batches(list(leases.items()), SCAN_BATCH):
            self.link.many([self._releasing(key, lease) for key, lease in batch])

    @property
    def evictions(self) -> int:
        """Always 0: Redis does not report whose entries it evicted."""
        return 0

    def size(self) -> tuple[int, int]:
        """Return zeros: finding the size of one namespace would require a search."""
        return 0, 0

    def hear_invalidation(self) -> None:
        """Count an invalidation of a pattern or tags."""
        if self.invalidations is not None:
            self.invalidations += 1

    def after_fork(self) -> None:
        """Change the sender id: parent and child receive each other's messages."""
        self.sender = uuid.uuid4().bytes

    def close(self) -> None:
        """Close the connections."""
        self.link.close()

    def _get_halves(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return the values of keys that cannot be read together, except those that cannot be read at all."""
        if len(keys) == 1:
            try:
                found = self.get(keys[0])
            except (CorruptEntryError, RejectedError):
                return {}
            return {} if found is None else {keys[0]: found}
        self._read_count()  # fails if the server does not work
        middle = len(keys) // 2
        return {**self.get_many(keys[:middle]), **self.get_many(keys[middle:])}

    def _message(self, write: Write) -> bytes:
        return change_to_bytes(self.sender, version_of(write.blob), self.generation, write.key)

    def _put_one(self, write: Write) -> None:
        message = self._message(write)
        if write.tags:
            is_held = self._put([write], message)
        else:
            is_held = self.link.call(*flat(self._putting(redis_scripts.PUT, write, self.channel, message)))
        self._insist_unless(is_held, write)

    def _insist_unless(self, is_held: object, write: Write) -> None:
        if not is_held:
            self._insist([write])

    def _put_or_insist(self, writes: Sequence[Write]) -> None:
        if not self._put(writes):
            self._insist(writes)

    def _put_newer(self, writes: Sequence[Write]) -> None:
        putting = [self._putting(redis_scripts.PUT_NEWER, write) for write in writes]
        saying = self._publishing("keys", [write.key for write in writes], self._versions.next())
        self.link.many(self._tagging_all(writes), putting, [saying])

    def _mark_rejected(self, writes: Sequence[Write], only_older: bool) -> None:
        """Replace what the keys of rejected writes hold, so that nobody reads an older value."""
        names = [self._names.name(write.key) for write in writes]
        marking = [
            self._marking(
                name,
                marks.rejection(version_of(write.blob)),
                milliseconds(max(write.seconds, marks.TOMBSTONE_SECONDS)),
                redis_scripts.OLDER if only_older else redis_scripts.ANY,
            )
            for name, write in zip(names, writes, strict=True)
        ]
        self._bury(names, marking, self._saying(writes))

    def _read_count(self) -> int:
        return _number(self.link.call(self._count_name, "GET", self._count_name))

    def _unlink_all(self) -> None:
        for names in self.link.scan(glob(self._names.prefix)):
            self.link.many([(name, ("UNLINK", name)) for name in names if self._names.key(name)])

    def _asking_for_lease(self, key: str, held_version: int | None, lease_seconds: float) -> tuple[bytes, Command]:
        name, token = self._names.name(key), marks.new_token()
        if held_version is not None:
            return token, script(redis_scripts.REFRESH, self._refresh_name(name), token, milliseconds(lease_seconds))
        stay = _stay_milliseconds(lease_seconds)
        return token, script(redis_scripts.LEASE, name, token, milliseconds(lease_seconds), stay)

    def _releasing(self, key: str, lease: Lease) -> Command:
        name = self._names.name(key)
        if lease.token:
            return script(redis_scripts.RELEASE, name, lease.token, _TOMBSTONE_MILLISECONDS)
        of_refresh = self._refresh_name(name)
        return of_refresh, ("UNLINK", of_refresh)

    def _filling(self, key: str, blob: bytes, seconds: float, lease: Lease) -> Command:
        expected = lease.version.to_bytes(8, "big")
        return script(redis_scripts.FILL, self._names.name(key), lease.token, expected, blob, milliseconds(seconds))

    def _fill(self, key: str, blob: bytes, seconds: float, tags: tuple[str, ...], lease: Lease) -> int:
        filling = self._filling(key, blob, seconds, lease)
        tagging = self._tagging(self._names.name(key), seconds, tags)
        saying = self._publishing("keys", [key], version_of(blob))
        return int(self.link.many(tagging, [filling], [*tagging, saying])[len(tags)])

    def _put(self, writes: Sequence[Write], message: bytes = b"") -> bool:
        """Store the writes that are not older than the current content; return whether all were stored.

        Args:
            writes: The writes.
            message: The message to publish with a single write; if empty, one is created.
        """
        putting = [self._putting(redis_scripts.PUT, write, self.channel, message) for write in writes]
        # Tag before the write, in case the connection breaks in between, and again after it, in case of an invalidation
        # in between.
        tagging = self._tagging_all(writes)
        after = tagging if message else [*tagging, self._saying(writes)]
        replies = self.link.many(tagging, putting, after)
        return all(replies[len(tagging) : len(tagging) + len(putting)])

    def _putting(self, put: bytes, write: Write, *more: bytes) -> Command:
        version = write.blob[VERSION_OFFSET : VERSION_OFFSET + 8]
        return script(put, self._names.name(write.key), write.blob, milliseconds(write.seconds), version, *more)

    def _insist(self, writes: Sequence[Write]) -> None:
        """Store writes even over newer versions: they came last, so the other writer's clock is ahead."""
        names = [self._names.name(write.key) for write in writes]
        setting: list[Command] = [
            (name, ("SET", name, write.blob, *expiry(write.seconds))) for name, write in zip(names, writes, strict=True)
        ]
        self.link.many(setting, [*self._tagging_all(writes), self._saying(writes)])

    def _saying(self, writes: Sequence[Write]) -> Command:
        newest = max(version_of(write.blob) for write in writes)
        return self._publishing("keys", [write.key for write in writes], newest)

    def _tagging_all(self, writes: Sequence[Write]) -> list[Command]:
        return [
            command
            for write in writes
            if write.tags
            for command in self._tagging(self._names.name(write.key), write.seconds, write.tags)
        ]

    def _tagging(self, name: bytes, seconds: float, tags: tuple[str, ...]) -> list[Command]:
        now = int(time.time() * 1000)
        left = milliseconds(seconds)
        score = "+inf" if left == "" else now + int(left)
        return [script(redis_scripts.TAG, self._tag_name(tag), name, score, now, left) for tag in tags]

    def _tag_name(self, tag: str) -> bytes:
        return self._tag_prefix + blake2b(tag.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest().encode()

    def _refresh_name(self, name: bytes) -> bytes:
        return self._refresh_prefix + blake2b(name, digest_size=16).hexdigest().encode()

    def _bury_or_reject(self, keys: Sequence[str], burying: list[Command], version: int) -> list[Any]:
        try:
            return self._bury([self._names.name(key) for key in keys], burying, self._publishing("keys", keys, version))
        except redis.ResponseError as error:
            if not is_forbidden(error):
                raise
            raise RejectedError(keys, error) from error

    def _bury(self, names: list[bytes], burying: list[Command], saying: Command) -> list[Any]:
        try:
            return self.link.many(burying, [saying])
        except redis.ResponseError as error:
            if not is_full(error):
                raise
            # A full server rejects tombstones but still deletes.
            return self.link.many([(name, ("UNLINK", name)) for name in names], [saying])

    def _burying(self, name: bytes, version: int, replaced: bytes = redis_scripts.ANY) -> Command:
        return self._marking(name, marks.tombstone(version), _TOMBSTONE_MILLISECONDS, replaced)

    @staticmethod
    def _marking(name: bytes, mark: bytes, stay: int | str, replaced: bytes) -> Command:
        return script(redis_scripts.BURY, name, mark, stay, replaced)

    def _matching(self, patterns: Sequence[KeyPattern]) -> Iterator[list[str]]:
        head = common_head(patterns)
        matches = matches_any(patterns)
        for names in self.link.scan(glob(self._names.name(head))):
            keys = [key for name in names if (key := self._names.key(name)) and matches(key)]
            if keys:
                yield keys

    def _count_change(self) -> None:
        try:
            self.link.call(self._count_name, "INCR", self._count_name)
        except redis.ResponseError as error:
            if not is_full(error):
                raise
            # A full server still deletes, and a missing count also differs from the one that others know.
            self.link.call(self._count_name, "UNLINK", self._count_name)
            self.invalidations = 0
        else:
            self.hear_invalidation()

    def _count_generation(self) -> None:
        self.link.call(self._generation_name, "INCR", self._generation_name)

    def _raise_generation(self, least: int) -> None:
        raised = self.link.call(*flat(script(redis_scripts.RAISE, self._generation_name, least)))
        self.generation = max(self.generation, int(raised))

    def _publishing(self, kind: Kind, names: Sequence[str], version: int) -> Command:
        message = Message(self.sender, kind, version, self.generation, tuple(names))
        return self.channel, ("PUBLISH", self.channel, to_bytes(message))

    def _publish(self, kind: Kind, names: Sequence[str]) -> None:
        self.link.many([self._publishing(kind, names, self._versions.next())])


def _lease_or_refusal(granted: int | bytes, token: bytes, held_version: int | None, changes: int) -> Lease | Refusal:
    if granted == 1:
        return Lease(token, 0, changes) if held_version is None else Lease(b"", held_version, changes, token)
    return Refusal(int.from_bytes(granted, "big") if isinstance(granted, bytes) else None)


def _stay_milliseconds(lease_seconds: float) -> int | str:
    """Return the time to live of a lease's mark; what is left of it tells how old the lease is."""
    return milliseconds(max(_LEASE_MARK_SECONDS, 2 * lease_seconds))


def _number(reply: bytes | None) -> int:
    try:
        return int(reply or 0)
    except ValueError:
        raise redis.InvalidResponse(f"not a number: {reply!r}") from None  # replaced when the store is opened again
