"""Evaluation: reports from scores and truth, the formats that are read, and metrics by other packages."""
