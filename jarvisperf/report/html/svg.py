"""Inline SVG pictures for the page: lines, areas, dots and text that fit any width without being distorted.

Positions across are shares of the width, and positions down are pixels; so a picture is as wide as its place on the
page, and its text and dots keep their size on a phone. Colours are classes of the page's style sheet (``s-head``
strokes, ``f-head`` fills). So the page chooses light or dark, and there are no style attributes, which its
Content-Security-Policy would block. All text passes through `escaped`.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Literal

from jarvisperf.escaping import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Colour = Literal["base", "head", "bad", "good", "warn", "calm", "faint", "line", "ink", "paper", "c1", "c2", "c3", "c4"]
Alignment = Literal["start", "middle", "end"]
Shape = Literal["round", "square"]
Point = tuple[float, float]

ACROSS = 1_000  # units of the inner coordinate system, which is stretched to the picture's width


class Drawing:
    """A picture; x is a share of the width from 0 (left) to 1 (right), y is in pixels from the top.

    Args:
        height: Pixels.
        is_stretched: Whether the picture is stretched to the height of its place on the page.
    """

    def __init__(self, height: float, *, is_stretched: bool = False) -> None:
        self.height, self.is_stretched = height, is_stretched
        self._shapes: list[str] = []
        self._texts: list[str] = []

    def line(self, points: Sequence[Point], colour: Colour, *, width: float = 1.5, dashed: bool = False) -> None:
        """Draw a line through points; `width` is in pixels."""
        dashes = ' stroke-dasharray="4 3"' if dashed else ""
        self._shape(_steps(points), f'class="s-{colour}" stroke-width="{width:g}"{dashes}')

    def vertical(self, x: float, top: float, bottom: float, colour: Colour, *, dashed: bool = False) -> None:
        """Draw a thin vertical line."""
        self.line([(x, top), (x, bottom)], colour, width=1, dashed=dashed)

    def area(self, corners: Sequence[Point], colour: Colour, *, opacity: float = 0.3) -> None:
        """Fill a polygon; an opacity of 1 hides what is behind it."""
        self._shape(f"{_steps(corners)}z", f'class="f-{colour}" opacity="{opacity:g}"')

    def ridge(self, corners: Sequence[Point], colour: Colour) -> None:
        """Draw a polygon with its outline, lightly filled."""
        self._shape(f"{_steps(corners)}z", f'class="f-{colour} s-{colour}" fill-opacity=".22" stroke-width="1.5"')

    def bar(
        self, left: float, right: float, top: float, bottom: float, colour: Colour, *, opacity: float = 0.3
    ) -> None:
        """Fill a rectangle."""
        self.area([(left, top), (right, top), (right, bottom), (left, bottom)], colour, opacity=opacity)

    def dots(
        self,
        centres: Iterable[Point],
        colour: Colour,
        *,
        size: float = 6.0,
        shape: Shape = "round",
        is_hollow: bool = False,
    ) -> None:
        """Draw dots of `size` pixels, all of them as one path: a line of no length has only its caps."""
        steps = "".join(f"M{_x(x)} {_number(y)}h0" for x, y in centres)
        if steps:
            self._shape(steps, f'class="s-{colour} {shape}" stroke-width="{size:g}"')
            if is_hollow:
                self._shape(steps, f'class="s-paper {shape}" stroke-width="{size - 3:g}"')

    def text(
        self,
        position: Point,
        text: str,
        *,
        colour: Colour = "ink",
        align: Alignment = "start",
        shift: float = 0.0,
    ) -> None:
        """Write text whose baseline starts, is centred, or ends at a point; `shift` moves it by pixels across."""
        x, y = position
        moved = f' dx="{shift:g}"' if shift else ""
        down = f'{_number(y / self.height * 100)}%" dy="4' if self.is_stretched else _number(y)
        self._texts.append(
            f'<text x="{_number(x * 100)}%" y="{down}"{moved} class="f-{colour} {align}">{escaped(text)}</text>'
        )

    def svg(self, title: str, span: tuple[float, float] | None = None) -> str:
        """Return the picture as an SVG element.

        Args:
            title: A description of the picture, for screen readers and as a tooltip.
            span: The places of the first and the last of its dots, for the page's script.
        """
        words = escaped(title)
        data = f' data-span="{span[0]:g} {span[1]:g}"' if span else ""
        height = "100%" if self.is_stretched else f"{self.height:g}"
        return (
            f'<svg class="plot" width="100%" height="{height}" role="img" aria-label="{words}"{data}>'
            f"<title>{words}</title>"
            f'<svg width="100%" height="{height}" viewBox="0 0 {ACROSS} {self.height:g}" preserveAspectRatio="none">'
            f"{''.join(self._shapes)}</svg>{''.join(self._texts)}</svg>"
        )

    def _shape(self, steps: str, attributes: str) -> None:
        self._shapes.append(f'<path d="{steps}" {attributes}/>')


def escaped(text: str) -> str:
    """Return text for an element or a quoted attribute, with characters that act written out."""
    return html.escape(visible(text))


def scale(low: float, high: float, first: float, last: float) -> Callable[[float], float]:
    """Return the function that maps values from `low` to `high` linearly to positions from `first` to `last`."""
    return lambda value: first + (value - low) / (high - low) * (last - first)


def _steps(points: Iterable[Point]) -> str:
    return "M" + "L".join(f"{_x(x)} {_number(y)}" for x, y in points)


def _x(share: float) -> str:
    return _number(share * ACROSS)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
