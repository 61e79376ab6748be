"""Files that are scored: tables of events, operating points and frame scores, and what a run writes."""
