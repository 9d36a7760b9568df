"""Embedders: which model, how it runs, and vectors by content."""
