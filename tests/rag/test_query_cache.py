from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jarvisperf.rag.answers.changes import ChangeLog
from jarvisperf.rag.answers.kinds import AnswerKind
from jarvisperf.rag.answers.query_cache import QueryCache, answer_key, cache_getter
from jarvisperf.rag.search.footprint import Computed, Footprint
from jarvisperf.rag.search.request import Question
from jarvisperf.rag.store.change import StoreChange, unit_rows
from jarvisperf.rag.store.generation import CollectionState

QUESTIONS = st.builds(
    Question,
    kind=st.sampled_from(["search", "context"]),
    query=st.text(),
    model=st.text(),
    options=st.tuples(st.text(), st.text()),
)
ASKED = st.tuples(QUESTIONS, st.text())
KIND = AnswerKind("search", str, str.encode, bytes.decode)
QUESTION = Question("search", "q", "m", ("5",))
FOOTPRINT = Footprint(unit_rows([1.0, 0.0]).tobytes(), 0.5, ("a", "b"))
FAR, NEAR = [-1.0, 0.0], [1.0, 0.1]


class Shelf(dict):
    def set(self, key, value, *, ttl):
        self[key] = value


def state(generation="g", *, writing=False):
    return CollectionState("c", (("", generation),), writing)


class Bench:
    """A query cache whose state and answers the test controls."""

    def __init__(self, shelf=None):
        self.shelf = Shelf() if shelf is None else shelf
        self.now = state()
        self.log = ChangeLog(lambda: self.shelf)
        self.answers = QueryCache(cache_getter(self.shelf), self.log, self.state, self.state, wall_clock=lambda: 100.0)

    def state(self):
        return self.now

    def ask(self, value, footprint=FOOTPRINT):
        return self.answers.answer(QUESTION, KIND, lambda: Computed(value, footprint), 60)

    def write(self, generation, *ids, vector=None):
        previous = dict(self.now.heads)[""]
        rows = () if vector is None else (None,)
        packed = b"" if vector is None else unit_rows(vector).tobytes()
        self.log.record(previous, generation, StoreChange(ids, packed, rows))
        self.now = state(generation)

    def entries(self):
        return [key for key in self.shelf if key.startswith("rag:search:")]


@pytest.fixture
def bench():
    return Bench()


@given(ASKED, ASKED)
def test_whatever_an_answer_depends_on_is_in_its_key(one, other):
    assume(one != other)
    assert answer_key(*one) != answer_key(*other)


@given(ASKED)
def test_the_same_question_about_the_same_collection_has_the_same_key(asked):
    assert answer_key(*asked) == answer_key(*asked)


@pytest.mark.parametrize("now", [None, state(writing=True)])
def test_the_cache_is_neither_read_nor_written_while_the_state_is_not_sure(bench, now):
    bench.ask("kept")
    before = dict(bench.shelf)
    bench.now = now
    found = bench.ask("computed")
    assert (found.value, found.path, found.key) == ("computed", "computed", None)
    assert bench.shelf == before


@pytest.mark.parametrize("later", [None, state("h"), state(writing=True)])
def test_an_answer_that_was_computed_while_the_state_changed_is_not_kept(bench, later):
    def compute():
        bench.now = later
        return Computed("computed", FOOTPRINT)

    assert bench.answers.answer(QUESTION, KIND, compute, 60).value == "computed"
    assert not bench.entries()


def test_an_answer_is_found_again_in_the_same_generation(bench):
    assert bench.ask("one").path == "computed"
    assert (bench.ask("two").value, bench.ask("two").path) == ("one", "memory")


def test_a_write_that_nobody_described_ends_an_answer(bench):
    bench.ask("one")
    bench.now = state("h")
    assert bench.ask("two").value == "two"


def test_an_answer_survives_a_write_that_is_far_away_and_touches_none_of_its_passages(bench):
    bench.ask("one")
    bench.write("h", "new", vector=FAR)
    assert bench.ask("two").value == "one"


@pytest.mark.parametrize(
    ("ids", "vector"), [(["new"], NEAR), (["b"], FAR), (["a"], None)], ids=["comes near", "updated", "deleted"]
)
def test_an_answer_ends_with_a_write_that_could_change_it(bench, ids, vector):
    bench.ask("one")
    bench.write("h", *ids, vector=vector)
    assert bench.ask("two").value == "two"


def test_every_write_on_the_way_counts(bench):
    bench.ask("one")
    for number in range(5):
        bench.write(f"far {number}", f"new {number}", vector=FAR)
    assert bench.ask("two").value == "one"
    bench.write("near", "new", vector=NEAR)
    bench.write("far again", "other", vector=FAR)
    assert bench.ask("two").value == "two"


def test_an_answer_without_a_footprint_ends_with_any_write(bench):
    bench.ask("one", footprint=None)
    bench.write("h", "new", vector=FAR)
    assert bench.ask("two").value == "two"


def test_a_missing_record_on_the_way_ends_an_answer(bench):
    bench.ask("one")
    bench.write("h", "new", vector=FAR)
    bench.write("i", "new", vector=FAR)
    reader = Bench(bench.shelf)
    reader.now = bench.now
    del bench.shelf["rag:change:h"]
    assert reader.ask("two").value == "two"


def test_an_old_answer_that_is_stored_after_a_write_is_weighed_against_it(bench):
    bench.ask("old")
    late = {key: bench.shelf[key] for key in bench.entries()}
    bench.write("h", "new", vector=NEAR)
    bench.ask("new")
    bench.shelf.update(late)  # by a slow process
    assert bench.ask("newest").value == "newest"


def test_another_process_proves_the_same_from_what_the_cache_has(bench):
    bench.ask("one")
    bench.write("h", "new", vector=FAR)
    reader = Bench(bench.shelf)
    reader.now = bench.now
    assert reader.ask("two").value == "one"


def test_an_answer_that_survived_many_writes_is_stored_with_the_present_generation(bench):
    bench.ask("one")
    for number in range(40):
        bench.write(f"h{number}", "new", vector=FAR)
    assert bench.ask("two").value == "one"
    for key in [key for key in bench.shelf if key.startswith("rag:change:")]:
        del bench.shelf[key]
    reader = Bench(bench.shelf)
    reader.now = bench.now
    assert reader.ask("two").value == "one"


@pytest.mark.parametrize("damage", [17, b"", b"\xff", "text"])
def test_a_cached_value_of_another_form_is_a_miss_and_is_replaced(bench, damage):
    bench.shelf[answer_key(QUESTION, "c")] = damage
    assert bench.ask("computed").value == "computed"
    assert bench.ask("other").value == "computed"


def test_what_was_recalled_from_memory_is_gone_when_the_cache_has_lost_it(bench):
    bench.answers.answer(QUESTION, KIND, lambda: Computed("one", FOOTPRINT), 60, call="call")
    assert bench.answers.recall("call", "m", bench.now) == "one"
    assert bench.answers.recall("call", "other model", bench.now) is None
    bench.shelf.clear()
    assert bench.answers.recall("call", "m", bench.now) is None


def test_nothing_is_recalled_once_the_state_is_another(bench):
    bench.answers.answer(QUESTION, KIND, lambda: Computed("one", FOOTPRINT), 60, call="call")
    for now in (None, state("h"), state(writing=True)):
        assert bench.answers.recall("call", "m", now) is None
