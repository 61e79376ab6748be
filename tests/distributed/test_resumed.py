"""Two processes that are stopped within an epoch go on as if nothing had happened, each with its random numbers."""

import contextlib
import os
import signal
from functools import partial

import pytest
import yaml

from tests.cli.test_resume import SMALL, At, assert_same, fit
from tests.distributed.campaign import as_rank
from tests.distributed.ranks import run
from wsed.cli.stopped import Stopped


def interrupted(exp, folder, rank, ranks):
    """Train in one go, and with a signal after the third of six steps."""
    as_rank(rank, ranks)
    args = ["--trainer.devices", str(ranks), "--trainer.strategy", "ddp"]
    fit(exp, folder / "whole", *args)
    with contextlib.suppress(Stopped):
        fit(exp, folder / "cut", *args, at=At(3, lambda: os.kill(os.getpid(), signal.SIGTERM)))
    begun = (folder / "cut" / "test").exists()
    fit(exp, folder / "cut", *args)
    return begun


@pytest.mark.slow
def test_a_signal_to_two_processes_changes_nothing(corpus, tmp_path):
    data = {**SMALL["data"], "corpus": {"class_path": "desed", "init_args": {"root": str(corpus)}}}
    (tmp_path / "exp.yaml").write_text(yaml.safe_dump({**SMALL, "data": data}))
    assert run(partial(interrupted, str(tmp_path / "exp.yaml"), tmp_path), seconds=400) == [False, False]
    assert_same(tmp_path / "cut", tmp_path / "whole")
