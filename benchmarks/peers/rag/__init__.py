"""One script per side, each run in processes of its own."""
