"""A small training in plain Python."""

from functools import partial

import lightning.pytorch as pl
from torch.utils.data import DataLoader

import wsed
from wsed import testing
from wsed.models.encoders.crnn import CRNN
from wsed.models.frontends import LogMel
from wsed.models.network import Composed

LABELS = wsed.Labels("abc")


def network(labels=LABELS):
    frontend = LogMel(8000, n_fft=256, hop_length=160, f_max=4000.0)
    return Composed(labels, partial(CRNN, channels=2, gru=2, dense=2), frontend=frontend)


def batches(n=4):
    """Batches of noise, as a loader."""
    return DataLoader([testing.batch(4, seed=seed) for seed in range(n)], batch_size=None)


def trainer(folder, **settings):
    """On the CPU, in a folder, without what it would print and write."""
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    plain = {"accelerator": "cpu", "max_epochs": 1, "default_root_dir": folder, "num_sanity_val_steps": 0}
    return pl.Trainer(**{**quiet, **plain, **settings})
