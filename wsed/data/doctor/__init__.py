"""The checks of `wsed data check`: defects of a corpus that would stop a training or make its scores wrong."""
