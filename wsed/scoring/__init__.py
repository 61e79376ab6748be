"""Scores and truth in, a report out: evaluation, the formats it reads, and the packages of the field beside it."""
