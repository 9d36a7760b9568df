"""Which tests are benchmarks (`recognition.py`), their records (`records.py`), and when they run."""
