"""Measures what speed alone does not show: the quality of retrieval, and how often the semantic tier is wrong."""
