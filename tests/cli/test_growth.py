"""A long training needs no more memory and no more open files than a short one."""

import gc
import os
from pathlib import Path

import lightning.pytorch as pl
import pytest

from tests.cli.test_resume import SMALL, fit  # noqa: F401  for the fixture exp

PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


class Watch(pl.Callback):
    """The memory (MB) and the open files of this process after each epoch."""

    def __init__(self):
        self.memory, self.files = [], []

    def on_train_epoch_end(self, trainer, task):
        gc.collect()
        self.memory.append(int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1e6)
        self.files.append(len(os.listdir("/proc/self/fd")))  # noqa: PTH208


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="the system does not tell")
def test_thirty_epochs_need_what_ten_need(exp, tmp_path):
    watch = Watch()
    args = ["--trainer.max_epochs", "30", "--data.workers", "1", "--trainer.logger", "true"]
    assert fit(exp, tmp_path, *args, at=watch) == 0
    assert len(watch.memory) == 30
    print(f"after epochs 1, 10, 20, 30: MB {watch.memory[:1] + watch.memory[9::10]}, files {watch.files[9::10]}")
    assert watch.files[29] <= watch.files[9]
    assert watch.memory[29] - watch.memory[9] < 5
