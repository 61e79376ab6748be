"""`wsed data VERB`: one module per verb, as in `wsed.cli`."""
