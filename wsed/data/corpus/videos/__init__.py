"""Published lists that name parts of videos, and the sound files cut from them: AudioSet and DCASE 2017 task 4."""
