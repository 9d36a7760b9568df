"""SQLite: a query by key range, in memory."""

import sqlite3

REPEATS = 100
CONNECTION = sqlite3.connect(":memory:")
CONNECTION.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, price REAL)")
CONNECTION.executemany("INSERT INTO item VALUES (?, ?, ?)", [(key, f"name {key}", key / 3) for key in range(1000)])


def work() -> int:
    """Repeat the unit of work."""
    found = 0
    for _ in range(REPEATS):
        rows = CONNECTION.execute("SELECT name, price FROM item WHERE id BETWEEN ? AND ?", (400, 415))
        found = len(rows.fetchall())
    return found
