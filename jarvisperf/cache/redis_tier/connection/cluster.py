"""A Redis Cluster: the client knows which server holds which keys; each server is used like a standalone one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import redis
from redis.crc import key_slot
from redis.exceptions import AskError, MovedError

from jarvisperf.cache.redis_tier.connection.link import ServerLink
from jarvisperf.cache.redis_tier.connection.reply_reader import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from jarvisperf.cache.redis_tier.connection.link import Command, Subscribed


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

    def call(self, name: bytes, *args: Any) -> Any:
        """Run one command."""
        with Deadline(self._call_seconds):
            try:
                return self._link_for(name).call(name, *args)
            except MovedError:
                self._known().nodes_manager.initialize()
                return self._link_for(name).call(name, *args)
            except AskError as error:  # this slot is being migrated
                other = self._link_to(error.host, error.port)
                return other.many([(name, ("ASKING",)), (name, args)])[1]

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
        """Yield the names that match, one server after the other."""
        for node in self._known().get_primaries():
            yield from self._link_to(node.host, node.port).scan(glob)

    def subscribe(self, channel: bytes, silence_seconds: float) -> Subscribed:
        """Subscribe; published messages reach every server of a cluster."""
        node = self._known().get_primaries()[0]
        return self._link_to(node.host, node.port).subscribe(channel, silence_seconds)

    def open(self) -> None:
        """Discover the cluster's current layout and check that each server answers."""
        self.close()
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

    def _known(self) -> redis.RedisCluster:
        if self._client is None:
            raise redis.ConnectionError("the cluster is not connected")
        return self._client

    def _link_for(self, name: bytes) -> ServerLink:
        node = self._known().nodes_manager.get_node_from_slot(key_slot(name))
        return self._link_to(node.host, node.port)

    def _link_to(self, host: str, port: int) -> ServerLink:
        link = self._links.get((host, port))
        if link is None:
            link = self._links.setdefault((host, port), ServerLink(self._pool_of(host, port), self._call_seconds))
        return link
