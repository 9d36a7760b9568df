"""The deployments: a Sentinel group, and a cluster of three masters with a replica each."""

from __future__ import annotations

import contextlib
import itertools
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import redis

from benchmarks.redis_lab.load import GROUPS, slot_of
from benchmarks.redis_lab.servers import Server, server, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SLOTS = 16_384
DOWN_AFTER_MILLISECONDS = 500
NODE_TIMEOUT_MILLISECONDS = 1_000
_MOVING_SLOTS = 10
_KEYS_TOGETHER = 3
_PAUSE_SECONDS = 0.02


class Deployment(NamedTuple):
    """A deployment to be disturbed.

    Attributes:
        url: Where the cache connects.
        master: The server that is killed.
        has_new_master: Whether a replica has taken over from it.
        disturbance: What happens besides, in a thread, until it is left; it counts what it did.
    """

    url: str
    master: Server
    has_new_master: Callable[[], bool]
    disturbance: Callable[[], contextlib.AbstractContextManager[list[int]]]


@contextlib.contextmanager
def sentinel_group(folder: Path) -> Iterator[Deployment]:
    """Start a master, a replica, and three Sentinels that watch them."""
    with contextlib.ExitStack() as stack:
        master = stack.enter_context(server(folder, "master"))
        replica = stack.enter_context(server(folder, "replica", f"replicaof 127.0.0.1 {master.port}"))
        rules = (
            f"sentinel monitor main 127.0.0.1 {master.port} 2",
            f"sentinel down-after-milliseconds main {DOWN_AFTER_MILLISECONDS}",
            "sentinel failover-timeout main 5000",
        )
        watching = [
            stack.enter_context(server(folder, f"sentinel{number}", *rules, is_sentinel=True)) for number in range(3)
        ]
        sentinel: Any = watching[0].client
        wait_until("the replica follows", lambda: _follows(replica))
        wait_until("Sentinel knows the replica", lambda: sentinel.sentinel_master("main")["num-slaves"] == 1)
        wait_until(
            "the Sentinels know each other", lambda: sentinel.sentinel_master("main")["num-other-sentinels"] == 2
        )
        places = ",".join(f"127.0.0.1:{each.port}" for each in watching)

        def has_new_master() -> bool:
            return int(sentinel.sentinel_get_master_addr_by_name("main")[1]) == replica.port

        yield Deployment(f"redis+sentinel://{places}/main", master, has_new_master, lambda: contextlib.nullcontext([0]))


@contextlib.contextmanager
def cluster_of_six(folder: Path) -> Iterator[Deployment]:
    """Start three masters and their replicas; slots move between the two masters that are not killed."""
    rules = ("cluster-enabled yes", f"cluster-node-timeout {NODE_TIMEOUT_MILLISECONDS}", "appendonly no")
    with contextlib.ExitStack() as stack:
        nodes = [
            stack.enter_context(server(folder, f"node{number}", *rules, f"cluster-config-file nodes{number}.conf"))
            for number in range(6)
        ]
        masters, replicas = nodes[:3], nodes[3:]
        share = SLOTS // 3
        for number, node in enumerate(masters):
            last = SLOTS if number == 2 else (number + 1) * share
            node.client.execute_command("CLUSTER", "ADDSLOTS", *range(number * share, last))
        for node in nodes[1:]:
            node.client.execute_command("CLUSTER", "MEET", "127.0.0.1", nodes[0].port)
        ids = [node.client.execute_command("CLUSTER", "MYID") for node in nodes]
        for node in nodes:
            wait_until("the nodes know each other", partial(_knows, node, 6))
        for node, master_id in zip(replicas, ids[:3], strict=True):
            node.client.execute_command("CLUSTER", "REPLICATE", master_id)
        for node in replicas:
            wait_until("the replicas follow", partial(_follows, node))
        slots = [slot for group in range(GROUPS) if (slot := slot_of(group)) < share][:_MOVING_SLOTS]

        def has_new_master() -> bool:
            return bool(replicas[2].client.info("replication")["role"] == "master")

        yield Deployment(
            "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in masters),
            masters[2],
            has_new_master,
            lambda: slots_moving(slots, masters[0], masters[1]),
        )


@contextlib.contextmanager
def slots_moving(slots: list[int], one: Server, other: Server) -> Iterator[list[int]]:
    """Move slots from one master to another and back, one after the other, until left; yield the number of moves."""
    moves, stop = [0], threading.Event()
    ids = {each.port: each.client.execute_command("CLUSTER", "MYID") for each in (one, other)}
    todo = itertools.cycle([(slot, *way) for way in ((one, other), (other, one)) for slot in slots])

    def work() -> None:
        for slot, source, target in todo:
            while not stop.is_set() and not _move(slot, source, target, ids):
                stop.wait(_PAUSE_SECONDS)
            if stop.wait(_PAUSE_SECONDS):
                return
            moves[0] += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield moves
    finally:
        stop.set()
        thread.join()


def _move(slot: int, source: Server, target: Server, ids: dict[int, str]) -> bool:
    """Move a slot, a few keys at a time; return False if the cluster is down: the same move continues later."""
    try:
        target.client.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source.port])
        source.client.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target.port])
        while names := source.client.execute_command("CLUSTER", "GETKEYSINSLOT", slot, _KEYS_TOGETHER):
            source.client.execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *names)
    except redis.ResponseError as error:
        if _is_down(error):
            return False
        if "owner" not in str(error):
            raise
        # The failover changed who holds the slot, or interrupted a move at its very end.
    try:
        for each in (target, source):
            each.client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", ids[target.port])
    except redis.ResponseError as error:
        if not _is_down(error):
            raise
        return False
    return True


def _is_down(error: redis.ResponseError) -> bool:
    return isinstance(error, redis.exceptions.ClusterDownError) or "CLUSTERDOWN" in str(error)


def _knows(node: Server, count: int) -> bool:
    told = str(node.client.execute_command("CLUSTER", "INFO")).replace("'", "").replace(": ", ":")
    return "cluster_state:ok" in told and f"cluster_known_nodes:{count}" in told


def _follows(replica: Server) -> bool:
    try:
        return bool(replica.client.info("replication").get("master_link_status") == "up")
    except redis.RedisError:
        return False
