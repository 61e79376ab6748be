"""The states of all random generators of a process, as plain values that a checkpoint can hold."""

import random
from typing import Any

import numpy as np
import torch

State = dict[str, Any]


def random_state(device: torch.device) -> State:
    """The states of the random generators of Python, numpy and torch, and of the device if it is a GPU.

    >>> state = random_state(torch.device("cpu"))
    >>> first = torch.rand(3)
    >>> set_random_state(state, torch.device("cpu"))
    >>> torch.equal(torch.rand(3), first)
    True
    """
    _, words, rest = random.getstate()
    _, keys, place, has_normal, normal = np.random.get_state()
    state: State = {
        "python": torch.tensor(words),
        "python_normal": rest,
        "numpy": torch.tensor(np.asarray(keys, dtype=np.int64)),
        "numpy_rest": (int(place), int(has_normal), float(normal)),
        "torch": torch.get_rng_state(),
    }
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_random_state(state: State, device: torch.device) -> None:
    """Restore the states that `random_state` returned."""
    random.setstate((3, tuple(state["python"].tolist()), state["python_normal"]))
    np.random.set_state(("MT19937", state["numpy"].numpy().astype(np.uint32), *state["numpy_rest"]))
    torch.set_rng_state(state["torch"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)


def seed_rank(rank: int) -> None:
    """Give each rank its own random numbers; those of rank 0 do not change.

    All ranks start with one seed, so that they build the same network. With it, dropout would drop the same elements.
    """
    if rank:
        seed = hash((torch.initial_seed(), rank)) % 2**32
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
