"""A Redis Cluster: the client knows which server holds which keys; each server is used like a standalone one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import redis
from redis.crc import key_slot
from redis.exceptions import AskError, MovedError, RedisClusterException

from jarvisperf.cache.redis_tier.connection.link import ServerLink
from jarvisperf.cache.redis_tier.connection.reply_reader import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from jarvisperf.cache.redis_tier.connection.link import Command, Subscribed


_MOST_REDIRECTIONS = 8  # a slot that moves again, or a server that does not know yet, takes two or three
# Fields of a line of CLUSTER NODES; slots that are being moved are in brackets.
_ID, _EPOCH, _FIRST_SLOT = 0, 6, 8
_GET = b"local found = redis.pcall('GET', KEYS[1]); if type(found) == 'string' then return found end return false"


class ClusterLink:
    """Sends each command to the server that holds its key.

    Args:
        connect: Creates a client that knows the cluster; called at each opening.
        pool_of: Creates the connection pool of one server, by host and port.
        call_seconds: The deadline of a call, redirections included.

    Attributes:
        database: Always 0; a cluster has no other.
    """

    database = 0

    def __init__(
        self,
        connect: Callable[[], redis.RedisCluster],
        pool_of: Callable[[str, int], redis.ConnectionPool],
        call_seconds: float,
    ) -> None:
        self._connect = connect
        self._pool_of = pool_of
        self._call_seconds = call_seconds
        self._client: redis.RedisCluster | None = None
        self._links: dict[tuple[str, int], ServerLink] = {}
        self._learned_layout: _Layout | None = None

    def call(self, name: bytes, *args: Any) -> Any:
        """Run one command, at the server that currently holds the name's slot.

        Raises:
            ConnectionError: The servers redirect the command in circles, or nobody holds the slot.
            RedisError: The server cannot be reached, or rejects the command.
        """
        with Deadline(self._call_seconds):
            link, is_asking = self._link_for(name), False
            for _ in range(_MOST_REDIRECTIONS):
                try:
                    if is_asking:
                        return link.many([(name, ("ASKING",)), (name, args)])[1]
                    return link.call(name, *args)
                except AskError as error:
                    is_asking = not isinstance(error, MovedError)  # otherwise the slot is still being migrated
                    if not is_asking:
                        self._learn()
                    # The server asked for the layout may not know of the move yet; the one that redirects does.
                    link = self._link_to(*self._address_in(error)) if error.host else self._link_for(name)
            raise redis.ConnectionError(
                f"the cluster redirected a command {_MOST_REDIRECTIONS} times, so its servers disagree about slot"
                f" {key_slot(name)}"
            )

    def begin(self, name: bytes, *args: Any) -> Callable[[], Any]:
        """Return a function that runs one command; nothing is sent before, because a server may redirect."""
        return partial(self.call, name, *args)

    def many(self, *phases: Sequence[Command]) -> list[Any]:
        """Run commands together, one round trip per phase and server."""
        with Deadline(self._call_seconds):
            return [reply for commands in phases for reply in self._together(commands)]

    def get_many(self, names: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of several names; MGET cannot span slots."""
        # For a key that is not a string, the script returns nothing, whereas GET would fail the whole round trip.
        return self.many([(name, ("EVAL", _GET, 1, name)) for name in names])

    def scan(self, glob: bytes) -> Iterator[list[bytes]]:
        """Yield the names that match, one server after the other; once more if slots have moved in the meantime.

        A name that moves to a server that has already been searched is missed the first time. It would be missed the
        second time only if its slot moved twice during one search.
        """
        before = self._layout()
        if before != self._learned_layout:
            self._learn()
            self._learned_layout = before
        yield from self._scan_each(glob)
        if before is None or before.is_moving or self._layout() != before:
            self._learn()
            yield from self._scan_each(glob)

    def subscribe(self, channel: bytes, silence_seconds: float) -> Subscribed:
        """Subscribe; published messages reach every server of a cluster."""
        node = self._known().get_primaries()[0]
        return self._link_to(node.host, node.port).subscribe(channel, silence_seconds)

    def open(self) -> None:
        """Discover the cluster's current layout and check that each server answers."""
        self.close()
        self._learned_layout = None
        self._client = self._connect()
        for node in self._client.get_primaries():
            self._link_to(node.host, node.port).open()

    def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        links, self._links = self._links, {}
        for link in links.values():
            link.close()
        if client is not None:
            client.close()

    def _together(self, commands: Sequence[Command]) -> list[Any]:
        replies: list[Any] = [None] * len(commands)
        groups: dict[int, tuple[ServerLink, list[int]]] = {}
        for position, (name, _) in enumerate(commands):
            link = self._link_for(name)
            groups.setdefault(id(link), (link, []))[1].append(position)
        for link, positions in groups.values():
            group = [commands[position] for position in positions]
            try:
                answers = link.many(group)
            except AskError:  # or its subclass MovedError; every command of the cache may run twice
                answers = [self.call(name, *args) for name, args in group]
            for position, answer in zip(positions, answers, strict=True):
                replies[position] = answer
        return replies

    def _scan_each(self, glob: bytes) -> Iterator[list[bytes]]:
        for node in self._known().get_primaries():
            yield from self._link_to(node.host, node.port).scan(glob)

    def _layout(self) -> _Layout | None:
        """Ask every server which server holds which slots; return None if the user may not ask."""
        told = []
        for node in self._known().get_primaries():
            try:
                told.append(self._link_to(node.host, node.port).call(b"", "CLUSTER", "NODES"))
            except redis.ResponseError:
                return None
        return _Layout.told(told)

    def _known(self) -> redis.RedisCluster:
        if self._client is None:
            raise redis.ConnectionError("the cluster is not connected")
        return self._client

    def _learn(self) -> None:
        """Ask which server holds which slots."""
        try:
            self._known().nodes_manager.initialize()
        except RedisClusterException as error:  # not a RedisError
            raise redis.ConnectionError(str(error)) from error

    def _link_for(self, name: bytes) -> ServerLink:
        try:
            node = self._known().nodes_manager.get_node_from_slot(key_slot(name))
        except RedisClusterException as error:  # nobody holds the slot
            raise redis.ConnectionError(str(error)) from error
        return self._link_to(node.host, node.port)

    def _address_in(self, error: AskError) -> tuple[str, int]:
        host, port = self._known().nodes_manager.remap_host_port(error.host, error.port)
        return host, port

    def _link_to(self, host: str, port: int) -> ServerLink:
        link = self._links.get((host, port))
        if link is None:
            link = self._links.setdefault((host, port), ServerLink(self._pool_of(host, port), self._call_seconds))
        return link


class _Layout(NamedTuple):
    """What the servers of a cluster say about its slots.

    Attributes:
        holders: The id, the epoch and the slots of each server that holds some; a slot that moves raises the epoch.
        is_moving: Whether a slot is being moved.
    """

    holders: frozenset[tuple[bytes, ...]]
    is_moving: bool

    @classmethod
    def told(cls, answers: Sequence[bytes]) -> _Layout:
        """Read the replies to ``CLUSTER NODES``."""
        lines = [line.split() for answer in answers for line in answer.splitlines()]
        holders = frozenset((line[_ID], line[_EPOCH], *line[_FIRST_SLOT:]) for line in lines if len(line) > _FIRST_SLOT)
        return cls(holders, any(slot.startswith(b"[") for line in lines for slot in line[_FIRST_SLOT:]))
