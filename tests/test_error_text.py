"""Tests what is shown of the errors that other libraries raise."""

from __future__ import annotations

from jarvisperf.error_text import in_one_line, type_and_first_line


def test_a_message_of_several_lines_becomes_one() -> None:
    assert in_one_line(ValueError("\nbad value\n\n   in line 3\n")) == "bad value in line 3"


def test_an_error_without_a_message_is_called_by_its_type() -> None:
    assert in_one_line(KeyboardInterrupt()) == type_and_first_line(KeyboardInterrupt(" \n")) == "KeyboardInterrupt"


def test_the_type_stands_before_the_first_line() -> None:
    assert type_and_first_line(ValueError("\nbad value\nin line 3")) == "ValueError: bad value"
