"""The data doctor: what would stop or spoil a training on a corpus."""
