"""Which tests are benchmarks, and when they run."""
