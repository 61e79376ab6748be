"""The page of `wsed demo`: it shows the events in a sound file or a recording from the microphone."""
