"""Picture, sound and score curves of a clip, small enough for a page with hundreds of clips."""

import base64
import io
from collections.abc import Sequence

import numpy as np
import soundfile
import torch
from jaxtyping import Float, UInt8

from wsed.data import audio
from wsed.models.frontends import LogMel
from wsed.report.html.shown import Shown, Sound
from wsed.scoring.plain import Plain
from wsed.values import Scores

RATE = 16000
"""Sample rate of sounds and pictures, Hz."""
COLUMNS = 320
"""Greatest number of columns of a picture."""
POINTS = 200
"""Greatest number of points of a curve."""
CURVES = 8
"""Greatest number of curves of a clip."""
FURTHER = 2
"""Curves of the classes with the highest scores, beside those with events."""
LONGEST = 60.0
"""Seconds of a clip beyond which its sound is left out."""
DARK, BRIGHT = 0.25, 0.998
"""Quantiles of the values of a picture that are dark and bright."""


def samples(sound: Sound, seconds: float) -> Float[np.ndarray, " sample"]:
    """The sound of a clip.

    Raises:
        WsedError: the file is missing or cannot be read.
    """
    return audio.read(sound.path, RATE, sound.start, seconds)


def picture(wave: Float[np.ndarray, " sample"], frontend: LogMel) -> str:
    """The log-mel spectrogram as a grey JPEG in base64, low bands at the bottom.

    >>> picture(np.random.default_rng(0).standard_normal(16000).astype(np.float32), frontend()).startswith("/9j/")
    True
    """
    with torch.no_grad():
        bands, _ = frontend(torch.from_numpy(wave)[None], torch.tensor([wave.size]))
    table = pooled(bands[0].numpy().T, COLUMNS).T
    low, high = np.quantile(table, (DARK, BRIGHT))
    grey = np.clip(255 * (table - low) / max(high - low, 1e-6), 0, 255).astype(np.uint8)
    return jpeg(grey[::-1])


def frontend() -> LogMel:
    """The frontend of pictures: 64 mel bands, 50 steps per second."""
    return LogMel(sample_rate=RATE, n_fft=1024, hop_length=320, n_bands=64, f_max=RATE / 2)


def jpeg(grey: UInt8[np.ndarray, "row column"]) -> str:
    """A grey picture as JPEG in base64."""
    from matplotlib.image import imsave  # slow to import

    file = io.BytesIO()
    imsave(file, grey, format="jpg", cmap="gray", vmin=0, vmax=255, pil_kwargs={"quality": 55})
    return base64.b64encode(file.getvalue()).decode()


def mp3(wave: Float[np.ndarray, " sample"]) -> str:
    """A sound as MP3 in base64, scaled so that it can be heard."""
    peak = float(np.abs(wave).max(initial=0.0))
    loud = wave * (0.7 / peak) if peak > 0 else wave
    file = io.BytesIO()
    soundfile.write(file, loud, RATE, format="MP3", subtype="MPEG_LAYER_III", compression_level=0.9)
    return base64.b64encode(file.getvalue()).decode()


def pooled(table: Float[np.ndarray, "step column"], most: int) -> Float[np.ndarray, "few column"]:
    """At most `most` steps: the greatest value of each of several equal parts.

    >>> pooled(np.array([[0.0], [1.0], [2.0], [3.0]]), 2).ravel().tolist()
    [1.0, 3.0]
    """
    if len(table) <= most:
        return table
    first = np.arange(most) * len(table) // most
    greatest: Float[np.ndarray, "few column"] = np.maximum.reduceat(table, first, axis=0)
    return greatest


def curves(shown: Shown, clip: int, names: Sequence[str], sound: Sound | None = None) -> Plain | None:
    """The curves of some classes in a clip, as bytes in base64, one class after the other; None without frame scores.

    Args:
        shown: the system.
        clip: index of the clip in `shown.clip_ids`.
        names: classes of events in the clip; a few classes with high scores follow.
        sound: the sound of the clip, from which attention is computed; None: no attention.
    """
    if shown.curves is None:
        return None
    one, labels = shown.curves.select(torch.tensor([clip])), shown.labels.names
    frames = regular(one)
    if not len(frames):
        return None
    known = [labels.index(name) for name in dict.fromkeys(names)]
    highest = [int(i) for i in np.argsort(-frames.max(0), kind="stable")[:FURTHER] if frames[:, i].max() > 0.1]
    chosen = list(dict.fromkeys([*known, *highest]))[:CURVES]
    plain: dict[str, object] = {
        "labels": [labels[i] for i in chosen],
        "points": len(frames),
        "values": as_bytes(frames[:, chosen]),
        "thresholds": [round(shown.thresholds[i], 4) for i in chosen] if shown.thresholds else [],
    }
    if shown.attention is not None and sound is not None:
        weights = regular(shown.attention.of(sound, float(one.durations[0])), len(frames))
        plain["attention"] = as_bytes(weights[:, chosen])
    return plain


def regular(scores: Scores, n_points: int | None = None) -> Float[np.ndarray, "point label"]:
    """The curves of one clip in [0, 1] at regular times: `n_points`, or at most `POINTS` if None.

    >>> regular(Scores.of_clips(["a.wav"], [torch.tensor([[0.0], [0.5], [1.0]])], frame_rate=1.0), 2).ravel().tolist()
    [0.0, 1.0]
    """
    frames = scores.need_frames()[0].double().numpy()
    if len(frames) and (scores.borders is not None or n_points is not None):
        n_points = n_points or POINTS
        grid = (np.arange(n_points) + 0.5) / n_points * float(scores.durations[0])
        borders = np.arange(1, len(frames)) / scores.frame_rate if scores.borders is None else scores.borders[1:-1]
        frames = frames[np.searchsorted(np.asarray(borders), grid, side="right")]
    clipped: Float[np.ndarray, "point label"] = np.clip(np.nan_to_num(pooled(frames, POINTS), neginf=0.0), 0.0, 1.0)
    return clipped


def as_bytes(table: Float[np.ndarray, "point label"]) -> str:
    """Values in [0, 1] as bytes in base64, label by label."""
    return base64.b64encode((table.T * 255).round().astype(np.uint8).tobytes()).decode()
