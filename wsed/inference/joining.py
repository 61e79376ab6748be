"""`Joiner`: it averages the scores of overlapping windows with triangular weights."""

import torch
from jaxtyping import Float
from torch import Tensor

from wsed.errors import WsedError


class Joiner:
    """Joins the frame scores of the windows of a recording. The windows come in order; two of them are in memory.

    The weight of a window is greatest in its middle and least at its edges, where the network has context on one side
    only.

    >>> joiner = Joiner()
    >>> joiner.add(0, torch.zeros(4, 1)).shape
    torch.Size([0, 1])
    >>> joiner.add(2, torch.ones(4, 1)).flatten().tolist()
    [0.0, 0.0]
    >>> [round(score, 2) for score in joiner.rest().flatten().tolist()]
    [0.33, 0.67, 1.0, 1.0]
    """

    def __init__(self) -> None:
        self._first = 0
        self._sum: Tensor | None = None
        self._weight = torch.zeros(0)

    def add(self, start: int, scores: Float[Tensor, "frame label"]) -> Float[Tensor, "done label"]:
        """Add the scores of a window that begins at frame `start`; returns the scores that are final now."""
        done = self.before(start) if self._sum is not None else scores[:0]
        if self._sum is None:
            self._sum, self._first = scores.new_zeros(0, scores.shape[1]), start
        skip = max(self._first - start, 0)  # already decided, in a stream
        frame = torch.arange(len(scores))
        taper = torch.minimum(frame + 1, len(scores) - frame).float()
        at, longest = start + skip - self._first, start + len(scores) - self._first
        if at > len(self._weight):
            raise WsedError(f"windows leave a gap before frame {start}: make them overlap")
        grow = max(longest - len(self._weight), 0)
        self._sum = torch.nn.functional.pad(self._sum, (0, 0, 0, grow))
        self._weight = torch.nn.functional.pad(self._weight, (0, grow))
        self._sum[at:longest] += (scores * taper[:, None])[skip:]
        self._weight[at:longest] += taper[skip:]
        return done

    def before(self, frame: int) -> Float[Tensor, "done label"]:
        """Return the joined scores before a frame and drop them."""
        assert self._sum is not None
        n = min(max(frame - self._first, 0), len(self._weight))
        done = self._sum[:n] / self._weight[:n, None]
        self._sum, self._weight, self._first = self._sum[n:], self._weight[n:], self._first + n
        return done

    def rest(self) -> Float[Tensor, "done label"]:
        """Return all remaining scores."""
        return self.before(self._first + len(self._weight))
