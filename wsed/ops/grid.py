"""From events in seconds to a grid of frames."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.types import Events


def rasterise(
    events: Events, n_clips: int, n_labels: int, n_frames: int, frame_rate: float
) -> Float[Tensor, "clip frame label"]:
    """Events as frame labels, on the device of the events.

    Frame `i` covers the seconds `[i, i + 1) / frame_rate`; it is labelled with the share of `gain` of the loudest
    event whose rounded borders hold it. Borders are rounded to the nearest frame border, and an event is never
    shorter than one frame, so that short events survive slow grids. Parts outside the grid are cut.

    Returns:
        float32 in [0, 1]; 1 where an event of gain 1 is active.
    """
    first = (events.onset * frame_rate).round()
    last = torch.maximum((events.offset * frame_rate).round(), first + 1)
    frames = torch.arange(n_frames, device=events.onset.device)
    active = (frames >= first[:, None]) & (frames < last[:, None])
    values = active.float() * events.gain[:, None].float()
    grid = values.new_zeros(n_clips * n_labels, n_frames)
    rows = (events.clip * n_labels + events.label)[:, None].expand(-1, n_frames)
    grid.scatter_reduce_(0, rows, values, "amax")
    return grid.view(n_clips, n_labels, n_frames).transpose(1, 2)


def valid_frames(n_samples: Int[Tensor, " clip"], hop: int, n_frames: int) -> Bool[Tensor, "clip frame"]:
    """Which frames of a centred grid hold signal: frame `i` is centred on sample `i * hop` of its clip."""
    return torch.arange(n_frames, device=n_samples.device) <= torch.div(n_samples, hop, rounding_mode="floor")[:, None]
