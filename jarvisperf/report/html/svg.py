"""A small inline SVG: lines and areas by matplotlib, words, and a text in the picture's place.

A figure with axes costs matplotlib 10 ms and more, too much for a page with two pictures for each of a thousand
benchmarks; paths straight on its SVG renderer cost a tenth. What it writes is made fit for a page with a strict
Content-Security-Policy: no style attributes, no identifiers that could clash, and colours by class, so that light and
dark are the page's affair.
"""

from __future__ import annotations

import html
import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.backends.backend_svg import RendererSVG

# Stand-ins for the page's colours: matplotlib wants values, the page has classes.
COLOURS = {
    "base": "#010101",
    "head": "#020202",
    "bad": "#030303",
    "good": "#040404",
    "faint": "#050505",
    "ink": "#060606",
    "warn": "#070707",
}
_CLASS = {value: name for name, value in COLOURS.items()}
_DPI = 72
_PATH = re.compile(r'<path d="([^"]*)"[^>]*? style="([^"]*)"')
_DIGITS = re.compile(r"-?\d+\.\d+")
_ATTRIBUTES = {"fill", "stroke", "stroke-width", "stroke-dasharray", "fill-opacity", "opacity"}


class Drawing:
    """A picture in points; x grows to the right, y upwards.

    Args:
        width: Points.
        height: Points.
    """

    def __init__(self, width: float, height: float) -> None:
        from matplotlib.backends.backend_svg import RendererSVG

        self.width, self.height = width, height
        self._stream = io.StringIO()
        self._renderer: RendererSVG = RendererSVG(width, height, self._stream, image_dpi=_DPI)
        self._words: list[str] = []

    def line(
        self, xs: Sequence[float], ys: Sequence[float], colour: str, *, width: float = 1.5, dashed: bool = False
    ) -> None:
        """Draw a line through points."""
        context = self._renderer.new_gc()
        context.set_foreground(COLOURS[colour])
        context.set_linewidth(width)
        if dashed:
            context.set_dashes(0, [3, 3])
        self._draw(context, list(zip(xs, ys, strict=True)), None)

    def area(self, corners: Sequence[tuple[float, float]], colour: str, *, opacity: float = 0.35) -> None:
        """Fill a polygon."""
        context = self._renderer.new_gc()
        context.set_linewidth(0)
        context.set_alpha(opacity)
        self._draw(context, corners, COLOURS[colour])

    def dots(self, xs: Sequence[float], ys: Sequence[float], colour: str, *, radius: float = 2.0) -> None:
        """Draw dots, as squares on their corner: all of them are one path."""
        from matplotlib.path import Path

        corners = [
            (x + right * radius, y + up * radius)
            for x, y in zip(xs, ys, strict=True)
            for right, up in ((-1, 0), (0, 1), (1, 0), (0, -1), (-1, 0))
        ]
        codes = [int(step) for step in (Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY)] * len(xs)
        context = self._renderer.new_gc()
        context.set_linewidth(0)
        self._draw(context, corners, COLOURS[colour], codes)

    def words(self, x: float, y: float, text: str, *, colour: str = "ink", align: str = "start") -> None:
        """Write a text with its baseline at a point; `align` is ``start``, ``middle`` or ``end``."""
        self._words.append(
            f'<text x="{x:.1f}" y="{self.height - y:.1f}" text-anchor="{align}" class="f-{colour}">'
            f"{html.escape(text)}</text>"
        )

    def svg(self, title: str) -> str:
        """Give the picture as an SVG element.

        Args:
            title: What it shows, in words: the alternative for those who do not see it.
        """
        paths = "".join(_path(match) for match in _PATH.finditer(self._stream.getvalue()))
        words = html.escape(title)
        return (
            f'<svg class="plot" viewBox="0 0 {self.width:g} {self.height:g}" role="img" aria-label="{words}">'
            f"<title>{words}</title>{paths}{''.join(self._words)}</svg>"
        )

    def _draw(
        self, context: object, corners: Sequence[tuple[float, float]], fill: str | None, codes: list[int] | None = None
    ) -> None:
        from matplotlib.colors import to_rgb
        from matplotlib.path import Path
        from matplotlib.transforms import IdentityTransform

        if corners:
            self._renderer.draw_path(context, Path(corners, codes), IdentityTransform(), to_rgb(fill) if fill else None)


def _path(match: re.Match[str]) -> str:
    """Write a path with its style as attributes, its colours as classes, and its numbers short."""
    classes: list[str] = []
    attributes: list[str] = []
    for rule in match[2].split(";"):
        name, _, value = (part.strip() for part in rule.partition(":"))
        if value in _CLASS:
            classes.append(f"{name[0]}-{_CLASS[value]}")
        elif name in _ATTRIBUTES:
            attributes.append(f' {name}="{value}"')
    steps = _DIGITS.sub(lambda number: f"{float(number[0]):.1f}".removesuffix(".0"), " ".join(match[1].split()))
    shown = f' class="{" ".join(classes)}"' if classes else ""
    return f'<path d="{steps}"{shown}{"".join(attributes)}/>'
