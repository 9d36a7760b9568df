"""Measures in the event loop that an async test or its fixtures use."""
