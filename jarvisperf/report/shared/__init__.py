"""Content shared by several formats: the report's rows and lines, units, pairs and reasons."""
