"""After lockstep, finds out why: runs benchmarks in both arms again, to count their calls and to profile them."""

__all__: list[str] = []
