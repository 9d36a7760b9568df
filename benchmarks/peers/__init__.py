"""Side by side with others, in environments of their own (`tox run -e peers`)."""
