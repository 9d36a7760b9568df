"""How benchmarks went over many stored runs, and where they changed."""
