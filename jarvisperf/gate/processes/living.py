"""Reads the commands of a process and its living descendants from `/proc` (Linux)."""

from __future__ import annotations

import os
from os import readlink  # bound before tests can replace it
from pathlib import Path

from jarvisperf.gate.processes import descendants
from jarvisperf.gate.processes.descendants import open_file
from jarvisperf.measure.startup import Command


def processes_are_visible() -> bool:
    """Return whether this system shows the commands of processes."""
    return Path("/proc/self/cmdline").exists()


def living_commands(of: int) -> dict[tuple[int, tuple[str, ...]], Command]:
    """Return the commands of a process and all its descendants, by process id, each as a list of arguments.

    A forked process that still runs its parent's program is left out.

    Args:
        of: The process's id.
    """
    found: dict[tuple[int, tuple[str, ...]], Command] = {}
    left: list[tuple[int, tuple[str, ...]]] = [(of, ())]
    seen: set[int] = set()
    while left:
        number, parents_words = left.pop()
        seen.add(number)
        words = _words(number)
        if words and words != parents_words:
            command = _command(number, words)
            if command is not None:
                found[number, words] = command
        left += [(child, words) for child in descendants.children(number) if child not in seen]
    return found


def _command(number: int, words: tuple[str, ...]) -> Command | None:
    try:
        env = _strings(f"/proc/{number}/environ")
        folder = readlink(f"/proc/{number}/cwd")  # noqa: PTH115
    except OSError:  # it has ended, or belongs to another user
        return None
    return Command(words, dict(entry.split("=", 1) for entry in env if "=" in entry), folder)


def _words(number: int) -> tuple[str, ...]:
    try:
        return tuple(_strings(f"/proc/{number}/cmdline"))
    except OSError:
        return ()


def _strings(file: str) -> list[str]:
    with open_file(file, "rb") as opened:
        text = os.fsdecode(opened.read())
    return text.removesuffix("\0").split("\0") if text else []
