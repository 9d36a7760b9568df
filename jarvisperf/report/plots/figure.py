"""Figures as PNG and SVG, drawn by matplotlib without a window and without its global list of figures."""

from __future__ import annotations

import io
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

PNG_DPI = 150
LONGEST_NAME = 60
# Colours of Okabe and Ito's palette, which colour-blind readers can tell apart, also in greyscale.
BASE_COLOUR, HEAD_COLOUR = "#E69F00", "#0072B2"
WORSE_COLOUR, BETTER_COLOUR = "#D55E00", "#009E73"
UNDECIDED_COLOUR, CALM_COLOUR = "#AA4499", "#5F6B7D"
VERDICT_LOOKS = {  # colour and marker, so that the verdicts differ without colours as well
    "regressed": (WORSE_COLOUR, "^"),
    "improved": (BETTER_COLOUR, "v"),
    "inconclusive": (UNDECIDED_COLOUR, "D"),
    "unchanged": (CALM_COLOUR, "o"),
}


@contextmanager
def drawing_style() -> Iterator[None]:
    """Draw and save with fixed settings, so that equal data produce equal files."""
    import matplotlib as mpl

    # A dollar sign in a name does not start a formula.
    settings = {"svg.hashsalt": "jarvisperf", "font.size": 9, "svg.fonttype": "none", "text.parse_math": False}
    with mpl.rc_context(settings), warnings.catch_warnings():
        # The font lacks some scripts and draws boxes for them; the other formats show those names.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield


def new_figure(width: float, height: float) -> Any:
    """Create a figure, sized in inches, without pyplot, which keeps figures in a global list and may open a window."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def encoded(figure: Any, kind: str) -> bytes:
    """Return a figure as the content of a file; `kind` is ``png`` or ``svg``."""
    stream = io.BytesIO()
    options: dict[str, Any] = {"dpi": PNG_DPI} if kind == "png" else {"metadata": {"Date": None}}
    figure.savefig(stream, format=kind, **options)
    return stream.getvalue()


def figure_files(name: str) -> tuple[str, ...]:
    """Return the names of a picture's files, relative to the report's folder."""
    return f"plots/{name}.png", f"plots/{name}.svg"


def figure_contents(figure: Any | None, name: str) -> dict[str, bytes]:
    """Return both files of a picture by name; empty if there is no figure."""
    return {} if figure is None else {file: encoded(figure, file[-3:]) for file in figure_files(name)}


def shortened(name: str) -> str:
    """Shorten a name so that it fits next to a picture."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
