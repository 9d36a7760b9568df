"""Text of others cannot act on a terminal, a CI service or a JSON reader."""

from __future__ import annotations

import json
import re
import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st

from jarvisperf.escaping import document, json_text, log_lines, visible

TEXT = st.text(st.characters(), max_size=40)


@given(TEXT)
@example("\x1b]0;owned\x07")
@example("\u202edetrever")
@example("\ud800")
def test_nothing_that_acts_is_left_in_a_line(text: str):
    shown = visible(text)
    assert not any(unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} for letter in shown)
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", shown)


@given(TEXT)
def test_a_text_that_was_made_visible_stays_as_it_is(text: str):
    assert visible(visible(text)) == visible(text)


def test_letters_of_all_scripts_stay():
    for text in ("Olá µs → ü", "世界", "مرحبا", "tests/a.py::test_b[x-1]"):
        assert visible(text) == text


@given(st.text("#[]: \nervo\t", max_size=30))
@example("::error::forged")
@example("a\n  ::stop-commands::x")
@example("a ##[error]forged")
@example("##vso[task.setvariable]x")
@example("##teamcity[x]")
def test_no_line_is_a_command_to_a_ci_service(text: str):
    shown = log_lines(text)
    assert not re.search(r"^\s*::|##(\[|vso\[|teamcity\[)", shown, re.MULTILINE)


def test_ids_and_prose_keep_their_colons():
    for text in ("tests/a.py::test_b", "note: x", "# a heading", "## another"):
        assert log_lines(text) == text


def test_a_document_keeps_its_lines_and_marks_of_direction():
    text = "a\tb\n\u200fשם\u200f"
    assert document(text) == text
    assert document("\x1b[2K\u202e") == "\\x1b[2K\\u202e"


@given(st.dictionaries(TEXT, TEXT))
def test_json_means_the_same(data: dict[str, str]):
    assert json.loads(json_text(json.dumps(data, ensure_ascii=False, indent=1))) == data
