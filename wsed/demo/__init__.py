"""The page of `wsed demo`: events in a recording that is dropped on it or recorded."""
