"""Frontends, encoders, heads and networks, by registry name."""
