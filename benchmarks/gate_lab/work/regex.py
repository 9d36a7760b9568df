"""Regular expressions: find the fields of a line."""

import re

REPEATS = 100
PATTERN = re.compile(r"(\w+)=(\d+|\"[^\"]*\")")
LINE = 'level=3 user="someone" path="/a/b/c" status=200 bytes=5120 agent="a browser" took=17'


def work() -> int:
    """Repeat the unit of work."""
    found = 0
    for _ in range(REPEATS):
        found = len(PATTERN.findall(LINE))
    return found
