"""Which process of a training this is, before there is a trainer to ask."""

import os

NAMES = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")
"""Variables in which torchrun, Lightning and SLURM set the rank of each process: 0 in the first."""


def is_first() -> bool:
    """Whether this is the first process of a training.

    >>> is_first()
    True
    """
    return all(os.environ.get(name, "0") == "0" for name in NAMES)
