"""Initial weights."""

import torch
from torch import Tensor, nn

from wsed.build import initial_weights_matter


def to_read(pretrained: str | None) -> str | None:
    """The file or folder of starting weights; None if there is none, or if other weights are loaded afterwards.

    >>> to_read("teacher2.pth")
    'teacher2.pth'
    """
    return pretrained if initial_weights_matter() else None


def keras_init(module: nn.Module) -> None:
    """Set the initial weights of Keras in place: Glorot uniform, orthogonal recurrent matrices, zero biases.

    Pellegrini & Cances 2019 trained with them. The default weights of torch are smaller. Through a GRU and two dense
    layers, that shrinks the output so much that the max-pooled MIL loss, whose gradient reaches one frame per clip,
    only learns the class priors for the first few hundred steps.

    >>> layer = nn.Linear(2, 2)
    >>> keras_init(layer)
    >>> layer.bias.tolist()
    [0.0, 0.0]
    """
    if not initial_weights_matter():
        return
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.GRU):
            for name, weight in part.named_parameters():
                initialise = nn.init.xavier_uniform_ if "weight_ih" in name else _orthogonal
                for gate in weight.data.chunk(3):
                    nn.init.zeros_(gate) if "bias" in name else initialise(gate)


def _orthogonal(square: Tensor) -> None:
    """As `nn.init.orthogonal_`, but in float64: in float32, the weights depend on the number of threads."""
    q, r = torch.linalg.qr(torch.empty_like(square).normal_().double())
    square.copy_(q * r.diagonal().sign())


def he_init(module: nn.Module) -> None:
    """Set the initial weights of He et al. 2015 in place: normal with variance `2 / inputs`, zero biases.

    They suit layers before a ReLU.

    >>> layer = nn.Linear(2, 2)
    >>> he_init(layer)
    >>> layer.bias.tolist()
    [0.0, 0.0]
    """
    if not initial_weights_matter():
        return
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv1d | nn.ConvTranspose1d):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)
