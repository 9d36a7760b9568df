"""Pictures as PNG and SVG files."""
