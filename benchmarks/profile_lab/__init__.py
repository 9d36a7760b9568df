"""How often the difference of two profiles names the function that became slower."""
