"""What stored runs can decide at best, known before anything is measured.

A single stored run shows no deviation from run to run, so a wide one is assumed, and no small threshold can be decided.
It would be a waste to measure every benchmark once for that, and then again in lockstep.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from jarvisperf.runs.machine import Machine
    from jarvisperf.runs.model import Run


class Outlook(NamedTuple):
    """How many benchmarks stored runs can decide at best.

    Attributes:
        known: How many of the benchmarks the newest stored run has.
        decidable: How many of those would pass if head were as fast as that run, with no error of its own.
    """

    known: int
    decidable: int

    @property
    def is_hopeless(self) -> bool:
        """Whether every benchmark that can be compared has to be measured in lockstep anyway."""
        return self.known > 0 and self.decidable == 0


def outlook(
    stored: Sequence[Run],
    names: Collection[str],
    threshold: Callable[[str, str], float | None],
    machine: Machine,
) -> Outlook:
    """Screen the newest stored run itself, as one of this machine, against all of them.

    Args:
        stored: The runs, newest first.
        names: The ids of the benchmarks that are to be measured.
        threshold: How much worse a metric may get, by benchmark and metric; None: it is not judged.
        machine: This one.
    """
    from jarvisperf.gate.screening.screen import screen
    from jarvisperf.runs.bounds import bounded_id

    twin = msgspec.structs.replace(stored[0], machine=machine)
    wanted = {bounded_id(name) for name in names}
    screened = [one for name, one in screen(twin, stored, threshold).items() if bounded_id(name) in wanted]
    return Outlook(len(screened), sum(not one.to_confirm for one in screened))
