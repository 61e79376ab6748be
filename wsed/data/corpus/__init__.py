"""Corpora: the clips of data sets with their tags and events."""
