"""Decorators that keep the results of functions in a cache."""
