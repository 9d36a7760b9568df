"""The entry point that pytest loads: options and hooks."""
