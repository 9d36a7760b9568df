"""Names in a narrow column keep what tells them apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from jarvisperf.report.shared.names import short_names, shortened


def test_what_all_names_share_goes_first_and_parameters_stay():
    names = [f"test_parse_document[{encoding}-{size}]" for encoding in ("utf8", "utf16") for size in ("small", "large")]
    for name, short in zip(names, shortened(names, 22), strict=True):
        assert short.endswith(name.removeprefix("test_parse_document"))
        assert short.startswith(("…", "test_"))


def test_a_name_that_fits_stays():
    assert shortened(["test_a", "test_b" * 20], 30)[0] == "test_a"


def test_no_word_is_cut():
    names = ["test_compress_archive_with_dictionary", "test_compress_archive_without_dictionary"]
    for name, short in zip(names, shortened(names, 24), strict=True):
        words = short.replace("…", "_").split("_")
        assert set(words) <= {*name.split("_"), ""}


def test_equal_names_in_two_files_differ_without_their_common_folder():
    ids = ["bench/io/a.py::test_x", "bench/io/b.py::test_x", "bench/c.py::test_y"]
    assert list(short_names(ids).values()) == ["a.py::test_x", "b.py::test_x", "test_y"]


def test_names_that_differ_only_in_what_cannot_be_seen_are_numbered():
    shown = short_names(["a.py::test[\n]", "a.py::test[\\n]"]).values()
    assert len(set(shown)) == 2


@given(st.lists(st.text(min_size=1, max_size=80), unique=True, max_size=8), st.integers(8, 60))
def test_any_names_fit_and_none_look_equal(names: list[str], columns: int):
    shown = shortened(names, columns)
    assert len(set(shown)) == len(names)
    assert all(cell_len(one) <= columns for one in shown)


@pytest.mark.parametrize("columns", [16, 24, 32, 48])
def test_what_tells_long_names_apart_stays_even_in_their_middle(columns: int):
    queries = [f"test_query[SELECT a, b FROM t WHERE x = {place} AND some ORDER BY y LIMIT 10]" for place in (1, 2, 33)]
    sizes = [f"test_{'x' * 60}[{size}-{'y' * 60}]" for size in ("small", "large")]
    for names, parts in ((queries, ("1 ", "2 ", "33")), (sizes, ("small", "large"))):
        for short, part in zip(shortened(names, columns), parts, strict=True):
            assert part in short


@pytest.mark.parametrize("columns", [8, 12, 20])
def test_two_long_words_that_differ_at_the_end_differ(columns: int):
    one, other = shortened(["x" * 200 + "a", "x" * 200 + "b"], columns)
    assert one != other
