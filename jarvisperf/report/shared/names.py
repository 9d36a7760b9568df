"""Names of benchmarks for people: without what all have in common, and short enough for a column."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from typing import TYPE_CHECKING

from jarvisperf.escaping import visible
from jarvisperf.measure.metrics import TIME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FEWEST_COLUMNS = 8
MOST_COMPARED = 200  # every name is compared with every other
PARAMETER_WEIGHT = 3.0  # parameters often are all that tells the rows of one test apart
BRACKET_WEIGHT = 5.0  # without it, parameters do not look like parameters
_WORD = re.compile(r"[^\W_]+|[\W_]")


def short_names(ids: Sequence[str]) -> dict[str, str]:
    """Return the display name of each id: the part after its file if that is unique, otherwise with the file.

    Folders that all files with such names have in common are left out.
    """
    short = {whole: whole.partition("::")[2] or whole for whole in ids}
    taken = Counter(short.values())
    shared = [whole for whole, name in short.items() if taken[name] > 1]
    start = len(_common_folder(shared))
    names = {whole: visible(name if taken[name] == 1 else whole[start:]) for whole, name in short.items()}
    if len(set(names.values())) < len(names):  # one contains a line break, say, and another the text "\\n"
        return {whole: f"{visible(whole)} ({number})" for number, whole in enumerate(ids, 1)}
    return names


def label(name: str, metric_name: str) -> str:
    """Return a display name that includes the metric unless it is time."""
    return name if metric_name == TIME.name else f"{name} ({metric_name})"


def shortened(names: Sequence[str], columns: int, ellipsis: str = "…") -> list[str]:
    """Shorten names to the width of a column, so that those that differ still do.

    Of a name that is too long, the stretch of whole words is left out that says least: words that most of the names
    have, rather than parameters. If what is left would fit another name as well, what tells them apart is in the
    middle, and both ends are left out. A word is cut only if it alone is too wide.

    Args:
        names: Display names.
        columns: The width, in columns of a terminal; at least 8.
        ellipsis: Stands for what was left out.
    """
    from rich.cells import cell_len  # a Chinese character is two columns wide

    columns = max(columns, FEWEST_COLUMNS)
    words = {name: list(_words(name, columns - 2)) for name in names}
    counts = Counter(word for each in words.values() for word in set(each))
    shown: dict[str, str] = {name: name for name in words if cell_len(name) <= columns}
    used = set(shown.values())
    for name, its in words.items():
        if name in shown:
            continue
        weights = _weights(its, counts, len(words))
        choices = [one for one in _choices(its, weights, columns - cell_len(ellipsis), ellipsis) if one not in used]
        text = choices[0] if choices else None
        if text is not None and len(words) <= MOST_COMPARED and _fits_another(text, ellipsis, name, words):
            middle = _middles(its, weights, columns - 2 * cell_len(ellipsis), ellipsis)
            better = (one for one in (*choices, *middle) if not _fits_another(one, ellipsis, name, words))
            text = next((one for one in better if one not in used), text)
        shown[name] = text if text is not None else _numbered(name, columns, ellipsis, used)
        used.add(shown[name])
    return [shown[name] for name in names]


def _common_folder(ids: Sequence[str]) -> str:
    """Return the folder that the files of all ids are in, with ``/``; empty if there is none."""
    folders = [whole.partition("::")[0].split("/")[:-1] for whole in ids]
    common = itertools.takewhile(lambda parts: len(set(parts)) == 1, zip(*folders, strict=False))
    return "".join(f"{parts[0]}/" for parts in common)


def _words(name: str, widest: int) -> Iterator[str]:
    """Split a name into words and single separators; words too wide for the column into characters."""
    from rich.cells import cell_len

    for word in _WORD.findall(name):
        if cell_len(word) > widest:
            yield from word
        else:
            yield word


def _weights(words: Sequence[str], counts: Counter[str], names: int) -> list[float]:
    """Weigh each word: by its length, how few names have it, and whether it belongs to a parameter."""
    weights = []
    in_parameters = False
    for word in words:
        in_parameters |= word == "["
        rarity = math.log((names + 1) / counts[word]) + 0.05
        size = len(word) if word.isalnum() else BRACKET_WEIGHT if word == "[" else 0.1
        weights.append(size * rarity * (PARAMETER_WEIGHT if in_parameters else 1.0))
    return weights


def _choices(words: Sequence[str], weights: Sequence[float], columns: int, ellipsis: str) -> Iterable[str]:
    """Yield the name without one stretch of words, the least loss first."""
    from rich.cells import cell_len

    widths = [cell_len(word) for word in words]
    excess = sum(widths) - columns
    stretches = []
    end = width = 0
    loss = 0.0
    for start in range(len(words)):
        while end < len(words) and width < excess:
            width += widths[end]
            loss += weights[end]
            end += 1
        if width < excess:
            break
        stretches.append((loss, start, end))
        width -= widths[start]
        loss -= weights[start]
    for _, start, end in sorted(stretches):
        yield f"{''.join(words[:start])}{ellipsis}{''.join(words[end:])}"


def _middles(words: Sequence[str], weights: Sequence[float], columns: int, ellipsis: str) -> Iterable[str]:
    """Yield the name without both its ends, the least loss first."""
    from rich.cells import cell_len

    widths = [cell_len(word) for word in words]
    last = len(words) - 1  # the last word is left out, as is the first
    windows = []
    end = 1
    for start in range(1, last):
        end = max(end, start)
        while end < last and sum(widths[start : end + 1]) <= columns:
            end += 1
        windows.append((-sum(weights[start:end]), start, end))
    for _, start, end in sorted(windows):
        yield f"{ellipsis}{''.join(words[start:end])}{ellipsis}"


def _fits_another(text: str, ellipsis: str, name: str, others: Iterable[str]) -> bool:
    """Return whether a shortened name could just as well be that of another."""
    first, _, rest = text.partition(ellipsis)
    middle, _, last = rest.rpartition(ellipsis)
    return any(
        other.startswith(first) and other.endswith(last) and middle in other for other in others if other != name
    )


def _numbered(name: str, columns: int, ellipsis: str, used: set[str]) -> str:
    """Cut a name and number it, if every way to shorten it looks like another name."""
    from rich.cells import set_cell_size

    number = 2
    while True:
        end = f"{ellipsis}#{number}"
        text = set_cell_size(name, max(columns - len(end), 1)).rstrip() + end
        if text not in used:
            return text
        number += 1
