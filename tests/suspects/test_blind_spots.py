"""Blind spots: changed functions that no benchmark executes."""

from __future__ import annotations

import msgspec

from jarvisperf.suspects.blind_spots import BlindSpots, blind_spots, changed_functions, merged_blind_spots
from jarvisperf.suspects.model import ExecutedFunction, Execution

BASE = "def same():\n    return 1\n\n\ndef slower():\n    return 1\n\n\ndef gone():\n    return 1\n"
HEAD = "def same():\n    return 1\n\n\ndef slower():\n    return 2\n\n\ndef added():\n    return 1\n"


def changed_in(base: str | None, head: str | None) -> list[tuple[str, str]]:
    found = changed_functions(["src/pkg/core.py"], lambda arm, _: base if arm == "base" else head)
    return [(one.function, one.difference) for one in found]


def executing(*places: str, calls: float = 1.0) -> Execution:
    split = (place.partition("::") for place in places)
    return Execution(tuple(ExecutedFunction(file, file, name, 1, calls) for file, _, name in split))


CHANGED = changed_functions(["src/pkg/core.py"], lambda arm, _: BASE if arm == "base" else HEAD)


def test_changed_and_new_functions_are_found():
    assert changed_in(BASE, HEAD) == [("slower", "changed"), ("added", "new")]
    assert changed_in(None, HEAD) == [("same", "new"), ("slower", "new"), ("added", "new")]
    assert changed_in(BASE, "not python") == []


def test_what_any_benchmark_executes_is_no_blind_spot():
    found = blind_spots(CHANGED, [executing("0/src/pkg/core.py::same"), executing("0/src/pkg/core.py::slower")])
    assert [one.function for one in found.unexecuted] == ["added"]
    assert (found.changed, found.is_complete) == (2, True)


def test_a_function_of_the_same_name_in_another_file_does_not_count():
    assert len(blind_spots(CHANGED, [executing("0/src/pkg/other.py::slower")]).unexecuted) == 2


def test_installed_code_counts_as_the_file_that_it_was_installed_from():
    found = blind_spots(CHANGED, [executing("1/lib/python3.11/site-packages/pkg/core.py::added")])
    assert [one.function for one in found.unexecuted] == ["slower"]


def test_a_function_that_only_prepares_data_is_not_measured():
    assert len(blind_spots(CHANGED, [executing("0/src/pkg/core.py::slower", calls=0)]).unexecuted) == 2


def test_a_benchmark_that_could_not_be_watched_makes_it_incomplete():
    assert not blind_spots(CHANGED, [executing(), None]).is_complete
    assert not blind_spots(CHANGED, [msgspec.structs.replace(executing(), is_complete=False)]).is_complete


def test_parts_of_a_suite_have_the_blind_spots_that_all_of_them_have():
    slower, added = CHANGED
    one, other = BlindSpots(2, (slower, added), True), BlindSpots(2, (added,), False)
    assert merged_blind_spots([one, other]) == BlindSpots(2, (added,), False)
    assert merged_blind_spots([one, None]) is None
