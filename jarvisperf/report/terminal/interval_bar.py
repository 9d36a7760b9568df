"""A ratio and its interval against the threshold, drawn with characters."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from jarvisperf.report.findings.model import MetricFinding

WIDTH = 17
DEFAULT_REACH = 0.05  # how far the scale extends to each side if there is no threshold
LARGEST_REACH = 1e300  # twice as much is still a number


class Marks(NamedTuple):
    """The characters of a bar."""

    blank: str
    middle: str
    limit: str
    interval: str
    ratio: str
    below: str
    above: str


UNICODE = Marks(" ", "┊", "│", "━", "●", "◂", "▸")
ASCII = Marks(" ", ":", "|", "=", "o", "<", ">")


def interval_bar(metric: MetricFinding, *, unicode: bool, width: int = WIDTH) -> str:
    """Draw a ratio: 1 in the middle, the thresholds at a quarter and three quarters of the width.

    An interval that extends beyond the scale ends in an arrow.

    Args:
        metric: The metric's findings.
        unicode: Whether the terminal shows more than ASCII.
        width: The number of characters, a multiple of 4 plus 1; 0: no bar.

    Returns:
        As many characters; an empty text if there is no interval.
    """
    if metric.interval is None or metric.ratio is None or not width:
        return ""
    marks = UNICODE if unicode else ASCII
    reach = min(2 * (metric.threshold or DEFAULT_REACH), LARGEST_REACH)
    cells = [marks.blank] * width
    cells[_cell(1.0, reach, width)] = marks.middle
    if metric.threshold:
        for limit in (1 - metric.threshold, 1 + metric.threshold):
            cells[_cell(limit, reach, width)] = marks.limit
    low, high = (_cell(value, reach, width) for value in metric.interval)
    for cell in range(low, high + 1):
        cells[cell] = marks.interval
    cells[_cell(metric.ratio, reach, width)] = marks.ratio
    if metric.interval[0] < 1 - reach:
        cells[0] = marks.below
    if metric.interval[1] > 1 + reach:
        cells[-1] = marks.above
    return "".join(cells)


def _cell(ratio: float, reach: float, width: int) -> int:
    position = (ratio - 1 + reach) / (2 * reach) * (width - 1)
    return round(min(max(position, 0), width - 1))
