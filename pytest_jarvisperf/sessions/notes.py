"""Turns notes about benchmarks into lines for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MOST_NAMED = 3  # benchmarks that share a note are listed up to this number, then counted


def joined_notes(notes: Mapping[str, Iterable[str]]) -> list[str]:
    """Return one line per note, with the benchmarks that it applies to.

    Args:
        notes: The notes, by the benchmark's id.
    """
    names: dict[str, list[str]] = {}
    for name, texts in notes.items():
        for text in texts:
            names.setdefault(text, []).append(name)
    return [f"{_named(them)}: {text}" for text, them in names.items()]


def _named(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= MOST_NAMED else f"{len(names)} benchmarks"
