"""Tests the cache with every Redis deployment, each on real servers that the test starts."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import redis
from patience import PATIENT
from redis.cluster import ClusterNode
from redis.crc import key_slot
from redis.sentinel import Sentinel
from redis_deployments import cluster, running, tls_before, use_everything
from waiting import SOON_SECONDS, wait_until

from jarvisperf.cache import SmartCache
from jarvisperf.cache.redis_tier.connection.link import ServerLink
from jarvisperf.cache.redis_tier.connection.url import check_redis_url, parts_of_deployment
from jarvisperf.cache.testing import store_of
from pytest_jarvisperf.redis_fixtures.server import start_redis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from redis_deployments import Node

pytestmark = pytest.mark.xdist_group("redis-deployments")


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list]:
    with cluster(tmp_path_factory.mktemp("cluster")) as nodes:
        yield nodes


def test_a_cluster_by_its_url(three):
    use_everything(f"redis+cluster://127.0.0.1:{three[0].port},127.0.0.1:{three[1].port}")


@pytest.mark.parametrize("change", ["set_many", "delete_many"])
def test_in_a_cluster_others_hear_of_a_change_when_all_of_it_is_done(three, change):
    namespace = f"test-{time.time_ns()}"
    with SmartCache(f"redis+cluster://127.0.0.1:{three[0].port}", None, namespace=namespace, **PATIENT) as cache:
        channel = f"{namespace}#changes"
        teller = node_of(three, channel)
        keys = [f"k{number}" for number in range(100)]
        here = next(key for key in keys if node_of(three, f"{namespace}:{key}") is teller)
        there = next(key for key in keys if node_of(three, f"{namespace}:{key}") is not teller)
        other = node_of(three, f"{namespace}:{there}")
        values = dict.fromkeys([here, there], 1)
        cache.set_many(values)
        with teller.client.pubsub(ignore_subscribe_messages=True) as heard:
            heard.subscribe(channel)
            heard.get_message(timeout=SOON_SECONDS)
            other.process.send_signal(signal.SIGSTOP)
            changing = threading.Thread(target=getattr(cache, change), args=(values,))
            changing.start()
            said_before = heard.get_message(timeout=0.5)
            other.process.send_signal(signal.SIGCONT)
            changing.join()
            assert said_before is None
            wait_until(lambda: heard.get_message(timeout=1))


def node_of(nodes: list[Node], name: str) -> Node:
    slot = key_slot(name.encode())
    return nodes[min(slot // (16384 // len(nodes)), len(nodes) - 1)]


def test_a_cluster_by_a_client_that_is_handed_in(three):
    client = redis.RedisCluster(startup_nodes=[ClusterNode("127.0.0.1", three[0].port)])
    use_everything(client)
    client.set("still", "usable")
    client.close()


def test_a_slot_that_moves_to_another_server_is_followed(three):
    url = f"redis+cluster://127.0.0.1:{three[0].port}"
    with SmartCache(url, None, namespace="moving", memory_items=0, **PATIENT) as cache:
        cache.set("k", "v")
        client = redis.RedisCluster(startup_nodes=[ClusterNode("127.0.0.1", three[0].port)])
        slot = client.keyslot("moving:k")
        source = next(n for n in three if n.port == client.nodes_manager.get_node_from_slot(slot).port)
        target = next(n for n in three if n is not source)
        ids = {n.port: n.client.execute_command("CLUSTER", "MYID").decode() for n in three}
        target.client.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source.port])
        source.client.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target.port])
        source.client.execute_command("MIGRATE", "127.0.0.1", target.port, "moving:k", 0, 5000)
        assert cache.get("k") == "v"  # by ASK
        assert cache.get_many(["k"]) == {"k": "v"}
        for node in three:
            node.client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", ids[target.port])
        assert cache.get("k") == "v"  # by MOVED
        assert cache.set("k", "new")
        assert cache.get("k") == "new"
        assert cache.get_stats()["errors"] == 0
        client.close()


def test_a_key_that_moves_behind_the_search_for_a_pattern_is_invalidated(three, monkeypatch):
    keys = {node.port: slot_on(node, "hiding:{%d}") for node in three}
    moved = []
    search = ServerLink.scan

    def scan(link, glob):
        yield from search(link, glob)
        if not moved:
            searched = next(n for n in three if n.port == link._connections._pool.connection_kwargs["port"])
            other = next(n for n in three if n is not searched)
            moved.append((keys[other.port][0], other, searched))
            move(*moved[0], three)

    url = f"redis+cluster://127.0.0.1:{three[0].port}"
    with SmartCache(url, None, namespace="hiding", memory_items=0, **PATIENT) as cache:
        names = [f"{{{number}}}" for _, number in keys.values()]
        cache.set_many(dict.fromkeys(names, "old"))
        monkeypatch.setattr(ServerLink, "scan", scan)
        try:
            assert cache.invalidate("{*") == 3
            assert cache.get_many(names) == {}
        finally:
            slot, home, away = moved[0]
            move(slot, away, home, three)


def test_servers_that_disagree_about_a_slot_do_not_make_its_values_rejected(three):
    """The server that is asked for the layout may not have heard that the slot has moved."""
    with SmartCache(
        f"redis+cluster://127.0.0.1:{three[0].port}", None, namespace="late", memory_items=0, **PATIENT
    ) as cache:
        slot, number = slot_on(three[1], "late:{%d}")
        nodes = store_of(cache, "redis").link._client.nodes_manager
        nodes.initialize = lambda: None  # as if every answer were outdated
        move(slot, three[1], three[2], three)
        try:
            assert cache.set(f"{{{number}}}", "new")
            assert cache.get(f"{{{number}}}") == "new"
            assert (cache.get_stats()["rejected"], cache.get_stats()["errors"]) == (0, 0)
        finally:
            move(slot, three[2], three[1], three)


def test_a_slot_that_nobody_holds_is_an_outage_and_not_an_exception(three):
    with SmartCache(f"redis+cluster://127.0.0.1:{three[0].port}", None, namespace="bare", **PATIENT) as cache:
        store_of(cache, "redis").link._client.nodes_manager.slots_cache.clear()
        assert cache.set("k", 1)
        wait_until(lambda: cache.get_stats()["redis_available"])
        assert cache.get("k") == 1
        assert cache.get_stats()["redis_errors"] == 1


def slot_on(node: Node, form: str) -> tuple[int, int]:
    """Return a slot that this server holds, and the number in a name that belongs to it."""
    client = redis.RedisCluster(startup_nodes=[ClusterNode("127.0.0.1", node.port)])
    try:
        for number in range(1000):
            slot = client.keyslot(form % number)
            if client.nodes_manager.get_node_from_slot(slot).port == node.port:
                return slot, number
    finally:
        client.close()
    raise AssertionError(f"no slot on port {node.port}")


def move(slot: int, source: Node, target: Node, nodes: list[Node]) -> None:
    ids = {node.port: node.client.execute_command("CLUSTER", "MYID").decode() for node in nodes}
    target.client.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source.port])
    source.client.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target.port])
    for name in source.client.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 1000):
        source.client.execute_command("MIGRATE", "127.0.0.1", target.port, name, 0, 5000)
    for node in nodes:
        node.client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", ids[target.port])


@contextlib.contextmanager
def sentinel_of(folder: Path) -> Iterator[tuple[list, object]]:
    """A master with a replica, and one Sentinel that watches them."""
    with running(folder, ()) as (master,), contextlib.ExitStack() as stack:
        (folder / "second").mkdir()
        (folder / "third").mkdir()
        (replica,) = stack.enter_context(running(folder / "second", (f"replicaof 127.0.0.1 {master.port}",)))
        watching = (
            f"sentinel monitor mymaster 127.0.0.1 {master.port} 1",
            "sentinel down-after-milliseconds mymaster 500",
            "sentinel failover-timeout mymaster 2000",
        )
        (sentinel,) = stack.enter_context(running(folder / "third", watching, sentinel=True))
        wait_until(lambda: "slave0" in str(master.client.info("replication")))
        wait_until(lambda: len(sentinel.client.sentinel_slaves("mymaster")) == 1)
        yield [master, replica], sentinel


def test_sentinel_names_the_master_and_after_a_failover_the_new_one(tmp_path):
    with sentinel_of(tmp_path) as ((master, replica), sentinel):
        url = f"redis+sentinel://127.0.0.1:{sentinel.port}/mymaster/0"
        use_everything(url)
        client = Sentinel([("127.0.0.1", sentinel.port)]).master_for("mymaster")
        use_everything(client)
        with SmartCache(url, None, namespace="failover", **PATIENT) as cache:
            cache.set("k", "old")
            wait_until(lambda: replica.client.exists("failover:k"))
            master.stop()
            cache.set("k", "new")  # while nobody is the master
            wait_until(lambda: "role:master" in str(replica.client.info("replication")).replace("': '", ":"))
            # On a busy machine, half a second of silence is no reason to call the new master down as well.
            sentinel.client.sentinel_set("mymaster", "down-after-milliseconds", 60_000)
            wait_until(lambda: sentinel.client.sentinel_master("mymaster")["flags"] == "master")
            wait_until(lambda: cache.get_stats()["redis_available"])
            with SmartCache(url, None, namespace="failover", **PATIENT) as other:
                assert other.get("k") in {None, "new"}
                other.set("after", 1)
            assert cache.get("after") == 1
            assert cache.get("k") == "new"


@pytest.mark.parametrize("change", ["set", "set_many", "delete", "invalidate"])
def test_what_a_failover_undoes_does_not_come_back(change):
    """The replica that takes over may lack the last changes, because Redis answers before it replicates."""
    with (
        start_redis() as server,
        contextlib.closing(redis.Redis.from_url(server.url)) as replica,
        SmartCache(server.url, None, namespace="undone", **PATIENT) as cache,
    ):
        cache.set_many({"k": "old", "other": "kept"})
        wait_until(lambda: cache.get_stats()["redis_listening"])
        before = replica.get("undone:k")
        {
            "set": lambda: cache.set("k", "new"),
            "set_many": lambda: cache.set_many({"k": "new"}),
            "delete": lambda: cache.delete("k"),
            "invalidate": lambda: cache.invalidate("k*"),
        }[change]()
        replica.set("undone:k", before)
        replica.client_kill_filter(_type="pubsub")  # as if the master had died
        wait_until(lambda: cache.get_stats()["redis_errors"] and cache.get_stats()["redis_available"])
        assert cache.get("k") is None
        assert cache.get("other") == "kept"


@pytest.mark.parametrize("form", ["redis", "unix", "client"])
def test_a_user_with_a_password_and_few_rights(form):
    with start_redis() as server, contextlib.closing(redis.Redis.from_url(server.url)) as admin:
        path = urlsplit(server.url).path
        user = f"someone-{time.time_ns()}"
        admin.execute_command(
            "ACL",
            "SETUSER",
            user,
            "on",
            ">p@ss/word",
            "~mine*",
            "resetchannels",
            "&mine*",
            "+@all",
            "-@dangerous",
            "-@admin",
        )
        where: object = f"unix://{user}:p%40ss%2Fword@{path}"
        if form == "client":
            where = redis.Redis(unix_socket_path=path, username=user, password="p@ss/word", socket_timeout=60)
        elif form == "redis":
            where = f"unix://{path}?username={user}&password=p%40ss%2Fword"
        use_everything(where, namespace=f"mine-{form}")
        with SmartCache(where, None, namespace="theirs") as cache:
            assert cache.set("k", 1)
            assert not cache.get_stats()["redis_available"]
        admin.execute_command("ACL", "DELUSER", user)


def test_tls_with_a_certificate_that_is_verified(tmp_path):
    with start_redis() as server, tls_before(urlsplit(server.url).path, tmp_path) as (port, certificate):
        use_everything(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificate}")
        with SmartCache(f"rediss://127.0.0.1:{port}/0", None, **PATIENT) as distrustful:
            assert distrustful.set("k", 1)
            assert not distrustful.get_stats()["redis_available"]


def test_a_client_that_is_handed_in_keeps_its_own_connections(tmp_path):
    with start_redis() as server:
        client = redis.Redis.from_url(server.url, decode_responses=True)
        use_everything(client)
        assert client.ping()
        client.close()


@pytest.mark.parametrize(
    ("url", "kind", "hosts", "master"),
    [
        ("redis+sentinel://h1:1,h2:2/m/3", "sentinel", (("h1", 1), ("h2", 2)), "m"),
        ("rediss+sentinel://u:p@h1/m", "sentinel", (("h1", 26379),), "m"),
        ("redis+cluster://h1,[::1]:7", "cluster", (("h1", 6379), ("::1", 7)), ""),
        ("redis://h:1", "server", (), ""),
    ],
)
def test_a_url_says_how_redis_is_run(url, kind, hosts, master):
    found = parts_of_deployment(check_redis_url(url))
    assert (found.kind, found.hosts, found.master) == (kind, hosts, master)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis+sentinel://h:1", "names no master"),
        ("redis+sentinel://h:1/m/x", "has a database that is not a number"),
        ("redis+cluster://h:1/3", "a cluster has only one"),
        ("redis+cluster://h:x", "cannot be read"),
        ("redis+magic://h", "unknown scheme"),
    ],
)
def test_a_malformed_url_of_a_deployment_is_an_error(url, message):
    with pytest.raises(ValueError, match=message):
        check_redis_url(url)
