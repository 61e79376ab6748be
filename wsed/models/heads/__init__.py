"""Heads, one per file."""
