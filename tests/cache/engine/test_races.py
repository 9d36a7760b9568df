"""Tests reads that overlap with a change: a removed value must not return to memory."""

from __future__ import annotations

import threading

import pytest
from waiting import SOON_SECONDS

from jarvisperf.cache.testing import forget_memory, store_of

CHANGES = {
    "set": lambda cache: cache.set("k", "new", ttl=1000),
    "set_many": lambda cache: cache.set_many({"k": "new", "j": "new"}, ttl=1000),
    "delete": lambda cache: cache.delete("k"),
    "delete_many": lambda cache: cache.delete_many(["k", "j"]),
    "touch": lambda cache: cache.touch("k", 1000),
}


@pytest.mark.parametrize("change", CHANGES, ids=list(CHANGES))
def test_a_reader_that_comes_while_a_change_is_under_way_does_not_keep_what_was(
    make_cache, tmp_path, monkeypatch, change
):
    cache = make_cache(None, tmp_path / "d")
    cache.set("k", "old", ttl=100)
    store = store_of(cache, "disk")
    inside, has_read, go = threading.Event(), threading.Event(), threading.Event()

    def waiting_inside(method):
        def wait_inside(*args, **options):
            inside.set()
            assert go.wait(SOON_SECONDS)
            return method(*args, **options)

        return wait_inside

    for name in ("put", "put_many", "delete", "delete_many", "swap"):
        monkeypatch.setattr(store, name, waiting_inside(getattr(store, name)))
    writer = threading.Thread(target=CHANGES[change], args=(cache,))
    writer.start()
    assert inside.wait(SOON_SECONDS)
    forget_memory(cache)
    read = store.get

    def say_so(key: str) -> bytes | None:
        blob = read(key)
        has_read.set()
        return blob

    monkeypatch.setattr(store, "get", say_so)
    reader = threading.Thread(target=cache.get, args=("k",))
    reader.start()
    assert has_read.wait(SOON_SECONDS)
    go.set()
    writer.join()
    reader.join()
    assert cache.get("k") == {"set": "new", "set_many": "new", "touch": "old"}.get(change)
    assert change.startswith("delete") or cache.ttl("k") > 900
