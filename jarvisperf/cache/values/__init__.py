"""Values as bytes: codec, envelope, and isolation in memory."""
