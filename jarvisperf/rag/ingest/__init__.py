"""From files and texts to records in the store."""
