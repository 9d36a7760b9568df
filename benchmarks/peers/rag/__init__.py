"""One script per side; each runs in its own processes."""
