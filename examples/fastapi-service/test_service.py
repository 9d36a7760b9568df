"""Tests what the service's users see, with the cache, without it, and while Redis is failing."""

import importlib

import pytest
import service as module
from fastapi.testclient import TestClient


@pytest.fixture
def service(monkeypatch, tmp_path, redis_faults):
    """The service with a Redis that can fail, and empty."""
    monkeypatch.setenv("REDIS_URL", redis_faults.url)
    monkeypatch.setenv("CACHE_DIR", str(tmp_path / "cache"))
    service = importlib.reload(module)
    service.cache.cache.clear()
    return service


@pytest.fixture
def client(service):
    with TestClient(service.app) as client:
        yield client


def test_the_database_is_asked_once_for_each_product(service, client):
    answers = [client.get("/products/1").json() for _ in range(3)]
    assert answers == [{"id": 1, "name": "tea", "cents": 350}] * 3
    assert service.database.queries == 1


def test_that_a_product_does_not_exist_is_remembered_too(service, client):
    answers = [client.get("/products/7") for _ in range(3)]
    assert {(answer.status_code, answer.json()["detail"]) for answer in answers} == {(404, "there is no product 7")}
    assert service.database.queries == 1


def test_several_prices_take_one_query_for_those_that_are_missing(service, client):
    assert client.get("/prices?ids=1").json() == {"1": 350}
    assert client.get("/prices?ids=2&ids=1").json() == {"2": 120, "1": 350}
    assert client.get("/prices?ids=1&ids=2").json() == {"1": 350, "2": 120}
    assert service.database.queries == 2


def test_a_changed_product_is_read_anew_everywhere(client):
    client.get("/products/1"), client.get("/prices?ids=1")
    client.put("/products/1", json={"id": 1, "name": "tea", "cents": 400})
    assert client.get("/products/1").json()["cents"] == 400
    assert client.get("/prices?ids=1").json() == {"1": 400}


def test_the_service_works_while_redis_does_not(client, redis_faults):
    redis_faults.blackhole()
    assert client.get("/products/1").json()["name"] == "tea"
    assert client.get("/products/1").json()["name"] == "tea"


def test_without_caching_every_request_asks_the_database(service, client, no_caching):
    client.get("/products/1"), client.get("/products/1")
    assert service.database.queries == 2


def test_the_health_check_has_the_hit_rate(client):
    client.get("/products/1"), client.get("/products/1")
    assert client.get("/health").json()["hit_rate"] > 0
