"""The only place where commands print: what others have named cannot act on the terminal or the CI service."""

from __future__ import annotations

import sys

from jarvisperf.escaping import document, json_text, log_line, log_lines


def out(*lines: str) -> None:
    """Print lines to standard output; none: an empty line. A line end inside a line is escaped."""
    for line in lines or ("",):
        print(log_line(line))


def out_colored(text: str) -> None:
    """Print text with colours, whose parts from others have been escaped by its maker."""
    sys.stdout.write(log_lines(text))


def out_document(text: str) -> None:
    """Print a passage of a document, with its line ends."""
    print(document(text))


def out_json(text: str | bytes) -> None:
    """Print JSON."""
    print(json_text(text if isinstance(text, str) else text.decode()))


def err(*lines: str) -> None:
    """Print lines to standard error."""
    for line in lines:
        print(log_line(line), file=sys.stderr)
