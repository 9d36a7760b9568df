"""Recognizes benchmarks (`recognition.py`), keeps their records (`records.py`), and decides when they run."""
