"""Tests of a store in a bucket of an S3 server: parallel reading, compaction next to writers, and missing buckets."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import msgspec
import pytest
from builders import metric, run_of
from s3_server import S3Server

from jarvisperf.cli.main import main
from jarvisperf.history import read_history
from jarvisperf.runs.model import Benchmark, Run
from jarvisperf.runs.names import parse_path
from jarvisperf.runs.store import RunStore, RunStoreError, open_store
from jarvisperf.runs.tables import Tables, compact, group_of, list_parts

WRITERS = 50
RUNS_EACH = 1
ID = "test_a.py::test_a"


def a_run(minute: int = 0) -> Run:
    run = run_of(Benchmark(id=ID, metrics={"time": metric(1e-3 * (minute + 1))}))
    return msgspec.structs.replace(run, created=f"2026-01-02T03:{minute:02}:05+00:00")


def objects_of(store: RunStore, name: str) -> list[str]:
    """Return the runs as a reader of the tables sees them, each as often as it is seen."""
    entries = store.entries(name)
    with Tables(store, entries, list_parts(store.place, {group_of(entry) for entry in entries})) as tables:
        tables.read_others()
        return [path for (path,) in tables.connection.execute("SELECT object FROM results").fetchall()]


def test_runs_are_read_in_the_order_of_their_entries(bucket: str):
    store = open_store(bucket)
    saved = [store.save(a_run(minute), "main").entry for minute in range(6)]
    loaded = store.load_readable(saved)
    assert [entry for entry, _ in loaded.runs] == saved
    assert [run.created for _, run in loaded.runs] == [a_run(minute).created for minute in range(6)]


def test_no_more_objects_are_read_than_are_wanted(bucket: str, s3_server: S3Server):
    store = open_store(bucket)
    for minute in range(6):
        store.save(a_run(minute), "main")
    entries = store.entries()
    del s3_server.requests[:]
    assert len(store.load_readable(entries, at_most=2).runs) == 2
    assert [method for method, _ in s3_server.requests] == ["GET"] * 2


def test_a_corrupt_or_missing_object_does_not_hide_the_others(bucket: str):
    store = open_store(bucket)
    good, corrupt, gone, other = (store.save(a_run(minute), "main").entry for minute in range(4))
    store.place.write(corrupt.path, b"no run")
    store.delete(gone)
    loaded = store.load_readable([good, corrupt, gone, other])
    assert [entry for entry, _ in loaded.runs] == [good, other]
    assert [warning.split(":")[0] for warning in loaded.warnings] == ["skipped", "skipped"]
    assert "is damaged or not a run" in loaded.warnings[0]
    assert f"no longer has {gone.path}" in loaded.warnings[1]


def test_a_missing_bucket_is_an_error_of_one_line(s3_server: S3Server, tmp_path: Path):
    store = open_store("s3://no-such-bucket/runs", tmp_path)
    for call in (store.entries, lambda: store.find("main")):
        with pytest.raises(RunStoreError) as error:
            call()
        assert str(error.value) == (
            "s3://no-such-bucket/runs cannot be listed: the bucket 'no-such-bucket' does not exist"
        )


def test_a_url_without_a_bucket_is_an_error_of_one_line(s3_server: S3Server):
    with pytest.raises(RunStoreError) as error:
        open_store("s3://")
    assert str(error.value) == "s3:// names no bucket: give a URL like s3://bucket/folder"


@pytest.mark.parametrize(
    "words", [["runs", "list", "--json"], ["runs", "compact"], ["runs", "sql", "FROM runs"], ["history"]]
)
def test_a_command_on_a_missing_bucket_fails(
    s3_server: S3Server, tmp_path: Path, monkeypatch, capsys, words: list[str]
):
    monkeypatch.chdir(tmp_path)
    assert main([*words, "--store", "s3://no-such-bucket/runs"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.splitlines()
    assert "no-such-bucket" in line
    assert "does not exist" in line


def test_a_command_that_asks_twice_lists_once(bucket: str, s3_server: S3Server):
    store = open_store(bucket)
    older, newer = (store.save(a_run(minute), name).entry for minute, name in ((0, "main"), (1, "main/more")))
    now = store.at_one_moment()
    del s3_server.requests[:]
    assert now.entries() == [newer, older]
    assert now.find("main").entries == (older,)
    assert now.load(older).created == a_run(0).created
    assert [method for method, _ in s3_server.requests] == ["GET", "GET"]  # the list and the run
    store.save(a_run(2), "main")
    assert now.entries() == [newer, older]
    assert len(store.entries()) == 3


def test_every_page_of_a_long_list_is_read(bucket: str, s3_server: S3Server):
    store = open_store(bucket)
    first = store.save(a_run(), "main").entry
    entries = [msgspec.structs.replace(first, token=f"r{number:010x}") for number in range(1_001)]
    s3_server.put({f"{bucket.rpartition('/')[2]}/{entry.path}": b"" for entry in entries})
    del s3_server.requests[:]
    assert sorted(entry.token for entry in store.entries()) == sorted(entry.token for entry in [first, *entries])
    assert len(s3_server.requests) == 2


def test_a_name_that_contains_the_ending_of_runs_hides_nothing(bucket: str):
    store = open_store(bucket)
    names = ["my.runner", "my.run.time/more", "main"]
    saved = [store.save(a_run(minute), name).entry for minute, name in enumerate(names)]
    assert store.entries() == saved[::-1]
    for name, entry in zip(names, saved, strict=True):
        assert store.entries(name) == [entry]


@pytest.mark.parametrize(
    "refusal",
    [
        OSError("A header you provided implies functionality that is not implemented"),
        PermissionError("Access Denied"),  # by a policy with the condition `s3:delimiter`
    ],
    ids=["by the server", "by a policy"],
)
def test_where_no_delimiter_but_the_slash_is_allowed_runs_are_listed_all_the_same(
    bucket: str, monkeypatch: pytest.MonkeyPatch, refusal: OSError
):
    import s3fs

    store = open_store(bucket)
    entry = store.save(a_run(), "main").entry
    asked: list[str] = []

    def refuse(_: object, method: str, **words: str) -> None:
        asked.append(words["Delimiter"])
        raise refusal

    monkeypatch.setattr(s3fs.S3FileSystem, "call_s3", refuse)
    assert store.entries() == [entry]
    assert asked == [".run"]


def test_a_server_that_takes_every_delimiter_for_a_slash_hides_no_run(bucket: str, monkeypatch: pytest.MonkeyPatch):
    import s3fs

    store = open_store(bucket)
    entry = store.save(a_run(), "main").entry
    call = s3fs.S3FileSystem.call_s3
    monkeypatch.setattr(
        s3fs.S3FileSystem, "call_s3", lambda files, method, **words: call(files, method, **{**words, "Delimiter": "/"})
    )
    assert store.entries() == [entry]


def test_the_bucket_may_be_an_access_point(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch):
    import s3fs

    point = "arn:aws:s3:us-east-1:123456789012:accesspoint/team"
    asked: list[tuple[str, str]] = []

    def answer(_: object, method: str, **words: str) -> dict[str, object]:
        asked.append((words["Bucket"], words["Prefix"]))
        return {"Contents": [{"Key": f"folder/{path}"}]}

    monkeypatch.setattr(s3fs.S3FileSystem, "call_s3", answer)
    path = "runs/main/20260102T030405.000000Z-0123456789ab-none-r0123456789.run"
    assert [entry.path for entry in open_store(f"s3://{point}/folder").entries()] == [path]
    assert asked == [(point, "folder/runs/")]


def test_an_empty_folder_of_a_bucket_is_an_empty_store(bucket: str):
    store = open_store(bucket)
    assert store.entries() == []
    assert not store.exists()


def test_saving_does_not_create_a_bucket(s3_server: S3Server, tmp_path: Path):
    store = open_store("s3://no-such-bucket/runs", tmp_path)
    stored = store.save(a_run(), "main")
    assert stored.where == "outbox"
    assert "s3://no-such-bucket/runs cannot be written: " in stored.warnings[0]
    with pytest.raises(RunStoreError, match="does not exist"):
        store.entries()


def test_the_history_of_compacted_runs_reads_no_run(bucket: str, s3_server: S3Server):
    store = open_store(bucket)
    for minute in range(12):
        store.save(a_run(minute), "main")
    entries = store.entries()
    before = read_history(store, entries)
    assert [done.runs for done in compact(store)] == [12]
    del s3_server.requests[:]
    assert read_history(store, entries) == before
    assert [path for _, path in s3_server.requests if path.endswith(".run")] == []
    assert len(s3_server.requests) == 2  # the list of the parts, and the part


def write(url: str, number: int, saved: list[str]) -> None:
    store = open_store(url)
    for minute in range(RUNS_EACH):
        saved.append(store.save(a_run(number * RUNS_EACH + minute), "main").entry.path)
        store.save(a_run(minute), "scratch")


def prune(store: RunStore) -> None:
    for entry in store.superseded(keep=1, name="scratch"):
        store.delete(entry)


def read(store: RunStore, saved: list[str]) -> None:
    before = set(saved)
    seen = objects_of(store, "main")
    assert len(seen) == len(set(seen))
    assert before <= set(seen)
    history = read_history(store, store.entries("main"), at_most=None)
    tokens = {occasion.token for occasion in history.occasions}
    assert {entry.token for path in before if (entry := parse_path(path))} <= tokens


def test_nothing_is_lost_or_doubled_while_others_write_compact_and_prune(bucket: str):
    saved: list[str] = []
    done = threading.Event()

    def again_and_again(work) -> None:
        store = open_store(bucket)
        while not done.is_set():
            work(store)

    with ThreadPoolExecutor(WRITERS + 3) as pool:
        others = [
            pool.submit(again_and_again, work)
            for work in (lambda store: list(compact(store)), prune, lambda store: read(store, saved))
        ]
        writers = [pool.submit(write, bucket, number, saved) for number in range(WRITERS)]
        wait(writers)
        done.set()
        for future in (*writers, *others):
            future.result()

    store = open_store(bucket)
    assert sorted(entry.path for entry in store.entries("main")) == sorted(saved)
    prune(store)
    assert {result.group.name: result.runs for result in compact(store)} == {"main": WRITERS * RUNS_EACH, "scratch": 1}
    assert sorted(objects_of(store, "main")) == sorted(saved)
    assert all(result.bytes is None for result in compact(store))
