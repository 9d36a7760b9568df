"""Makes what the site does not have as a file: the reference, the start page, and links out of `docs/`."""
