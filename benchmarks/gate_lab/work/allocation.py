"""Allocation: many small objects, made and freed."""

REPEATS = 100


class Node:
    """A small object with a dictionary."""

    def __init__(self, value: int) -> None:
        self.value = value
        self.children = [value, value + 1]


def work() -> int:
    """Repeat the unit of work."""
    made = 0
    for _ in range(REPEATS):
        nodes = [Node(value) for value in range(20)]
        made = len(nodes)
    return made
