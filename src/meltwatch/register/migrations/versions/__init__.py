"""One script for each version, each told what it follows."""
