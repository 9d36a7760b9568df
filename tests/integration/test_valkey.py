"""Tests the cache with a real Valkey server, by the names that Valkey gives its URLs."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from redis_deployments import Node, tls_before, use_everything, valkey

from jarvisperf.cache.doctor import examine
from jarvisperf.cache.redis_tier.connection.url import check_redis_url, parts_of_deployment, without_password

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("redis-deployments")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Node]:
    socket = f"unixsocket {tmp_path}/valkey.sock"
    node = Node(tmp_path / "valkey", socket, program=valkey())
    yield node
    node.stop()


def test_a_valkey_by_its_url(server):
    assert "valkey_version" in server.client.info("server")
    use_everything(f"valkey://127.0.0.1:{server.port}/0")


def test_a_valkey_behind_tls(server, tmp_path):
    path = f"{tmp_path}/valkey.sock"
    with tls_before(path, tmp_path) as (port, certificate):
        use_everything(f"valkeys://127.0.0.1:{port}/0?ssl_ca_certs={certificate}")


def test_the_doctor_names_a_valkey(server):
    url = f"valkey://127.0.0.1:{server.port}"
    findings = [each for each in examine(url, None) if each.what.startswith("Redis")]
    assert all(each.works for each in findings)
    assert "(Valkey " in findings[0].what


@pytest.mark.parametrize(
    ("url", "kind", "plain"),
    [
        ("valkey://u:p@h:1/2?max_connections=5", "server", "redis://u:p@h:1/2?max_connections=5"),
        ("valkeys://h", "server", "rediss://h"),
        ("valkey+sentinel://h1:1,h2:2/m/3", "sentinel", "redis://h1:1/3"),
        ("valkeys+cluster://h:7", "cluster", "rediss://h:7/"),
    ],
)
def test_a_valkey_url_means_what_redis_s_own_means(url, kind, plain):
    found = parts_of_deployment(check_redis_url(url))
    assert (found.kind, found.url) == (kind, plain)


def test_the_password_of_a_valkey_url_is_hidden():
    assert without_password("valkeys+sentinel://u:secret@h/m") == "valkeys+sentinel://u:***@h/m"


@pytest.mark.parametrize("url", ["valkey://", "valkeyz://h", "valkey+magic://h", "VALKEY://h"])
def test_a_malformed_valkey_url_is_an_error(url):
    with pytest.raises(ValueError, match="valkey and valkeys instead of"):
        check_redis_url(url)


def test_the_parts_of_a_url_are_unchanged_for_redis():
    for url in ("redis://h:1", "unix:///path?db=1"):
        assert urlsplit(parts_of_deployment(url).url) == urlsplit(url)
