"""What several formats show: the report's rows and lines, units, pairs and reasons."""
