"""Exceptions: raised some calls deep, and caught."""

REPEATS = 100


def dive(depth: int) -> None:
    """Call oneself, and raise at the bottom.

    Raises:
        KeyError: Always.
    """
    if depth == 0:
        raise KeyError(depth)
    dive(depth - 1)


def work() -> int:
    """Repeat the unit of work."""
    caught = 0
    for _ in range(REPEATS):
        try:
            dive(4)
        except KeyError:
            caught += 1
    return caught
