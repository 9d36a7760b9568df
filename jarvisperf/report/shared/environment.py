"""What differs between the machines of two runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from jarvisperf.runs.machine import Machine

NOTHING = "-"


def machine_facts(machine: Machine) -> dict[str, str]:
    """Give a machine's facts and packages as text by name."""
    facts: dict[str, Any] = msgspec.to_builtins(machine)
    facts.pop("packages")
    facts |= {f"{name} (plugin)" if name in facts else name: value for name, value in facts.pop("facts", {}).items()}
    return {name: "unknown" if value is None else str(value) for name, value in facts.items()} | machine.packages


def differing(first: dict[str, str], second: dict[str, str]) -> list[tuple[str, str, str]]:
    """Give what differs: name, value in the first, value in the second."""
    return [
        (name, first.get(name, NOTHING), second.get(name, NOTHING))
        for name in dict.fromkeys([*first, *second])
        if first.get(name) != second.get(name)
    ]
