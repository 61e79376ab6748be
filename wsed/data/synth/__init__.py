"""Soundscapes mixed from recordings of single sounds, or from sounds made by formula."""
