"""Synthesis of soundscapes from recordings of isolated sounds, or from synthetic sounds."""
