"""The Redis server behind the fixtures."""
