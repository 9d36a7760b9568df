"""A fresh interpreter that forks a pair of workers: this file is run by its path and imports the standard library only.

Forking both from one parent gives them the same memory layout (address space randomization happens at `exec`), and a
new parent for every launch gives every pair another one. Layout alone can make the same code several per cent slower
(Curtsinger and Berger, "STABILIZER", ASPLOS 2013).

Nothing is imported before the fork that the arms could have in versions of their own: the coordinator says what may be.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys
import time
import traceback
from typing import Any

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Read the configuration from standard input, fork the workers and wait for them."""
    config = json.load(sys.stdin)
    die_with_parent()
    arms = config["arms"]
    running = set()
    for module in config["preload"]:  # what both arms will need and neither has a version of its own of
        importlib.import_module(module)
    for arm in arms:
        pid = os.fork()
        if pid == 0:
            _become(arm, arms, config)
        running.add(pid)
    for arm in arms:
        os.close(arm["channel"])
        os.close(arm["turns"])
    while running:
        pid, _ = os.wait()
        running.discard(pid)


def _become(arm: dict[str, Any], arms: list[dict[str, Any]], config: dict[str, Any]) -> None:
    code = 70
    try:
        die_with_parent()
        for other in arms:
            if other is not arm:
                os.close(other["channel"])
                os.close(other["turns"])
        log = os.open(arm["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for descriptor, source in ((0, nothing), (1, log), (2, log)):
            os.dup2(source, descriptor)
        os.environ.clear()
        os.environ.update(arm["env"])
        time.tzset()
        os.chdir(arm["cwd"])
        sys.path[:0] = arm["paths"]
        module, _, function = config["entry"].partition(":")
        code = getattr(importlib.import_module(module), function)(arm, config["args"])
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 70
    except BaseException:  # noqa: BLE001  # this is the last frame of a process: what it cannot show is lost
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def die_with_parent() -> None:
    """Be killed when the parent ends in whatever way, so that no worker outlives a killed pytest."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
