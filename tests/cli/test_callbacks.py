"""What `wsed fit` adds to Lightning."""

import lightning.pytorch as pl
import pytest
import torch
from torch.utils.data import DataLoader

from wsed.cli.callbacks import PatientEarlyStopping


class Told(pl.LightningModule):
    """Its score of each epoch is told beforehand."""

    def __init__(self, curve):
        super().__init__()
        self.curve, self.layer = curve, torch.nn.Linear(1, 1)

    def training_step(self, batch, _index):
        return self.layer(batch).sum()

    def validation_step(self, batch, _index):
        self.log("score", self.curve[self.current_epoch])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


@pytest.mark.parametrize(("wait", "epochs"), [(0, 3), (3, 7), (100, 9)])
def test_patience_counts_from_the_epochs_that_are_looked_at(wait, epochs, tmp_path):
    curve = [0.9, 0.1, 0.1, 0.2, 0.3, 0.25, 0.25, 0.8, 0.9]
    stop = PatientEarlyStopping(wait=wait, monitor="score", mode="max", patience=2)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    trainer = pl.Trainer(max_epochs=9, callbacks=[stop], default_root_dir=tmp_path, num_sanity_val_steps=0, **quiet)
    data = DataLoader(torch.zeros(1, 1))
    trainer.fit(Told(curve), data, data)
    assert trainer.current_epoch == epochs
