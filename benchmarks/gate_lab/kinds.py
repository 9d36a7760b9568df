"""The kinds of work: small modules that repeat one unit of work `REPEATS` times."""

from __future__ import annotations

import re
from pathlib import Path

WORK_FOLDER = Path(__file__).with_name("work")
BASE_REPEATS = 100  # a whole number of repetitions for every factor of whole per cent
FINE_SCALE = 2  # with twice as many, for every factor of half a per cent
LARGER_SCALES = 8
ONE_SCALE = {"threads", "arrays", "tasks", "files"}  # a hundred units of theirs take milliseconds as it is

_REPEATS_LINE = re.compile(rf"^REPEATS = {BASE_REPEATS}$", re.MULTILINE)


def kinds() -> tuple[str, ...]:
    """Return the names of the kinds of work."""
    return tuple(sorted(path.stem for path in WORK_FOLDER.glob("*.py")))


def scales(kind: str, smallest: int = 1) -> tuple[int, ...]:
    """Return the sizes of a kind: from calls of a fraction of a slice to calls of several slices.

    Args:
        kind: The kind of work.
        smallest: The first of them; `FINE_SCALE` where factors are of half a per cent.
    """
    return (smallest,) if kind in ONE_SCALE else (smallest, LARGER_SCALES)


def repeats(scale: int, factor: float) -> int:
    """Return how often the unit is repeated.

    Raises:
        ValueError: The factor gives no whole number of repetitions.
    """
    exact = BASE_REPEATS * scale * factor
    if abs(exact - round(exact)) > 1e-6:
        raise ValueError(
            f"factor {factor} is not allowed with {BASE_REPEATS * scale} repetitions, "
            "give whole per cent or a larger scale"
        )
    return round(exact)


def source(kind: str, scale: int, factor: float) -> str:
    """Return the module's text for one side.

    Raises:
        ValueError: The module has no line that says how often it repeats.
    """
    text = (WORK_FOLDER / f"{kind}.py").read_text(encoding="utf-8")
    changed, count = _REPEATS_LINE.subn(f"REPEATS = {repeats(scale, factor)}", text)
    if count != 1:
        raise ValueError(f"{kind}.py has {count} lines 'REPEATS = {BASE_REPEATS}', it must have one")
    return changed
