"""Starting weights."""

from torch import nn


def keras_init(module: nn.Module) -> None:
    """The starting weights of Keras: Glorot uniform, orthogonal recurrent matrices, zero biases.

    The paper's networks were trained with them. torch's own are smaller, and over a GRU and two dense layers that
    multiplies: the max-pooled MIL loss, whose gradient reaches one frame per clip, then learns nothing but the class
    priors for the first few hundred steps.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.GRU):
            for name, weight in part.named_parameters():
                start = nn.init.xavier_uniform_ if "weight_ih" in name else nn.init.orthogonal_
                for gate in weight.data.chunk(3):
                    nn.init.zeros_(gate) if "bias" in name else start(gate)


def he_init(module: nn.Module) -> None:
    """Normal weights of variance `2 / inputs`, zero biases (He et al. 2015), for layers that a ReLU follows."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv1d | nn.ConvTranspose1d):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)
