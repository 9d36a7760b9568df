"""Parts of the reader of web pages: what is removed, and tables."""
