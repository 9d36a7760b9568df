"""Tests that runs are stored, found and read again; a problem causes a warning and never loses a run."""

from __future__ import annotations

import gzip
import os
import random
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import fsspec
import msgspec
import pytest
from builders import MACHINE, metric, run_of
from fsspec.implementations.memory import MemoryFileSystem

from jarvisperf.runs.backends import FolderPlace, FsspecPlace
from jarvisperf.runs.bounds import LONGEST_ID, STORED_QUANTILES, bounded_run
from jarvisperf.runs.commit import Commit
from jarvisperf.runs.files import UnreadableRunError, encode_run, pack, unpack
from jarvisperf.runs.model import Benchmark, Run
from jarvisperf.runs.store import RunEntry, RunStore, RunStoreError, open_store

OTHER_MACHINE = msgspec.structs.replace(MACHINE, cpu="Another CPU")
HERE = MACHINE.fingerprint


class FlakyFileSystem(MemoryFileSystem):
    """A remote store that can be cut off."""

    protocol = "flaky"
    cut_off: ClassVar[bool] = False
    store: ClassVar[dict] = {}
    pseudo_dirs: ClassVar[list] = [""]

    def pipe_file(self, path, value, mode="overwrite", **kwargs):
        self.reach()
        return super().pipe_file(path, value, mode, **kwargs)

    def find(self, path, maxdepth=None, withdirs=False, **kwargs):
        self.reach()
        return super().find(path, maxdepth, withdirs, **kwargs)

    def cat_file(self, path, start=None, end=None, **kwargs):
        self.reach()
        return super().cat_file(path, start, end, **kwargs)

    def reach(self):
        if type(self).cut_off:
            raise ConnectionError("no route to https://user:secret@host/\nmore lines")


@pytest.fixture
def flaky(monkeypatch: pytest.MonkeyPatch) -> type[FlakyFileSystem]:
    fsspec.register_implementation("flaky", FlakyFileSystem, clobber=True)
    monkeypatch.setattr(FlakyFileSystem, "cut_off", False)
    return FlakyFileSystem


@pytest.fixture(params=["folder", "file URL", "folder through fsspec", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunStore]:
    match request.param:
        case "folder":
            yield open_store("kept", root=tmp_path)
        case "file URL":
            yield open_store(f"file://{tmp_path}/kept", root=tmp_path)
        case "folder through fsspec":
            yield RunStore(FsspecPlace(f"file://{tmp_path}/kept"), FolderPlace(tmp_path / "outbox"))
        case "memory":
            url = f"memory://{uuid.uuid4()}/kept"
            yield open_store(url, root=tmp_path)
            memory = fsspec.filesystem("memory")
            for path in memory.find(url):
                memory.rm_file(path)


def a_run(minute: int = 0, *, commit: str | None = "a" * 40, dirty: bool = False, machine=MACHINE) -> Run:
    return msgspec.structs.replace(
        run_of(Benchmark(id="test_a.py::test_a", metrics={"time": metric(1e-3, 2e-3)})),
        created=f"2026-01-02T03:{minute:02}:05.000006+00:00",
        machine=machine,
        commit=commit and Commit(id=commit, time="2026-01-01T00:00:00+00:00", branch="main", dirty=dirty),
    )


def test_a_saved_run_comes_back(store: RunStore):
    stored = store.save(a_run(), "main")
    assert (stored.where, stored.warnings) == ("store", ())
    assert store.entries() == [stored.entry]
    assert store.load(stored.entry) == bounded_run(msgspec.structs.replace(a_run(), name="main"))


def test_an_entry_tells_what_it_is_without_being_opened(store: RunStore):
    store.save(a_run(commit="0123456789ab" + "c" * 28, dirty=True), "feature/x")
    (entry,) = store.entries("feature/x")
    assert (entry.name, entry.commit, entry.dirty, entry.fingerprint) == ("feature/x", "0123456789ab", True, HERE)
    assert entry.created.isoformat() == "2026-01-02T03:00:05.000006+00:00"


def test_entries_are_newest_first_and_of_one_name(store: RunStore):
    for minute, name in ((1, "main"), (3, "main/more"), (2, "main"), (0, "main")):
        store.save(a_run(minute), name)
    assert [(entry.created.minute, entry.name) for entry in store.entries("main")] == [
        (2, "main"),
        (1, "main"),
        (0, "main"),
    ]
    assert [entry.created.minute for entry in store.entries()] == [3, 2, 1, 0]


def test_the_same_run_saved_twice_is_two_objects(store: RunStore):
    assert store.save(a_run(), "main").entry != store.save(a_run(), "main").entry
    assert len(store.entries()) == 2


def test_a_deleted_run_is_gone_and_deleting_it_again_is_no_error(store: RunStore):
    entry = store.save(a_run(), "main").entry
    store.delete(entry)
    store.delete(entry)
    assert store.entries() == []
    with pytest.raises(RunStoreError, match=rf"no longer has {entry.path}$"):
        store.load(entry)


def test_an_empty_store_has_no_entries_and_says_so(store: RunStore):
    assert store.entries() == []
    assert store.entries("main") == []
    found = store.find("main", HERE)
    assert (found.entries, found.warnings) == ((), (f"{store.shown} holds no runs",))


def test_a_name_finds_the_runs_of_the_same_machine(store: RunStore):
    own = store.save(a_run(0), "main").entry
    store.save(a_run(1, machine=OTHER_MACHINE), "main")
    found = store.find("main", HERE)
    assert (found.entries, found.same_machine, found.warnings) == ((own,), True, ())


def test_without_a_run_of_the_same_machine_others_are_found_with_a_warning(store: RunStore):
    other = store.save(a_run(machine=OTHER_MACHINE), "main").entry
    found = store.find("main", HERE)
    assert (found.entries, found.same_machine) == ((other,), False)
    assert found.warnings[0].startswith("'main' has no run from a machine like this one")


@pytest.mark.parametrize("selector", ["abcdef0", "ABCDEF012345", "abcdef0123456789abcdef0123456789abcdef01"])
def test_a_commit_finds_its_runs_by_seven_digits_or_more(store: RunStore, selector: str):
    entry = store.save(a_run(0, commit="abcdef0123456789abcdef0123456789abcdef01"), "main").entry
    store.save(a_run(1, commit="b" * 40), "main")
    assert store.find(selector, HERE).entries == (entry,)


def test_a_run_of_a_clean_commit_is_preferred_to_one_with_changes(store: RunStore):
    store.save(a_run(1, dirty=True), "main")
    assert store.find("aaaaaaa", HERE).warnings == ("all runs of aaaaaaa were made with uncommitted changes",)
    clean = store.save(a_run(0), "main").entry
    found = store.find("aaaaaaa", HERE)
    assert (found.entries, found.warnings) == ((clean,), ())


def test_latest_is_the_name_of_the_newest_run_on_this_machine(store: RunStore):
    older = store.save(a_run(0), "main").entry
    newer = store.save(a_run(2), "main").entry
    store.save(a_run(1), "other")
    store.save(a_run(3, machine=OTHER_MACHINE), "elsewhere")
    assert store.find("latest", HERE).entries == (newer, older)
    assert [entry.name for entry in store.find("latest").entries] == ["elsewhere"]


def test_a_token_finds_one_run(store: RunStore):
    entries = [store.save(a_run(minute), "main").entry for minute in range(3)]
    assert store.find(entries[1].token).entries == (entries[1],)


def test_a_name_goes_before_a_commit(store: RunStore):
    named = store.save(a_run(0, commit=None), "abcdef0").entry
    store.save(a_run(1, commit="abcdef0" + "0" * 33), "main")
    assert store.find("abcdef0", HERE).entries == (named,)


@pytest.mark.parametrize("selector", ["mian", "../main", "", "abc", "fffffff", "r0000000000"])
def test_what_is_not_found_is_answered_with_the_names_there_are(store: RunStore, selector: str):
    store.save(a_run(), "main")
    found = store.find(selector, HERE)
    assert found.entries == ()
    assert found.warnings == (f"{store.shown} has no run {selector!r}; its names are: main",)


@pytest.mark.parametrize("name", ["", "..", "../x", "a/../b", "/a", "a//b", "a b", ".a", "a.run", "latest", "x" * 200])
def test_a_name_that_is_not_allowed_is_refused(store: RunStore, name: str):
    with pytest.raises(ValueError, match="is not a valid name for a run; use letters"):
        store.save(a_run(), name)


def test_superseded_runs_are_counted_by_name_and_machine(store: RunStore):
    for minute in range(4):
        store.save(a_run(minute), "main")
    store.save(a_run(0, machine=OTHER_MACHINE), "main")
    store.save(a_run(0), "other")
    assert [entry.created.minute for entry in store.superseded(keep=2)] == [1, 0]
    assert store.superseded(keep=2, name="other") == []


def test_foreign_files_are_no_runs(tmp_path: Path):
    store = open_store(tmp_path / "kept")
    entry = store.save(a_run(), "main").entry
    folder = tmp_path / "kept" / "runs" / "main"
    for name in ("README", ".DS_Store", "x.run", f".{entry.token}.run.tmp", entry.path.split("/")[-1] + ".bak"):
        (folder / name).write_text("foreign")
    assert store.entries() == [entry]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is truncated: it ends after 0 bytes"),
        (pack(a_run())[:200], "is truncated: it ends after 200 bytes"),
        (b"\x00" * 100, "is damaged or not a run"),
        (pack(a_run())[:-8] + b"\x00" * 8, "is damaged or not a run"),
        (gzip.compress(b"[]", mtime=0), "is not a run"),
        (gzip.compress(b'{"schema": "jarvisperf.run/2", "new": 1}', mtime=0), "was written by a newer jarvisperf"),
        (gzip.compress(bytes(65 << 20), mtime=0), "is not a run: it holds more than 64 MiB"),
    ],
)
def test_what_cannot_be_read_is_skipped_with_a_warning(store: RunStore, tmp_path: Path, data: bytes, reason: str):
    good = store.save(a_run(0), "main").entry
    bad = store.save(a_run(1), "main").entry
    store.place.write(bad.path, data)
    with pytest.raises(UnreadableRunError, match=rf"^{bad.path} {reason}"):
        store.load(bad)
    loaded = store.load_readable(store.entries("main"), at_most=1)
    assert [entry for entry, _ in loaded.runs] == [good]
    assert loaded.warnings[0].startswith(f"skipped: {bad.path} {reason}")
    assert "\n" not in loaded.warnings[0]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_among_the_runs_is_skipped_instead_of_waited_for(tmp_path: Path):
    store = open_store(str(tmp_path))
    entry = store.save(a_run(0), "main").entry
    os.mkfifo((tmp_path / entry.path).with_name(entry.path.rpartition("/")[2].replace(entry.token, "r0123456789")))
    found = store.load_readable(store.entries())
    assert [one.token for one, _ in found.runs] == [entry.token]
    assert len(found.warnings) == 1
    assert "is not a plain file" in found.warnings[0]


def test_no_more_runs_are_read_than_are_enough(store: RunStore):
    for minute in range(3):
        store.save(a_run(minute), "main")
    assert len(store.load_readable(store.entries(), at_most=2).runs) == 2


def test_many_processes_write_at_once(tmp_path: Path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); from pathlib import Path\n"
        "from builders import run_of; from jarvisperf.runs.store import open_store\n"
        "store = open_store(Path(sys.argv[1]))\n"
        "for _ in range(10):\n"
        "    assert store.save(run_of(), 'main').where == 'store'\n"
        "    assert store.load_readable(store.entries()).warnings == ()\n"
    )
    tests = Path(__file__).parents[1]
    writers = [subprocess.Popen([sys.executable, "-c", code, tmp_path / "kept", tests]) for _ in range(4)]
    assert [writer.wait() for writer in writers] == [0] * 4
    store = open_store(tmp_path / "kept")
    loaded = store.load_readable(store.entries("main"))
    assert (len(loaded.runs), loaded.warnings) == (40, ())


def test_a_run_waits_in_the_outbox_while_the_store_is_unreachable(flaky: type[FlakyFileSystem], tmp_path: Path):
    store = open_store(f"flaky://user:secret@bucket/{uuid.uuid4()}", root=tmp_path)
    flaky.cut_off = True
    waiting = store.save(a_run(0), "main")
    assert waiting.where == "outbox"
    assert "no route to https://host/; the run waits in" in waiting.warnings[0]
    assert "secret" not in waiting.warnings[0]
    assert "\n" not in waiting.warnings[0]
    assert store.waiting() == [waiting.entry]

    flaky.cut_off = False
    stored = store.save(a_run(1), "main")
    assert (stored.where, stored.warnings) == ("store", ("1 earlier run uploaded from the outbox",))
    assert store.entries() == [stored.entry, waiting.entry]
    assert store.load(waiting.entry).created == a_run(0).created
    assert store.waiting() == []


def test_a_store_has_an_outbox_of_its_own(flaky: type[FlakyFileSystem], tmp_path: Path):
    flaky.cut_off = True
    open_store(f"flaky://one/{uuid.uuid4()}", root=tmp_path).save(a_run(), "main")
    assert open_store(f"flaky://two/{uuid.uuid4()}", root=tmp_path).waiting() == []


def test_an_unreachable_store_cannot_be_listed_and_says_why(flaky: type[FlakyFileSystem], tmp_path: Path):
    store = open_store("flaky://bucket/runs", root=tmp_path)
    flaky.cut_off = True
    with pytest.raises(RunStoreError, match=r"^flaky://bucket/runs cannot be listed: ConnectionError: no route to"):
        store.find("main", HERE)


def test_a_connection_that_breaks_while_reading_is_a_warning(flaky: type[FlakyFileSystem], tmp_path: Path):
    store = open_store(f"flaky://bucket/{uuid.uuid4()}", root=tmp_path)
    entry = store.save(a_run(), "main").entry
    flaky.cut_off = True
    loaded = store.load_readable([entry])
    assert loaded.runs == ()
    assert "cannot be read: ConnectionError" in loaded.warnings[0]


def test_a_file_where_the_folder_should_be_keeps_the_run_in_the_outbox(tmp_path: Path):
    (tmp_path / "kept").write_text("a file")
    store = open_store("kept", root=tmp_path)
    stored = store.save(a_run(), "main")
    assert stored.where == "outbox"
    with pytest.raises(RunStoreError, match="kept cannot be listed: not a directory"):
        store.entries()


def test_a_run_that_nothing_can_keep_is_an_error_of_one_line(tmp_path: Path):
    (tmp_path / ".jarvisperf").write_text("a file")
    with pytest.raises(
        RunStoreError, match=r"^the run cannot be kept: .* cannot be written: .*; and .* cannot be written"
    ):
        open_store(root=tmp_path).save(a_run(), "main")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nothing://bucket", "nothing://bucket cannot be opened: ValueError: Protocol not known: nothing"),
        ("  ", "the store has an empty name"),
        ("file://", "'file://' is not a store"),
        ("://", "'://' is not a store"),
    ],
)
def test_a_url_that_cannot_be_is_refused_when_the_store_is_opened(url: str, message: str):
    with pytest.raises(RunStoreError) as error:
        open_store(url)
    assert str(error.value).startswith(message)


def test_a_missing_package_is_named_when_the_store_is_opened(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(RunStoreError, match=r"^gs://bucket/runs needs a package that is not installed: .*gcs"):
        open_store("gs://bucket/runs")


def test_the_tools_own_folder_is_ignored_by_git_and_others_are_not(tmp_path: Path):
    open_store(root=tmp_path).save(a_run(), "main")
    assert "*" in (tmp_path / ".jarvisperf" / ".gitignore").read_text().splitlines()
    open_store("baselines", root=tmp_path).save(a_run(), "main")
    assert [path.name for path in (tmp_path / "baselines").iterdir()] == ["runs"]


def test_opening_a_store_makes_nothing(tmp_path: Path):
    store = open_store(root=tmp_path)
    store.entries()
    store.find("main", HERE)
    assert list(tmp_path.iterdir()) == []


def big_run(benchmarks: int, samples: int) -> Run:
    rng = random.Random(1)
    return run_of(
        *(
            Benchmark(
                id=f"tests/benchmarks/bench_{place % 7}.py::test_something_{place}[{place}-parameter]",
                group=f"group {place % 5}",
                params={"size": str(place)},
                metrics={"time": metric(*(rng.lognormvariate(-9, 0.3) for _ in range(samples)), iterations=100)},
                yardstick={name: rng.random() for name in ("interpreter", "memory", "allocation", "hashing")},
            )
            for place in range(benchmarks)
        )
    )


def test_a_hundred_benchmarks_take_at_most_20_kilobytes():
    assert len(pack(big_run(100, samples=300))) <= 20_000


def test_the_size_does_not_grow_with_the_samples():
    assert len(pack(big_run(5, samples=50_000))) < len(pack(big_run(5, samples=STORED_QUANTILES))) * 1.1


def test_figures_are_stored_to_seven_digits():
    run = big_run(3, samples=500)
    for before, after in zip(run.benchmarks, unpack(pack(run), "here").benchmarks, strict=True):
        expected, got = before.metrics["time"].summary, after.metrics["time"].summary
        assert got.median == pytest.approx(expected.median, rel=1e-6)
        assert got.samples == 500
        assert len(got.quantiles) == STORED_QUANTILES
        assert got.quantiles[16] == pytest.approx(expected.median, rel=1e-3)
        assert list(got.quantiles) == sorted(got.quantiles)


def test_long_texts_are_cut_and_stay_different():
    runs = [
        run_of(
            Benchmark(
                id=f"test_a.py::test_a[{'x' * 100_000}{end}]",
                params={"text": "y" * 100_000 + end},
                extra_info={f"note {place}": "z" * 100_000 for place in range(1000)},
                error="w" * 100_000,
            )
        )
        for end in "ab"
    ]
    packed = [pack(run) for run in runs]
    assert max(map(len, packed)) < 5_000
    (one,), (two,) = (unpack(data, "here").benchmarks for data in packed)
    assert len(one.id) == LONGEST_ID
    assert one.id != two.id
    assert one.params != two.params
    assert unpack(pack(run_of(one)), "here").benchmarks == (one,)  # shortened once, it does not change again


def test_an_old_file_without_the_new_fields_is_read():
    fields = msgspec.json.decode(encode_run(a_run()))
    del fields["yardstick"], fields["benchmarks"][0]["yardstick"]
    run = unpack(gzip.compress(msgspec.json.encode(fields), mtime=0), "here")
    assert run == a_run()
    assert run.yardstick == {}


def test_a_run_without_a_time_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="'soon' is not a time in ISO 8601"):
        open_store(root=tmp_path).save(msgspec.structs.replace(a_run(), created="soon"), "main")


def test_entries_are_plain_data(store: RunStore):
    entry = store.save(a_run(), "main").entry
    assert msgspec.json.decode(msgspec.json.encode(entry), type=RunEntry) == entry
