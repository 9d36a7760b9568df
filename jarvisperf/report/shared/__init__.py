"""What several formats use: table rows, units, and profiles."""
