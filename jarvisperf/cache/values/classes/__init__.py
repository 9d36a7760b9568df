"""How instances of classes are stored: declared classes, pydantic models, and tables."""
