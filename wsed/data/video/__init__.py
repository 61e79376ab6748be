"""Corpora whose published lists name stretches of videos: AudioSet and DCASE 2017 task 4."""
