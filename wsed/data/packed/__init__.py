"""Packed audio: the samples of many sound files in a few large files, which are mapped into memory."""
