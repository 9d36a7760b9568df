"""The work that every side does: the same texts, questions and model. Uses only the standard library."""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

CHARACTERS = 480


def texts(count: int) -> list[str]:
    """Return this many different pieces of Python's language reference, of about equal length."""
    from pydoc_data.topics import topics

    whole = "\n".join(topics[name] for name in sorted(topics))
    pieces = list(dict.fromkeys(whole[start : start + CHARACTERS] for start in range(0, len(whole), CHARACTERS)))
    return pieces[:count]


def questions(count: int) -> list[str]:
    """Return this many different questions: the words in the middle of the pieces."""
    asked = []
    for number, text in enumerate(texts(count)):
        words = re.findall(r"\w+", text)
        asked.append(f"{' '.join(words[5:13])} {number}")
    return asked


def seconds(work: Callable[[], Any]) -> float:
    """How long it took."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def report(figures: dict[str, Any]) -> None:
    """Pass figures to the process that started this one, with the peak memory so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sys.stdout.write("\nFIGURES " + json.dumps({**figures, "peak_rss_mb": peak / 1024}) + "\n")
