"""Tests what is kept of an interrupted comparison, and that nothing else is ever taken for it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from jarvisperf.gate.lockstep.control import Control
from jarvisperf.gate.lockstep.model import Decided
from jarvisperf.gate.lockstep.slices import PairedSamples
from jarvisperf.gate.lockstep.tally import Tally
from jarvisperf.gate.unfinished import Conditions, UnfinishedRuns, tree_digest
from jarvisperf.gate.unfinished.key import own_key
from jarvisperf.gate.verdict.decide import judge
from jarvisperf.measure.metrics import BUILT_IN, TIME

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KEY = b"k" * 32
THIS, CREATED = {"head's files": "1", "--jarvis-budget": 2.0}, "2026-11-30T13:05:07+00:00"


def conditions(changed: Mapping[str, object] | None = None, key: bytes = KEY) -> Conditions:
    return Conditions({**THIS, **(changed or {})}, key)


def decided(launches: int = 4) -> Decided:
    tally = Tally()
    for number in range(launches):
        launch = Tally(group="g", extra_info={"size": "3"}, notes={"a note": None})
        launch.add(TIME, PairedSamples(7, (1.0,) * 9, (1.5 + number / 100,) * 9, "process CPU clock"))
        launch.end_launch()
        tally.absorb(launch)
    metric = tally.metrics[TIME.name]
    metric.judgement = judge({"it": metric.log_ratios}, {"it": 0.05}, 1)["it"]
    tally.state = "decided"
    control = Control()
    control.add(0.01, metric.log_ratios, launch=(1, 0))
    control.add(-0.01, metric.log_ratios, launch=(1, 0))
    control.ran()
    control.failed("other", "no room")
    return Decided({"test_b.py::test_it": tally}, control.state(), {"launches": 3.0, "control": 0.2})


@pytest.mark.parametrize("launches", [4, 1])  # a single launch has an interval up to infinity
def test_what_was_decided_comes_back_as_it_was_with_the_control_that_vouches_for_it(tmp_path: Path, launches: int):
    kept = decided(launches)
    UnfinishedRuns(tmp_path, KEY).keep(kept, CREATED, conditions())
    found = UnfinishedRuns(tmp_path, KEY).find(conditions())
    assert (found.why_not, found.ignored) == ("", "")
    assert found.unfinished is not None
    back = found.unfinished.decided(BUILT_IN)
    (before,), (after,) = kept.tallies.values(), back.tallies.values()
    assert after.taken_over == CREATED
    after.taken_over = ""
    assert after == before
    assert after.metrics[TIME.name].judgement is not None
    assert math.isinf(after.metrics[TIME.name].judgement.interval[1]) == (launches == 1)
    assert Control.continued(back.control).state() == kept.control
    assert back.spent == kept.spent


def test_a_decision_that_is_taken_over_twice_keeps_the_time_of_the_run_that_made_it(tmp_path: Path):
    runs = UnfinishedRuns(tmp_path, KEY)
    runs.keep(decided(), CREATED, conditions())
    first = runs.find(conditions()).unfinished
    assert first is not None
    runs.keep(first.decided(BUILT_IN), "2026-12-24T18:00:00+00:00", conditions())
    second = runs.find(conditions()).unfinished
    assert second is not None
    assert [tally.taken_over for tally in second.decided(BUILT_IN).tallies.values()] == [CREATED]


def test_a_comparison_that_differs_in_anything_is_not_continued_and_what_differs_is_named(tmp_path: Path):
    runs = UnfinishedRuns(tmp_path, KEY)
    runs.keep(decided(), CREATED, conditions())
    found = runs.find(conditions({"OMP_NUM_THREADS": "1", "head's files": "2"}))
    assert found.unfinished is None
    assert found.why_not == (
        "the interrupted run of 2026-11-30 13:05 UTC cannot be continued, because these have changed since: "
        "head's files, OMP_NUM_THREADS"
    )


DAMAGES = {
    "cut off": lambda data: data[:-1],
    "empty": lambda data: b"",
    "another verdict": lambda data: data.replace(b"regressed", b"unchanged"),
    "another signature": lambda data: data[:30] + bytes([data[30] ^ 1]) + data[31:],
    "no such format": lambda data: b"jarvisperf.unfinished/2 " + data[24:],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_is_damaged_or_forged_is_ignored_with_one_line(tmp_path: Path, damage: str):
    runs = UnfinishedRuns(tmp_path, KEY)
    runs.keep(decided(), CREATED, conditions())
    (file,) = (tmp_path / ".jarvisperf" / "unfinished").iterdir()
    data = file.read_bytes()
    assert DAMAGES[damage](data) != data
    file.write_bytes(DAMAGES[damage](data))
    found = runs.find(conditions())
    assert found.unfinished is None
    assert found.ignored.startswith(f".jarvisperf/unfinished/{file.name} is ignored: it was not written by this user")


def test_files_of_another_user_and_links_to_endless_ones_are_ignored_with_one_line(tmp_path: Path):
    UnfinishedRuns(tmp_path, b"x" * 32).keep(decided(), CREATED, conditions(key=b"x" * 32))
    (tmp_path / ".jarvisperf" / "unfinished" / "endless.msgpack").symlink_to("/dev/zero")
    found = UnfinishedRuns(tmp_path, KEY).find(conditions())
    assert found.unfinished is None
    assert " is ignored: " in found.ignored
    assert found.ignored.endswith("(1 more file like that)")


def test_a_finished_comparison_leaves_nothing_and_only_the_newest_unfinished_ones_are_kept(tmp_path: Path):
    runs = UnfinishedRuns(tmp_path, KEY)
    for number in range(8):
        runs.keep(decided(), CREATED, conditions({"number": number}))
    folder = tmp_path / ".jarvisperf" / "unfinished"
    assert len(list(folder.iterdir())) == 5
    for number in range(8):
        runs.forget(conditions({"number": number}))
    assert list(tmp_path.iterdir()) == []


def test_the_key_is_private_and_stays_the_same(tmp_path: Path):
    key = own_key(tmp_path)
    assert own_key(tmp_path) == key
    (place,) = tmp_path.iterdir()
    assert place.stat().st_mode & 0o777 == 0o600
    place.write_bytes(b"short")
    with pytest.raises(OSError, match="is not a key of jarvisperf: remove it"):
        own_key(tmp_path)


def test_a_digest_of_files_sees_contents_names_permissions_and_links(tmp_path: Path):
    (tmp_path / "sub" / "__pycache__").mkdir(parents=True)
    names = ["a.py", "sub", "gone.py", "link"]
    (tmp_path / "a.py").write_text("1")
    (tmp_path / "sub" / "b.py").write_text("2")
    (tmp_path / "link").symlink_to("a.py")
    seen = [tree_digest(tmp_path, names)]
    (tmp_path / "sub" / "__pycache__" / "b.pyc").write_text("bytecode")
    assert tree_digest(tmp_path, reversed(names)) == seen[0]
    for change in (
        lambda: (tmp_path / "a.py").write_text("3"),
        lambda: (tmp_path / "sub" / "b.py").rename(tmp_path / "sub" / "c.py"),
        lambda: (tmp_path / "a.py").chmod(0o755),
        (tmp_path / "gone.py").touch,
        lambda: (tmp_path / "gone.py").replace(tmp_path / "link"),
    ):
        change()
        seen.append(tree_digest(tmp_path, names))
    assert len(set(seen)) == len(seen)
