"""`quality`: the figure that a function returns about its own results, from 0 to 1, such as the nDCG of a search.

It is not how long something takes, but how good it is; a change that makes code faster and its results worse fails like
one that makes it slower. A function that is not deterministic needs a seed, or else its noise is judged with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jarvisperf.measure.metrics.kind import MetricKind, OfSingleCalls
from jarvisperf.measure.metrics.units import SCORE

if TYPE_CHECKING:
    from jarvisperf.measure.targets import Target

METHOD = "returned by the call"


def _values(target: Target, methods: tuple[str, ...]) -> tuple[float]:  # noqa: ARG001  # there is one method
    """Call the target once and return what it returns.

    Raises:
        TypeError: It returns something other than a number.
        ValueError: The number is not between 0 and 1.
    """
    returned = target.call()
    try:
        value = float(returned)
    except (TypeError, ValueError):
        raise TypeError(
            f"quality is what the function returns, but it returned {returned!r}: return a number from 0 to 1"
        ) from None
    if not 0 <= value <= 1:
        raise ValueError(f"quality is {value:g}: return a number from 0 (useless) to 1 (perfect)")
    return (value,)


QUALITY = MetricKind(
    name="quality",
    unit=SCORE,
    axis_label="quality, from 0 to 1",
    better="higher",
    threshold=0.02,
    prior_deviation=0.01,
    floor_deviation=0.001,
    smallest=0.001,
    measurement=OfSingleCalls(methods=lambda: (METHOD,), values=_values),
)
