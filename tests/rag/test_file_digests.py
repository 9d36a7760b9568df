from __future__ import annotations

import hashlib
import os
import time

import pytest

from jarvisperf.rag.embedding.choice import FileDigests

LATER = 10**10  # nanoseconds after which a file no longer counts as new


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(b"a" * 1000)
    return path


@pytest.fixture
def reads(monkeypatch):
    """Return how often a file was read in full."""
    read, count = hashlib.file_digest, []
    monkeypatch.setattr("hashlib.file_digest", lambda *given: count.append(1) or read(*given))
    return count


@pytest.fixture
def digests(tmp_path):
    return FileDigests(tmp_path / "digests", lambda: time.time_ns() + LATER)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_is_read_once(digests, file, reads, tmp_path):
    again = FileDigests(tmp_path / "digests")
    assert digests.sha256(file) == again.sha256(file) == sha256(file)
    assert len(reads) == 1


def test_a_file_that_changed_is_read_again_even_where_size_and_time_are_as_before(digests, file):
    before = file.stat()
    digests.sha256(file)
    file.write_bytes(b"b" * 1000)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert digests.sha256(file) == sha256(file)


def test_another_file_at_the_same_place_is_read(digests, file, tmp_path):
    digests.sha256(file)
    other = tmp_path / "other"
    other.write_bytes(b"b" * 1000)
    other.replace(file)
    assert digests.sha256(file) == sha256(file)


def test_a_file_that_is_still_new_is_read_again_since_its_times_may_not_tell_a_change(file, reads, tmp_path):
    digests = FileDigests(tmp_path / "digests")
    for _ in range(2):
        digests.sha256(file)
    assert len(reads) == 2


def test_a_file_that_changes_while_it_is_read_is_not_kept(digests, file, monkeypatch):
    read = hashlib.file_digest

    def change_it(*given):
        found = read(*given)
        file.write_bytes(b"b" * 1001)
        return found

    with monkeypatch.context() as patched:
        patched.setattr("hashlib.file_digest", change_it)
        digests.sha256(file)
    assert digests.sha256(file) == sha256(file)


@pytest.mark.parametrize("damage", [b"", b"{broken", b"[]"])
def test_what_is_kept_and_damaged_is_made_anew(digests, file, tmp_path, damage):
    digests.sha256(file)
    (kept,) = (tmp_path / "digests").iterdir()
    kept.write_bytes(damage)
    assert digests.sha256(file) == sha256(file)
    assert kept.read_bytes() != damage


def test_where_nothing_can_be_kept_it_costs_speed_only_and_is_said(file, tmp_path, caplog):
    (tmp_path / "digests").write_text("no folder")
    assert FileDigests(tmp_path / "digests", lambda: time.time_ns() + LATER).sha256(file) == sha256(file)
    assert f"cannot keep the digest of {file}, so each process reads the whole file" in caplog.text
