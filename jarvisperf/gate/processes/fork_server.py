"""A fresh interpreter that forks a pair of workers; this file is run by its path and imports the standard library only.

Forking both workers from one parent gives them the same memory layout (addresses are randomized at `exec`), and a new
parent for every launch gives each pair a different layout. Layout alone can make the same code several per cent slower
(Curtsinger and Berger, "STABILIZER", ASPLOS 2013).

Before the fork, nothing is imported that could differ between the arms; the coordinator lists what may be preloaded.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jarvisperf.gate.processes import descendants
else:
    # By path, and under a name that no arm uses: an arm may have its own version of jarvisperf.
    _spec = importlib.util.spec_from_file_location(
        "_fork_server_descendants", Path(__file__).with_name("descendants.py")
    )
    descendants = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(descendants)


class _StoppedError(BaseException):
    """The pair must end immediately."""


def main() -> None:
    """Read the configuration from standard input, fork the workers, wait for them, and end the processes they left."""
    running: set[int] = set()
    signal.signal(signal.SIGTERM, _stop)
    descendants.end_with_parent(signal.SIGTERM)  # so that nothing outlives a killed pytest
    descendants.adopt_orphans()
    try:
        _run(json.load(sys.stdin), running)
    except _StoppedError:
        for pid in running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        descendants.end_orphans()


def _stop(*_: object) -> None:
    raise _StoppedError


def _run(config: dict[str, Any], running: set[int]) -> None:
    arms = config["arms"]
    for module in config["preload"]:  # needed by both arms and identical in both
        importlib.import_module(module)
    server = os.getpid()
    for arm in arms:
        pid = os.fork()
        if pid == 0:
            _become(arm, arms, config, server)
        running.add(pid)
    for arm in arms:
        os.close(arm["channel"])
        os.close(arm["turns"])
    while running:
        pid, _ = os.wait()  # also reaps orphans of the arms
        running.discard(pid)


def _become(arm: dict[str, Any], arms: list[dict[str, Any]], config: dict[str, Any], server: int) -> None:
    code = 70
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        descendants.end_with_parent(signal.SIGKILL, parent=server)
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
    except BaseException:  # noqa: BLE001  # this is the process's last frame: an error not shown here is lost
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
