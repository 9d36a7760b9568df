"""What happens when a test hands over its target."""
