"""The files of a run: reports, tables and pictures."""
