"""Measures how often the guilty function is ranked first, over many kinds of change."""
