"""What is so now, as the core tells it: a picture, then deltas by number; a gap: a new picture."""
