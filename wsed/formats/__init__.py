"""Exchange formats of events: one module a format, which reads it and writes it."""
