"""Searches: requests, retrieval, ranking, and context."""
