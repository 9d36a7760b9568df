"""Which eviction policy the memory tier should have: hit ratios on traces."""
