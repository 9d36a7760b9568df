"""Compares the project with other libraries, in separate environments (`tox run -e peers`)."""
