"""Measures retrieval that speed alone does not show: its quality, and how often the semantic tier is wrong."""
