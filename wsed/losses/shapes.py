"""Checks of shapes, since torch would broadcast wrong shapes without an error."""

from torch import Tensor

from wsed.errors import WsedError
from wsed.ops import host


def check_shapes(
    loss: str, scores: Tensor, tags: Tensor, valid: Tensor | None = None, known: Tensor | None = None
) -> None:
    """Check the arguments of a functional loss against the shape of its scores.

    Args:
        loss: name of the loss, for the message.
        scores: `[clip label]` or `[clip frame label]`.
        tags: `[clip label]`.
        valid: `[clip frame]`.
        known: `[clip label]`, tags or classes that are known.

    Raises:
        WsedError: a shape does not fit, or the scores are not floating-point numbers.

    >>> import torch
    >>> check_shapes("mil", torch.rand(2, 10, 3), torch.ones(1, 3))
    Traceback (most recent call last):
    wsed.errors.WsedError: mil: tags must be [clip label], here (2, 3), not (1, 3)
    """
    if scores.ndim not in (2, 3) or not scores.is_floating_point():
        kind = str(scores.dtype).removeprefix("torch.")
        raise WsedError(
            f"{loss}: scores must be floating-point probabilities, [clip label] or [clip frame label], not {kind} of "
            f"shape {tuple(scores.shape)}"
        )
    clips, labels = scores.shape[0], scores.shape[-1]
    if scores.ndim == 3 and tags.shape == scores.shape[:2] and tags.shape != (clips, labels):
        raise WsedError(f"{loss}: scores seem transposed, {tuple(scores.shape)}; they must be [clip frame label]")
    for name, axes, value, shape in (
        ("tags", "[clip label]", tags, (clips, labels)),
        ("valid", "[clip frame]", valid, (clips, scores.shape[1])),
        ("known tags", "[clip label]", known, (clips, labels)),
    ):
        if value is not None and tuple(value.shape) != shape:
            raise WsedError(f"{loss}: {name} must be {axes}, here {shape}, not {tuple(value.shape)}")


def check_probabilities(loss: str, scores: Tensor) -> None:
    """Refuse logits where probabilities are asked for; on an accelerator nothing is checked, since it would wait.

    Raises:
        WsedError: a score is below 0 or above 1, by more than rounding.

    >>> import torch
    >>> check_probabilities("mil", torch.tensor([[-2.0, 3.0]]))
    Traceback (most recent call last):
    wsed.errors.WsedError: mil: scores must be probabilities, in [0, 1]; give logits.sigmoid()
    """
    if host.on_cpu(scores) and bool(((scores < -1e-3) | (scores > 1 + 1e-3)).any()):
        raise WsedError(f"{loss}: scores must be probabilities, in [0, 1]; give logits.sigmoid()")
