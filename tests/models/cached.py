"""A training on cached features, which counts how often the frozen encoder of its frontend runs."""

import lightning.pytorch as pl

import wsed
from wsed.data.corpus.desed import DESED
from wsed.data.module import SEDDataModule
from wsed.data.reading.features import Features
from wsed.losses.base import Weighted
from wsed.losses.bce import ClipBCE


def fit_counting(monkeypatch, encoder, network, corpus, cache):
    """Two epochs; returns how often the encoder ran in all, how often before each epoch, and the data."""
    runs, before_epoch = [], []
    forward = encoder.forward
    monkeypatch.setattr(encoder, "forward", lambda self, *args: (runs.append(1), forward(self, *args))[1])

    class Count(pl.Callback):
        def on_train_epoch_start(self, trainer, module):
            before_epoch.append(len(runs))

    names = list(network.labels)
    data = SEDDataModule(DESED(corpus, labels=names), {"weak": 4}, reader=Features(cache), duration=1.0, workers=0)
    options = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = pl.Trainer(max_epochs=2, enable_checkpointing=False, callbacks=[Count()], **options)
    trainer.fit(wsed.SEDTask(network, {"clips": Weighted(ClipBCE())}), data)
    return len(runs), before_epoch, data
