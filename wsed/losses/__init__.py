"""Losses by registry name; the pure functions are in `wsed.losses.functional`."""
