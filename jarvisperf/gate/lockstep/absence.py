"""Explains in one line why an arm lacks a benchmark that this pytest collected."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jarvisperf.gate.processes.protocol import Collected

ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")  # as `object.__repr__` writes it
SHOWN_IDS = 3
WITHOUT_IGNORED = (
    "this pytest collected it, but an arm lacks files that git ignores, such as compiled modules: "
    "build them in each arm with --jarvis-arm-install, or list files that both arms may share in jarvis_shared"
)
GIVE_IDS = "give the parameters ids that are the same in every process: pytest.param(..., id='name')"


def why_not_there(name: str, arm: Collected) -> str:
    """Explain why an arm cannot measure a benchmark.

    Args:
        name: The benchmark's id.
        arm: The arm's collected tests: none with this id, or several.
    """
    if name in arm.ids:
        return f"{arm.ids.count(name)} tests have this id, so none of them can be compared; rename them"
    file = name.partition("::")[0]
    if file in arm.problems:
        return f"{arm.problems[file]}; {WITHOUT_IGNORED}"
    address = ADDRESS.search(name)
    if address is not None:
        return f"its id contains a memory address ({address[0]}), which differs in every process; {GIVE_IDS}"
    test, bracket, _ = name.partition("[")
    others = [other for other in arm.ids if other.partition("[")[0] == test] if bracket else []
    if others:
        shown = ", ".join(other.removeprefix(test) for other in others[:SHOWN_IDS])
        more = f" and {len(others) - SHOWN_IDS} more" if len(others) > SHOWN_IDS else ""
        return f"the arm collected it with other parameters: {shown}{more}; {GIVE_IDS}"
    return f"the arm did not collect it; {WITHOUT_IGNORED}"
