"""Assembly and the command line: the only room that chooses real things."""
