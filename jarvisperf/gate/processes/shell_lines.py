"""Unwraps shell lines that contain a single plain command, so that the command can be examined without the shell."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from jarvisperf.measure.startup import Command

SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})
# Redirections at the end of a line do not change what runs.
_REDIRECTIONS = re.compile(r"(\s*(\d?>>?\s*(&\d|[\w./-]+)|&>>?\s*[\w./-]+|\d?<\s*[\w./-]+))+\s*$")
_QUOTED = re.compile(r"'[^']*'|\"([^\"\\$`]|\\.)*\"")
_SHELLS_OWN = frozenset("$`*?[]{}~!#;&|()<>\n")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")


def plain_command(command: Command) -> Command | None:
    """Return the command in a shell line; None if it is not a shell line or does more than start one program.

    Args:
        command: For example ``sh -c 'A=1 python -m tool > log'``.
    """
    words = command.words
    if len(words) != 3 or Path(words[0]).name not in SHELLS or not re.fullmatch(r"-[a-z]*c", words[1]):
        return None
    line = _REDIRECTIONS.sub("", words[2]).strip()
    if _SHELLS_OWN.intersection(_QUOTED.sub("", line)):
        return None
    try:
        left = shlex.split(line)
    except ValueError:  # an unclosed quotation mark
        return None
    assigned: dict[str, str] = {}
    while left and (_ASSIGNMENT.match(left[0]) or left[0] == "exec"):
        name, _, value = left.pop(0).partition("=")
        if name != "exec":
            assigned[name] = value
    if not left:
        return None
    env = {**(os.environ if command.env is None else command.env), **assigned} if assigned else command.env
    return Command(tuple(left), env, command.cwd)
