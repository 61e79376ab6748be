"""Corpora: which clips there are, and what is known of each."""
