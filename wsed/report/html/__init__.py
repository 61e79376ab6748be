"""The report of `wsed report`: one HTML page with scores, charts and a browser of clips, that needs no network."""
