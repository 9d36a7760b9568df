"""The text and data formats of the report."""
