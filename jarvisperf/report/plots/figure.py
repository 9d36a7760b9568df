"""Figures as PNG and SVG files, drawn by matplotlib without a window and without a global list of figures."""

from __future__ import annotations

import io
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jarvisperf.runs.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PNG_DPI = 150
LONGEST_NAME = 60
# Orange and blue of Okabe and Ito's palette: apart for colour-blind readers and in grey.
BASE_COLOUR, HEAD_COLOUR = "#E69F00", "#0072B2"
WORSE_COLOUR, BETTER_COLOUR = "#D55E00", "#009E73"


@contextmanager
def drawing_style() -> Iterator[None]:
    """Draw and save with the same settings: equal data give equal files."""
    import matplotlib as mpl

    # A dollar sign in a name is no formula.
    settings = {"svg.hashsalt": "jarvisperf", "font.size": 9, "svg.fonttype": "none", "text.parse_math": False}
    with mpl.rc_context(settings), warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes; the other formats show it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield


def new_figure(width: float, height: float) -> Any:
    """Make a figure, in inches, without pyplot: that keeps every figure in a global list and may open a window."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def encoded(figure: Any, kind: str) -> bytes:
    """Give a figure as a file's bytes; `kind` is ``png`` or ``svg``."""
    stream = io.BytesIO()
    options: dict[str, Any] = {"dpi": PNG_DPI} if kind == "png" else {"metadata": {"Date": None}}
    figure.savefig(stream, format=kind, **options)
    return stream.getvalue()


def figure_files(name: str) -> tuple[str, ...]:
    """Give the files of a picture, relative to the report's folder."""
    return f"plots/{name}.png", f"plots/{name}.svg"


def write_figure(figure: Any | None, folder: Path, name: str) -> list[Path]:
    """Write `plots/NAME.png` and `.svg`; where there is no figure, those of an earlier run are removed.

    Raises:
        OSError: The folder cannot be made or written.
    """
    paths = [folder / file for file in figure_files(name)]
    for path in paths:
        if figure is None:
            path.unlink(missing_ok=True)
        else:
            write_whole(path, encoded(figure, path.suffix[1:]))
    return paths if figure is not None else []


def shortened(name: str) -> str:
    """Give a name that fits beside a picture."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
