"""A metric and a report format for JarvisPerf."""
