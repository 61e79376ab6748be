"""Readers: they read the samples or the features of clips."""
