"""Scores, tables and pictures of a run."""
