"""Bytecode: arithmetic on small integers in a loop."""

REPEATS = 100


def work() -> int:
    """Repeat the unit of work."""
    total = 0
    for _ in range(REPEATS):
        for number in range(25):
            total = (total + number * number) & 0xFFFF
    return total
