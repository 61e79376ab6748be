"""Active stretches of recordings."""

import numpy as np

from tests.data.synth.tones import RATE, sound, tone
from wsed.data.synth.activity import active_stretches


def test_pauses_split_events_and_short_gaps_are_closed() -> None:
    spans = active_stretches(sound("knock", 2000), RATE)
    np.testing.assert_allclose(spans, [(0.0, 0.15), (0.55, 0.95)], atol=0.021)


def test_steady_sound_is_active_throughout() -> None:
    assert active_stretches(tone(300, 1.0), RATE) == [(0.0, 1.0)]
