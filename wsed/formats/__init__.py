"""Exchange formats of events: one module per format, which reads and writes it."""
