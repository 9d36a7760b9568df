"""Text from outside, so that a terminal or a log shows it and does nothing else with it."""

from __future__ import annotations

import re

# What moves the cursor or colours (C0 and C1, with which escape sequences begin), ends a line, or turns the direction
# of what follows (Unicode Standard Annex 9: a name with an override reads as another one).
_ACTING = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """Write characters that act as Python writes them: a backslash and their name or number."""
    return _ACTING.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)
