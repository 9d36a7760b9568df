"""Dictionaries: count words."""

REPEATS = 100
WORDS = [f"word{number % 23}" for number in range(60)]


def work() -> int:
    """Repeat the unit of work."""
    kinds = 0
    for _ in range(REPEATS):
        counts: dict[str, int] = {}
        for word in WORDS:
            counts[word] = counts.get(word, 0) + 1
        kinds = len(counts)
    return kinds
