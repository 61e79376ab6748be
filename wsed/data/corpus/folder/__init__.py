"""Your own recordings: sound files in a folder, with tags and events from tables, folders and label files."""
