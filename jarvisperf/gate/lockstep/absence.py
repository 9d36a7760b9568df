"""Why an arm lacks a benchmark that this pytest has collected: one line that names the reason."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jarvisperf.gate.processes.protocol import Collected

ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")  # as `object.__repr__` writes it
SHOWN_IDS = 3
WITHOUT_IGNORED = (
    "this pytest collected it, but an arm has nothing of what git ignores, such as compiled modules: "
    "--jarvis-arm-install builds each arm's own, and jarvis_shared names files that serve on both"
)
GIVE_IDS = "give the parameters ids that are the same in every process: pytest.param(..., id='name')"


def why_not_there(name: str, arm: Collected) -> str:
    """Say why an arm cannot measure a benchmark.

    Args:
        name: The benchmark's id.
        arm: What the arm has collected: not this one, or several by this id.
    """
    if name in arm.ids:
        return f"{arm.ids.count(name)} tests have this id, so none of them can be compared; give each a name of its own"
    file = name.partition("::")[0]
    if file in arm.problems:
        return f"{arm.problems[file]}; {WITHOUT_IGNORED}"
    address = ADDRESS.search(name)
    if address is not None:
        return f"its id holds a memory address ({address[0]}), which is another one in every process; {GIVE_IDS}"
    test, bracket, _ = name.partition("[")
    others = [other for other in arm.ids if other.partition("[")[0] == test] if bracket else []
    if others:
        shown = ", ".join(other.removeprefix(test) for other in others[:SHOWN_IDS])
        more = f" and {len(others) - SHOWN_IDS} more" if len(others) > SHOWN_IDS else ""
        return f"it was collected here with other parameters: {shown}{more}; {GIVE_IDS}"
    return f"it was not collected; {WITHOUT_IGNORED}"
