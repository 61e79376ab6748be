"""Readers: how a clip becomes samples or features."""
