"""Strings: join, replace, split, format."""

REPEATS = 100
WORDS = [f"word{number}" for number in range(20)]


def work() -> str:
    """Repeat the unit of work."""
    text = ""
    for _ in range(REPEATS):
        text = " ".join(WORDS).upper().replace("WORD", "w").strip()
        parts = text.split()
        text = f"{parts[0]}-{parts[-1]}-{len(parts):04d}"
    return text
