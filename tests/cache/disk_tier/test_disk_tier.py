"""Tests the disk tier: it returns only bytes that it wrote, and the cache survives any failure of the disk."""

from __future__ import annotations

import contextlib
import math
import os
import pickle
import resource
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import diskcache
import pytest
from waiting import ends_within, wait_until

from jarvisperf.cache import SmartCache
from jarvisperf.cache.disk_tier.database import BytesDisk
from jarvisperf.cache.disk_tier.store import CHECK_PLACE_SECONDS, DiskStore
from jarvisperf.cache.keys.names import Names
from jarvisperf.cache.keys.pattern import KeyPattern
from jarvisperf.cache.outage.store import CorruptEntryError, Write

BOUND_SECONDS = 30.0  # diskcache itself would wait a minute for each statement, the cache a quarter of a second


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "disk"


@pytest.fixture
def cache(make_cache, folder) -> SmartCache:
    """A cache whose reads always come from the disk."""
    return make_cache(None, folder, memory_items=0)


def rows(folder: Path, statement: str, *values: object) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(folder / "cache.db", isolation_level=None)) as database:
        return database.execute(statement, values).fetchall()


def test_the_folder_is_made_for_its_owner_only(cache, folder):
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_value_survives_the_cache_that_wrote_it(cache, make_cache, folder):
    cache.set("k", [1, (2,)])
    cache.close()
    assert make_cache(None, folder).get("k") == [1, (2,)]


def test_two_processes_share_a_folder(cache, folder, namespace):
    cache.set("k", "from the first")
    program = (
        "import sys; from jarvisperf.cache import SmartCache\n"
        "cache = SmartCache(None, sys.argv[1], namespace=sys.argv[2])\n"
        "print(cache.get('k')); cache.set('k', 'from the second')"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program, str(folder), namespace], capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "from the first"
    assert cache.get("k") == "from the second"


def test_a_large_value_is_kept_in_a_file_and_the_file_goes_with_it(cache, folder):
    cache.set("k", b"x" * 1_000_000)
    assert len(list(folder.rglob("*.val"))) == 1
    assert cache.get("k") == b"x" * 1_000_000
    cache.delete("k")
    assert not list(folder.rglob("*.val"))


class _RunsWhenUnpickled:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("mode", [0, 1, 2, 3, 4, 5, None, "x"])
def test_a_row_that_diskcache_would_unpickle_is_a_miss(cache, folder, tmp_path, mode):
    trap = tmp_path / "trap"
    cache.set("k", "v")
    rows(folder, "UPDATE Cache SET mode = ?, value = ?", mode, pickle.dumps(_RunsWhenUnpickled(trap)))
    assert cache.get("k") is None
    assert not trap.exists()
    assert cache.get_stats()["corrupt"] == 1
    assert rows(folder, "SELECT count(*) FROM Cache") == [(0,)]


def test_a_key_that_diskcache_would_unpickle_is_never_read(cache, folder, tmp_path):
    trap = tmp_path / "trap"
    cache.set("k", "v")
    rows(folder, "UPDATE Cache SET raw = 0, key = ?", pickle.dumps(_RunsWhenUnpickled(trap)))
    assert cache.get("k") is None
    assert cache.invalidate("*") == 0
    cache.clear()
    assert not trap.exists()
    with pytest.raises(CorruptEntryError):
        BytesDisk(str(folder)).get(b"x", 0)


@pytest.mark.parametrize("mode", [2, 3, 4])
def test_a_file_outside_the_folder_is_neither_read_nor_removed(cache, folder, tmp_path, mode):
    secret = tmp_path / "secret.val"
    secret.write_bytes(b"secret")
    for name in ["../secret.val", str(secret), "ab/../../secret.val"]:
        cache.set("k", "v")
        rows(folder, "UPDATE Cache SET mode = ?, filename = ?, value = NULL", mode, name)
        assert cache.get("k") is None
        cache.delete("k")
    assert secret.read_bytes() == b"secret"


def test_a_link_out_of_the_folder_is_not_followed(cache, folder, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    (folder / "link").symlink_to(secret)
    cache.set("k", "v")
    rows(folder, "UPDATE Cache SET mode = 2, filename = 'link', value = NULL")
    assert cache.get("k") is None


@pytest.mark.parametrize("value", [b"", b"rubbish", "text", 7, 2.5, None, b"JPC\x01" + bytes(60)])
def test_a_corrupt_value_is_a_miss_and_is_counted(cache, folder, value):
    cache.set("k", "v")
    rows(folder, "UPDATE Cache SET value = ?", value)
    assert cache.get("k", "nothing") == "nothing"
    assert cache.get_stats()["corrupt"] == 1
    cache.set("k", "again")
    assert cache.get("k") == "again"


def test_the_value_of_another_key_is_a_miss_and_is_counted(cache, folder):
    cache.set("a", "of a")
    cache.set("b", "of b")
    rows(folder, "UPDATE Cache SET value = (SELECT value FROM Cache ORDER BY key LIMIT 1)")
    assert [cache.get("a"), cache.get("b")] == ["of a", None]
    assert cache.get_stats()["corrupt"] == 1


def test_a_value_whose_file_is_gone_is_a_miss(cache, folder):
    cache.set("k", b"x" * 100_000)
    next(folder.rglob("*.val")).unlink()
    assert cache.get("k") is None


@pytest.mark.parametrize("make_place", [lambda file: file, lambda file: file / "below"])
def test_a_folder_that_cannot_be_written_is_logged_once_and_the_cache_goes_on(make_cache, tmp_path, caplog, make_place):
    # A path that is a file, or lies below one: this also fails for root.
    file = tmp_path / "file"
    file.write_text("in the way")
    cache = make_cache(None, make_place(file))
    assert cache.set("k", [1])
    assert cache.get("k") == [1]
    assert cache.get("other") is None
    assert not cache.get_stats()["local_cache_available"]
    assert cache.get_stats()["disk_errors"] >= 1
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert str(file) in caplog.messages[0]


def test_a_folder_with_a_variable_in_its_name_is_not_another_folder(make_cache, tmp_path, monkeypatch):
    monkeypatch.setenv("ELSEWHERE", "elsewhere")
    cache = make_cache(None, tmp_path / "$ELSEWHERE")
    assert not cache.get_stats()["local_cache_available"]
    assert not list(tmp_path.iterdir())


def test_a_folder_that_becomes_writable_is_used(make_cache, tmp_path):
    file = tmp_path / "file"
    file.write_text("in the way")
    cache = make_cache(None, file)
    file.unlink()
    wait_until(lambda: cache.get_stats()["local_cache_available"])
    cache.set("k", [1])
    assert make_cache(None, file).get("k") == [1]


def test_a_database_that_is_none_is_logged_and_the_cache_goes_on(make_cache, folder, caplog):
    folder.mkdir()
    (folder / "cache.db").write_bytes(b"this is not a database, whatever its name says" * 100)
    cache = make_cache(None, folder)
    assert cache.set("k", 1)
    assert cache.get("k") == 1
    assert not cache.get_stats()["local_cache_available"]
    assert "not a database" in caplog.messages[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [("set", "x"), ("disk_evil", 1), ("sqlite_evil", 1), ("_disk", "x"), ("eviction_policy", "none")],
)
def test_settings_that_somebody_left_in_the_database_do_no_harm(cache, make_cache, folder, name, value):
    cache.close()
    rows(folder, "INSERT OR REPLACE INTO Settings VALUES (?, ?)", name, value)
    again = make_cache(None, folder)
    assert again.set("k", [1])
    assert again.get("k") == [1]


def test_a_database_that_breaks_while_it_is_open_is_a_miss(cache, folder):
    cache.set("k", "v")
    for file in folder.glob("cache.db*"):
        file.write_bytes(b"\xff" * file.stat().st_size)
    for number in range(5):
        assert cache.get(f"k{number}") is None
        cache.set(f"k{number}", "v" * 5000)
    assert cache.get_stats()["disk_errors"] >= 1


def test_a_locked_database_costs_a_bounded_time_and_the_memory_goes_on(make_cache, folder):
    cache = make_cache(None, folder)
    cache.set("k", [1])
    with contextlib.closing(sqlite3.connect(folder / "cache.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ends_within(BOUND_SECONDS, lambda: (cache.set("k", [2]), cache.set("other", [2])))
        assert cache.get("k") == [2]
        assert cache.get_stats()["disk_errors"] >= 1
        other.execute("ROLLBACK")


def test_a_write_that_a_lock_prevented_does_not_leave_the_old_value(make_cache, folder):
    cache = make_cache(None, folder, memory_items=0)
    cache.set("k", "old")
    with contextlib.closing(sqlite3.connect(folder / "cache.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        cache.set("k", "new")
        other.execute("ROLLBACK")
    wait_until(lambda: cache.get_stats()["local_cache_available"])
    assert cache.get("k") is None


def test_a_cache_opens_beside_a_database_that_stays_locked(folder, make_cache):
    make_cache(None, folder).close()
    with contextlib.closing(sqlite3.connect(folder / "cache.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        made: list[SmartCache] = []
        ends_within(BOUND_SECONDS, lambda: made.append(make_cache(None, folder)))
        (cache,) = made
        assert cache.set("k", 1)
        assert cache.get("k") == 1
        other.execute("ROLLBACK")


FULL_DISK = """
import resource, sys
from jarvisperf.cache import SmartCache
cache = SmartCache(None, sys.argv[1])
assert cache.get_stats()["local_cache_available"]
cache.set("before", [0])
size = 400_000  # no file may grow beyond it: what a full disk is to a database
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
for number in range(300):
    cache.set(f"k{number}", ["x" * 10_000, number])
    assert cache.get(f"k{number}")[1] == number
stats = cache.get_stats()
print(stats["disk_errors"] > 0, stats["memory_items"])
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no limit on the size of files here")
def test_a_full_disk_is_counted_and_the_memory_goes_on(folder):
    shown = subprocess.run([sys.executable, "-c", FULL_DISK, str(folder)], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "True 301", shown.stderr


def test_statistics_count_what_the_disk_removed_to_make_room(folder):
    with SmartCache(local_cache_dir=folder, memory_items=0, disk_bytes=1_000_000) as cache:
        for number in range(100):
            cache.set(f"k{number}", os.urandom(50_000))
        disk = cache.get_stats()["tiers"]["disk"]
        assert disk["evictions"] + disk["items"] == 100
        assert disk["evictions"] > 0
        cache.reset_stats()
        assert cache.get_stats()["tiers"]["disk"]["evictions"] == 0


@pytest.mark.parametrize("value_bytes", [5_000, 50_000])
def test_the_disk_is_bounded(folder, value_bytes):
    store = DiskStore(folder, Names("n"), 1_000_000)
    store.open()
    for number in range(3_000_000 // value_bytes):
        store.put(f"k{number}", os.urandom(value_bytes), 60)
        in_folder = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and "-wal" not in file.name)
        assert in_folder < 1_400_000
    items, held_bytes = store.size()
    assert 500_000 < held_bytes < 1_200_000
    assert items + store.evictions == 3_000_000 // value_bytes
    assert store.get(f"k{number}") is not None
    assert store.get("k0") is None
    store.close()


def test_the_disk_is_bounded_though_each_process_writes_once(folder):
    for number in range(100):
        store = DiskStore(folder, Names("n"), 2**19)
        store.open()
        store.put(f"k{number}", bytes(8000), 60)
        _, held_bytes = store.size()
        assert held_bytes <= 2**19 + 16_000
        assert store.get(f"k{number}") is not None
        store.close()


def test_a_value_that_would_push_out_much_of_the_rest_is_not_kept(folder):
    store = DiskStore(folder, Names("n"), 1_000_000)
    store.open()
    store.put("small", b"x", 60)
    store.put("large", b"old", 60)
    assert not store.put("large", bytes(300_000), 60)
    assert (store.get("small"), store.get("large")) == (b"x", None)
    store.close()


@pytest.fixture
def store(folder) -> DiskStore:
    store = DiskStore(folder, Names("n"), 2**20)
    store.open()
    yield store
    store.close()


def test_several_are_written_and_read_at_once(store):
    store.put_many([Write("a", b"1", 60), Write("b", b"2", 60, ("t",)), Write("big", bytes(50_000), 60)])
    assert store.get_many(["a", "b", "c", "big"]) == {"a": b"1", "b": b"2", "big": bytes(50_000)}
    assert store.keys(KeyPattern("?")) == {"a", "b"}
    assert store.delete_many(["a", "c"]) == {"a"}


def test_of_several_the_corrupt_are_left_out(store, folder):
    store.put_many([Write("a", b"1", 60), Write("b", b"2", 60)])
    rows(folder, "UPDATE Cache SET mode = 4 WHERE key = ?", b"n:a")
    assert store.get_many(["a", "b"]) == {"b": b"2"}


def test_a_tag_removes_what_has_it_in_this_namespace(store, folder):
    other = DiskStore(folder, Names("m"), 2**20)
    other.open()
    other.put("a", b"1", 60, ("t",))
    store.put("a", b"1", 60, ("t", "u"))
    store.put("b", b"1", 60, ("u",))
    store.put("c", b"1", 60)
    assert store.invalidate_tags(["t"]) == {"a"}
    assert store.invalidate_tags(["t", "u"]) == {"b"}
    assert (store.get("c"), other.get("a")) == (b"1", b"1")
    other.close()


def test_tags_go_with_their_entries(store, folder):
    for number in range(10):
        store.put(f"k{number}", b"1", 60, ("t",))
    store.put("k0", b"1", 60)
    store.delete("k1")
    assert store.invalidate(KeyPattern("k[2-5]")) == {"k2", "k3", "k4", "k5"}
    assert rows(folder, "SELECT count(*) FROM CacheTag") == [(4,)]


def test_a_write_that_fails_leaves_no_file_behind(store, folder):
    with contextlib.closing(sqlite3.connect(folder / "cache.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(diskcache.Timeout):
            store.put("k", bytes(100_000), 60)
        other.execute("ROLLBACK")
    assert not list(folder.rglob("*.val"))


def test_replacing_a_large_value_removes_its_file(store, folder):
    store.put("k", bytes(100_000), 60)
    store.put("k", bytes(200_000), 60)
    store.put("k2", bytes(100_000), 60)
    store.put("k2", b"small", 60)
    assert len(list(folder.rglob("*.val"))) == 1


def _replace(folder: Path) -> None:
    shutil.move(folder, folder.with_name("old"))
    DiskStore(folder, Names("n"), 2**20).open()


@pytest.mark.parametrize("lose", [shutil.rmtree, _replace], ids=["removed", "replaced"])
@pytest.mark.parametrize(
    "use",
    [lambda store: store.put("k", b"v", 1), lambda store: store.delete("k"), lambda store: store.get("k")],
    ids=["put", "delete", "get"],
)
def test_a_folder_that_is_gone_is_a_failure_until_it_is_opened_again(folder, clock, lose, use):
    store = DiskStore(folder, Names("n"), 2**20, clock)
    store.open()
    lose(folder)
    clock.advance(CHECK_PLACE_SECONDS)
    for _ in range(2):
        with pytest.raises(OSError, match="the folder was removed or replaced"):
            use(store)
    store.open()
    use(store)
    store.close()


def test_a_cache_whose_folder_was_removed_makes_it_anew_and_counts_it(cache, folder):
    cache.set("k", 1)
    shutil.rmtree(folder)
    wait_until(lambda: (cache.set("k", 2), (folder / "cache.db").exists())[1])
    wait_until(lambda: cache.set("k", 3))
    assert cache.get_stats()["disk_errors"] >= 1
    assert rows(folder, "SELECT count(*) FROM Cache") == [(1,)]


def test_only_bytes_go_in(folder):
    store = DiskStore(folder, Names("n"), 2**20)
    store.open()
    with pytest.raises(TypeError, match="a value on disk must be bytes, not str"):
        store._database.set(b"k", "text")
    with pytest.raises(TypeError, match="a key on disk must be bytes, not str"):
        store._database.set("k", b"v")
    store.close()


def test_a_range_of_keys_is_found_through_the_index(folder):
    store = DiskStore(folder, Names("n"), 2**20)
    store.open()
    statements: list[str] = []
    store._database._con.set_trace_callback(statements.append)
    list(store._database.names_from(b"n:", b"n;"))
    select = next(statement for statement in statements if "typeof" in statement)
    plan = " ".join(str(row) for row in store._database._con.execute("EXPLAIN QUERY PLAN " + select).fetchall())
    assert "USING INDEX Cache_key_raw" in plan
    store.close()


def test_reads_do_not_write(cache, folder):
    cache.set("k", "v")
    with contextlib.closing(sqlite3.connect(folder / "cache.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert cache.get("k") == "v"
        other.execute("ROLLBACK")


def test_what_the_cve_does_to_diskcache_itself_is_what_these_tests_guard_against(tmp_path):
    # If this fails, diskcache no longer unpickles on reading, and BytesDisk may be simplified.
    trap = tmp_path / "trap"
    with diskcache.Cache(str(tmp_path / "plain")) as plain:
        plain.set("k", "v")
        rows(tmp_path / "plain", "UPDATE Cache SET mode = 4, value = ?", pickle.dumps(_RunsWhenUnpickled(trap)))
        plain.get("k")
    assert trap.exists()


def test_a_value_set_again_is_as_young_as_a_new_one(store, folder):
    for key in ("a", "b", "a"):
        store.put(key, b"value", 60)
    assert rows(folder, "SELECT key FROM Cache ORDER BY store_time") == [(b"n:b",), (b"n:a",)]


def test_a_value_set_again_lives_as_long_as_was_said_last(store, folder):
    store.put("a", b"value", 60)
    store.put("a", b"value", 6000)
    ((left,),) = rows(folder, "SELECT expire_time - store_time FROM Cache")
    assert left == pytest.approx(6000, abs=30)
    store.put("a", b"value", math.inf)
    assert rows(folder, "SELECT expire_time FROM Cache") == [(None,)]


def test_a_read_leaves_nothing_locked(store, folder):
    store.put("a", b"value", 60)
    store.get("a")
    # With an active reader, the write-ahead log could not be truncated.
    assert rows(folder, "PRAGMA wal_checkpoint(TRUNCATE)") == [(0, 0, 0)]
