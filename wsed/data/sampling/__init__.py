"""Samplers: which training clips form which batch."""
