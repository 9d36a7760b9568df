"""Connects to Redis from a URL or an existing client, with the cache's own timeouts and without retries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.connection import SSLConnection, parse_url
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from jarvisperf.cache.redis_tier.connection.cluster import ClusterLink
from jarvisperf.cache.redis_tier.connection.link import ServerLink
from jarvisperf.cache.redis_tier.connection.reply_reader import DeadlineParser
from jarvisperf.cache.redis_tier.connection.url import (
    check_redis_url,
    fault_in_client,
    parts_of_deployment,
    without_password,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from jarvisperf.cache.redis_tier.connection.link import Link
    from jarvisperf.cache.redis_tier.connection.url import Deployment


@dataclass(frozen=True, slots=True)
class Limits:
    """Timeouts in seconds: for connecting, for one read, and for a whole call."""

    connect_seconds: float
    reply_seconds: float
    call_seconds: float


def link_to(where: str | redis.Redis | redis.RedisCluster, limits: Limits) -> tuple[Link, str]:
    """Return a link and a description of where it leads, without a password.

    Args:
        where: A URL (see ``url.py``) or a redis-py client. A client's address, database, credentials, TLS settings and
            ``max_connections`` are used, not its connections, timeouts or retries.
        limits: The timeouts.

    Raises:
        TypeError: ``where`` is neither.
        ValueError: The URL is malformed, or has an option that the client rejects; or the client reads from replicas or
            has a single connection.
    """
    if isinstance(where, redis.RedisCluster):
        return _link_like_cluster(where, limits)
    if isinstance(where, redis.Redis):
        return _link_like_client(where, limits)
    check_redis_url(where)
    try:
        return _link_to_url(where, limits), without_password(where)
    except (TypeError, ValueError, redis.RedisError) as error:
        raise ValueError(fault_in_client(where, error)) from None


def _fixed(limits: Limits) -> dict[str, Any]:
    return {
        "socket_connect_timeout": limits.connect_seconds,
        "socket_timeout": limits.reply_seconds,
        "retry": Retry(NoBackoff(), 0),  # the client's own retries nest and can take minutes
        "retry_on_error": [],
        "retry_on_timeout": False,
        "decode_responses": False,
        "parser_class": DeadlineParser,
    }


# Arguments that connections accept, but clients reject or warn about.
_OF_CONNECTIONS = frozenset({"parser_class", "retry_on_error", "retry_on_timeout"})


def _for_client(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in _OF_CONNECTIONS}


def _link_to_url(url: str, limits: Limits) -> Link:
    deployment = parts_of_deployment(url)
    # Options in the URL take precedence. RESP2, because nothing of RESP3 is used.
    settings = {"protocol": 2, **_fixed(limits), **parse_url(deployment.url)}
    if deployment.kind == "sentinel":
        return ServerLink(_sentinel_pool(deployment, settings, limits), limits.call_seconds)
    if deployment.kind == "cluster":
        return _cluster(deployment.hosts, settings, limits)
    pool = redis.ConnectionPool(**settings)
    pool.connection_class(**pool.connection_kwargs)  # does not connect, but detects invalid options
    return ServerLink(pool, limits.call_seconds)


def _sentinel_pool(deployment: Deployment, settings: dict[str, Any], limits: Limits) -> SentinelConnectionPool:
    of_sentinels = {
        name.removeprefix("sentinel_"): settings.pop(name)
        for name in ("sentinel_username", "sentinel_password")
        if name in settings
    }
    uses_tls = settings.pop("connection_class", None) is SSLConnection
    for name in ("host", "port"):
        settings.pop(name, None)
    tls = {name: value for name, value in settings.items() if name.startswith("ssl_")} if uses_tls else {}
    sentinel = Sentinel(
        deployment.hosts,
        sentinel_kwargs={**_for_client(_fixed(limits)), "protocol": 2, **of_sentinels, "ssl": uses_tls, **tls},
    )
    return SentinelConnectionPool(deployment.master, sentinel, ssl=uses_tls, **settings)


def _cluster(
    hosts: tuple[tuple[str, int], ...],
    settings: dict[str, Any],
    limits: Limits,
    address_remap: Callable[[tuple[str, int]], tuple[str, int]] | None = None,
) -> ClusterLink:
    connection_class = settings.pop("connection_class", None)
    for name in ("host", "port", "db", "path"):
        settings.pop(name, None)

    def connect() -> redis.RedisCluster:
        nodes = [ClusterNode(host, port) for host, port in hosts]
        return redis.RedisCluster(
            startup_nodes=nodes,
            ssl=connection_class is SSLConnection,
            address_remap=address_remap,
            **_for_client(settings),
        )

    def pool_of(host: str, port: int) -> redis.ConnectionPool:
        chosen = {} if connection_class is None else {"connection_class": connection_class}
        return redis.ConnectionPool(host=host, port=port, **chosen, **settings)

    return ClusterLink(connect, pool_of, limits.call_seconds)


# Arguments that a client's pool adds; a new pool adds its own.
_OF_THE_POOL = frozenset({
    "connection_pool", "maint_notifications_config", "maint_notifications_pool_handler", "event_dispatcher",
    "maintenance_state", "maintenance_notification_hash", "orig_host_address", "orig_socket_timeout",
    "orig_socket_connect_timeout", "oss_cluster_maint_notifications_handler", "himport_registry", "cache",
})  # fmt: skip


_FROM_REPLICAS = "reads from replicas, which may return values that were deleted or replaced"


def _link_like_client(client: redis.Redis, limits: Limits) -> tuple[Link, str]:
    pool = client.connection_pool
    if client.connection is not None:
        raise ValueError("the client has a single connection: give one without single_connection_client")
    settings = {name: value for name, value in pool.connection_kwargs.items() if name not in _OF_THE_POOL}
    settings.update(_fixed(limits), protocol=2)
    if isinstance(pool, SentinelConnectionPool):
        if not pool.is_master:
            raise ValueError(f"the client {_FROM_REPLICAS}: give one of the master (master_for)")
        of_master = SentinelConnectionPool(
            pool.service_name,
            pool.sentinel_manager,
            connection_class=pool.connection_class,
            max_connections=pool.max_connections,
            **settings,
        )
        return ServerLink(of_master, limits.call_seconds), f"master {pool.service_name!r}"
    place = settings.get("path") or f"{settings.get('host', 'localhost')}:{settings.get('port', 6379)}"
    ours = redis.ConnectionPool(
        connection_class=pool.connection_class, max_connections=pool.max_connections, **settings
    )
    return ServerLink(ours, limits.call_seconds), str(place)


def _link_like_cluster(client: redis.RedisCluster, limits: Limits) -> tuple[Link, str]:
    nodes = client.nodes_manager
    if client.read_from_replicas or getattr(client, "load_balancing_strategy", None) is not None:
        raise ValueError(
            f"the client {_FROM_REPLICAS}: give one without read_from_replicas and load_balancing_strategy"
        )
    settings = {name: value for name, value in nodes.connection_kwargs.items() if name not in _OF_THE_POOL}
    settings.pop("redis_connect_func", None)  # it belongs to that client
    uses_tls = bool(settings.pop("ssl", False))
    settings.update(_fixed(limits), protocol=2)
    if uses_tls:
        settings["connection_class"] = SSLConnection
    hosts = tuple((node.host, int(node.port)) for node in client.get_nodes())
    return _cluster(hosts, settings, limits, nodes.address_remap), ", ".join(f"{host}:{port}" for host, port in hosts)
