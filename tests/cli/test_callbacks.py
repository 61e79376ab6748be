"""What `wsed fit` adds to Lightning."""

import lightning.pytorch as pl
import pytest
import torch
from torch.utils.data import DataLoader

from wsed.cli.callbacks import PatientEarlyStopping, epoch_line


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


def test_the_line_of_an_epoch_fits_80_columns():
    """Also with the greatest numbers and many further scores, which give way; the main ones are all there."""
    values = {f"val/{name}": 1.0 for name in ("event_f1", "segment_f1", "tagging_f1", "psds1", "psds2", "score")}
    values |= {"train/loss": 12345.6789} | {f"val/further_{i}": 0.5 for i in range(30)}
    line = epoch_line(199, values, 999.0, best=True)
    assert len(line) <= 80
    assert line.startswith("epoch 199*  loss 1.23e+04  F1 event 100 segment 100 tags 100  PSDS1 1.000")
    assert line.endswith("  999 s")


def test_an_epoch_line_says_loss_once():
    values = {f"{split}/{name}": 0.5 for split in ("train", "val") for name in ("loss", "loss_loss", "loss_tags")}
    words = epoch_line(0, values, 1.0, width=200).split()
    named = [word for word in words if "loss" in word]
    assert named == ["loss", "val/loss", "val/loss_loss", "val/loss_tags", "train/loss_loss", "train/loss_tags"]
