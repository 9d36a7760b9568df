"""Functions to profile."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from jarvisperf.measure.profiling import profile_function

if TYPE_CHECKING:
    from collections.abc import Callable


@profile_function
def inner(rounds: int) -> int:
    total = 0
    for number in range(rounds):
        total += number * number
    return total


def outer_of(rounds: int) -> Callable[[], object]:
    def outer() -> object:
        inner(rounds)
        return json.loads(json.dumps(list(range(300))))

    return outer
