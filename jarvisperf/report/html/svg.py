"""Small inline SVG pictures for the page: lines, areas, dots and text.

Colours are classes of the page's style sheet (``s-head`` strokes, ``f-head`` fills). So the page chooses light or dark,
and there are no style attributes, which its Content-Security-Policy would block.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Colour = Literal["base", "head", "bad", "good", "warn", "faint", "ink"]
Alignment = Literal["start", "middle", "end"]
Point = tuple[float, float]


class Drawing:
    """A picture in points; x grows to the right, y upwards.

    Args:
        width: Points.
        height: Points.
    """

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._elements: list[str] = []

    def line(self, points: Sequence[Point], colour: Colour, *, width: float = 1.5, dashed: bool = False) -> None:
        """Draw a line through points; `width` is in points."""
        dashes = ' stroke-dasharray="3 3"' if dashed else ""
        self._path(self._steps(points), f'class="s-{colour}" fill="none" stroke-width="{width:g}"{dashes}')

    def area(self, corners: Sequence[Point], colour: Colour, *, opacity: float = 0.35) -> None:
        """Fill a polygon; an opacity of 1 hides what is behind it."""
        self._path(f"{self._steps(corners)}z", f'class="f-{colour}" opacity="{opacity:g}"')

    def bar(self, low: Point, high: Point, colour: Colour, *, opacity: float = 0.35) -> None:
        """Fill a rectangle between its lower left and its upper right corner."""
        self.area([low, (low[0], high[1]), high, (high[0], low[1])], colour, opacity=opacity)

    def dots(self, centres: Iterable[Point], colour: Colour, *, radius: float = 2.0) -> None:
        """Draw diamonds around points, all of them as one path."""
        diamonds = (
            f"{self._steps([(x - radius, y), (x, y + radius), (x + radius, y), (x, y - radius)])}z" for x, y in centres
        )
        self._path("".join(diamonds), f'class="f-{colour}"')

    def text(self, position: Point, text: str, *, colour: Colour = "ink", align: Alignment = "start") -> None:
        """Write text whose baseline starts, is centred, or ends at a point."""
        x, y = position
        self._elements.append(
            f'<text x="{_number(x)}" y="{_number(self.height - y)}" text-anchor="{align}" class="f-{colour}">'
            f"{html.escape(text)}</text>"
        )

    def svg(self, title: str) -> str:
        """Return the picture as an SVG element.

        Args:
            title: A description of the picture, for screen readers and as a tooltip.
        """
        words = html.escape(title)
        return (
            f'<svg class="plot" viewBox="0 0 {self.width:g} {self.height:g}" role="img" aria-label="{words}">'
            f"<title>{words}</title>{''.join(self._elements)}</svg>"
        )

    def _path(self, steps: str, attributes: str) -> None:
        self._elements.append(f'<path d="{steps}" {attributes}/>')

    def _steps(self, points: Iterable[Point]) -> str:
        return "M" + "L".join(f"{_number(x)} {_number(self.height - y)}" for x, y in points)


def scale(low: float, high: float, first: float, last: float) -> Callable[[float], float]:
    """Return the function that maps values from `low` to `high` linearly to positions from `first` to `last`."""
    return lambda value: first + (value - low) / (high - low) * (last - first)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
