"""Values found or computed once for all callers: one value, several, how long they live, and who performs the steps."""
