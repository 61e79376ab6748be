"""Small systems for the tests of the report, without a file."""

import torch

from wsed.decoding import StepDecoder
from wsed.report.html.shown import Shown
from wsed.report.html.thresholds import of_decoder
from wsed.scoring.score import score, system_of
from wsed.types import Events, Labels
from wsed.values import Scores, Truth

NASTY = "</script><img src=x onerror=alert(1)> & \"q\" 'a' <!-- @MEDIA@ @DATA@"
LABELS = Labels(["Dog", NASTY, "Cat"])


def shown(name="runs/a", seed=0, labels=LABELS, clip_ids=("a.wav", NASTY, "c.wav"), sounds=None):
    """A system with frame scores, three clips of 2 s, and events of two classes."""
    generator = torch.Generator().manual_seed(seed)
    events = Events.of([(0, 0, 0.2, 1.0), (0, 1, 0.9, 1.6), (1, 1, 0.0, 0.5), (2, 0, 1.0, 2.0)])
    truth = Truth.of_events(events, len(clip_ids), len(labels))
    active = events.rasterise(len(clip_ids), len(labels), 20, 10.0)
    frames = (0.6 * active + 0.6 * torch.rand(active.shape, generator=generator)).clamp(0, 1)
    scores = Scores.of_padded(frames, 10.0, clip_ids=clip_ids, clip_scores=frames.amax(1))
    decoder = StepDecoder()
    detected = decoder(scores)
    system = system_of(scores, truth, labels, decoder, detected.events)
    return Shown(
        name, labels, scores.clip_ids, detected.events, detected.confidence, scores.durations, system, score(system),
        curves=scores, thresholds=(0.5,) * len(labels), points=of_decoder(decoder, scores), scores=scores,
        sounds=sounds or {}, config="seed_everything: 0\n", facts={"wsed": "0.2.0", "command": ["wsed", "fit"]},
    )  # fmt: skip
