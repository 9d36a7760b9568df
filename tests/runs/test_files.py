"""Tests that a run is the same after being written and read back."""

from __future__ import annotations

import datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvisperf.runs.commit import Commit
from jarvisperf.runs.files import UnreadableRunError, decode_run, encode_run, read_run, write_run, write_whole
from jarvisperf.runs.machine import Machine, read_machine
from jarvisperf.runs.model import Benchmark, Metric, Run
from jarvisperf.runs.summary import summarize

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
metrics = st.builds(
    Metric,
    unit=st.sampled_from(["s", "B"]),
    better=st.just("lower"),
    method=texts,
    summary=st.lists(st.floats(0, 1e6), min_size=1, max_size=10).map(summarize),
)
benchmarks = st.builds(
    Benchmark,
    id=texts,
    group=st.none() | texts,
    params=st.dictionaries(texts, texts, max_size=3),
    metrics=st.dictionaries(texts, metrics, max_size=2),
    before=st.none() | texts,
    extra_info=st.dictionaries(texts, texts, max_size=2),
    error=st.none() | texts,
)
machines = st.builds(
    Machine,
    cpu=texts,
    cores=st.integers(1, 512),
    memory_bytes=st.none() | st.integers(0, 1 << 50),
    load=st.none() | st.floats(0, 1e4),
    packages=st.dictionaries(texts, texts, max_size=3),
)
runs = st.builds(
    Run,
    created=st.datetimes(timezones=st.just(datetime.UTC)).map(lambda time: time.isoformat()),
    seconds=st.floats(0, 1e6),
    machine=machines,
    commit=st.none() | st.builds(Commit),
    benchmarks=st.lists(benchmarks, max_size=4).map(tuple),
    name=st.none() | texts,
    schema=st.just("jarvisperf.run/1"),
)


@given(runs)
def test_a_run_comes_back_equal(run: Run):
    assert decode_run(encode_run(run)) == run


def test_a_run_of_this_machine_comes_back_from_a_file(tmp_path: Path):
    run = Run(created="2026-01-01T00:00:00+00:00", seconds=1.5, machine=read_machine(), commit=None, benchmarks=())
    path = tmp_path / "deep" / "run.json"
    write_run(run, path)
    assert read_run(path) == run
    assert [file.name for file in path.parent.iterdir()] == ["run.json"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is not a run"),
        (b"\xff\xfe", "is not a run"),
        (b"[1, 2]", "is not a run"),
        (b'{"schema": "jarvisperf.run/1"}', "is not a run"),
        (b"{}", "has schema ''"),
        (b'{"schema": "jarvisperf.run/99"}', "has schema 'jarvisperf.run/99'"),
    ],
)
def test_what_is_no_run_is_named_with_its_reason(data: bytes, reason: str):
    with pytest.raises(UnreadableRunError, match=f"^here {reason}"):
        decode_run(data, origin="here")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_run_or_a_clear_error(data: bytes):
    try:
        decode_run(data)
    except UnreadableRunError:
        return
    msgspec.json.decode(data)


def test_a_failed_write_leaves_the_old_file_and_nothing_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "file"
    write_whole(path, b"old")

    def refuse(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
