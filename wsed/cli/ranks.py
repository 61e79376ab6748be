"""Which process of a training this is, before there is a trainer to ask."""

import os
import platform

NAMES = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")
"""Variables in which torchrun, Lightning and SLURM set the rank of each process: 0 in the first."""


def is_first() -> bool:
    """Whether this is the first process of a training.

    >>> is_first()
    True
    """
    return all(os.environ.get(name, "0") == "0" for name in NAMES)


def place() -> tuple[int, int]:
    """The rank of this process and the number of processes, as torchrun or srun tell them.

    >>> place()
    (0, 1)
    """
    for rank, ranks in (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS")):
        if rank in os.environ and ranks in os.environ:
            return int(os.environ[rank]), int(os.environ[ranks])
    return 0, 1


def whose() -> str:
    """Text to add to an error message: which of several processes it is from, and on which machine.

    Empty for one process, and for processes that Lightning starts itself.

    >>> whose()
    ''
    """
    try:
        rank, ranks = place()
    except ValueError:  # other programs, too, may have such variables
        return ""
    return f" (process {rank} of {ranks}, on {platform.node()})" if ranks > 1 else ""
