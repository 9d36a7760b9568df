"""Profiles: where the time or the memory of a benchmark goes, and what differs between two of them."""
