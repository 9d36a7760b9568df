"""JSON: write a record and read it back."""

import json
from typing import Any

REPEATS = 100
RECORD: dict[str, Any] = {"id": 17, "name": "a name", "tags": ["one", "two", "three"], "price": 19.5, "sold": None}


def work() -> Any:
    """Repeat the unit of work."""
    record: Any = RECORD
    for _ in range(REPEATS):
        record = json.loads(json.dumps(RECORD))
    return record
