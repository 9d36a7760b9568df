"""Text that others wrote (names, branches, errors, documents), made harmless for a terminal, a CI log or a JSON reader.

HTML, Markdown and CSV have their own rules, each in one place: `report.html.svg.escaped`,
`report.formats.markdown.escape`, `report.formats.csv`.
"""

from __future__ import annotations

import re

# Characters that move the cursor or set colours (C0 and C1, which start escape sequences), end a line, or change the
# direction of the text after them (Unicode Standard Annex 9: an override makes a name look like a different one),
# characters of no width, which make two names look equal, and halves of a character, which no file accepts.
_ACTING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff]")
# In documents, line ends, tabs, joiners and marks of direction belong to the text.
_ACTING_IN_DOCUMENTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# Lines that a CI service obeys: GitHub's "Workflow commands" (`::error::`, and `##[...]` anywhere in a line), Azure's
# logging commands and TeamCity's service messages.
_COMMAND = re.compile(r"^([^\S\n]*):(?=:)|#(?=#(?:\[|vso\[|teamcity\[))", re.MULTILINE)

_IN_ASCII = str.maketrans({"µ": "u", "…": "...", "→": "->", "\u2013": "-", "\u2014": "-"})


def visible(text: str) -> str:
    """Escape characters that a terminal or log would act on, in the way of Python's string literals."""
    return _ACTING.sub(_escape, text)


def log_lines(text: str) -> str:
    """Escape the beginning of what a CI service would obey as a command, in each line of a text."""
    return _COMMAND.sub(lambda match: (match[1] or "") + ("\\x23" if match[0] == "#" else "\\x3a"), text)


def log_line(text: str) -> str:
    """Escape a text for one line of a terminal or log."""
    return log_lines(visible(text))


def document(text: str) -> str:
    """Escape what a terminal or CI service would act on in a passage of several lines; letters of all scripts stay."""
    return log_lines(_ACTING_IN_DOCUMENTS.sub(_escape, text))


def json_text(text: str) -> str:
    """Escape, in JSON, what a terminal or CI service would act on; what a program reads stays the same."""
    shown = _ACTING.sub(lambda match: match[0] if match[0] in "\n\t" else f"\\u{ord(match[0]):04x}", text)
    return _COMMAND.sub("\\\\u0023", shown)  # a line of JSON never starts with a colon


def ascii_only(text: str) -> str:
    """Write text for a terminal that shows only ASCII: ``us`` for ``µs``, and what has no such form as an escape.

    pytest would otherwise escape the whole text that it writes, line breaks included.
    """
    return text.translate(_IN_ASCII).encode("ascii", "backslashreplace").decode("ascii")


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
