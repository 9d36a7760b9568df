"""Sorting: floats in the same shuffled order each time."""

REPEATS = 100
NUMBERS = [(number * 7919 % 1009) / 8 for number in range(120)]


def work() -> int:
    """Repeat the unit of work."""
    count = 0
    for _ in range(REPEATS):
        count = len(sorted(NUMBERS))
    return count
