"""Reads what a web page says about a picture."""

from __future__ import annotations

import re
from typing import Any, Final

_FILE_NAME: Final = re.compile(r".*\.(?:png|jpe?g|gif|svg|webp|bmp)$", re.IGNORECASE | re.DOTALL)


def description_of(picture: Any) -> str:
    """Return the description of an ``img`` element, unless it is the name of its file."""
    text = str(picture.get("alt") or "")
    return "" if _FILE_NAME.match(text) else text
