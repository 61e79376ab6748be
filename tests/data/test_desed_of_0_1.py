"""The data module and the task as wsed 0.1 had them, in plain Python."""

import pytest
import torch

import wsed
from wsed.data.desed import DESED
from wsed.training.arguments import warn_of_moved


def test_the_old_data_module_is_the_new_one(tmp_path):
    (tmp_path / "metadata").mkdir()
    with pytest.warns(FutureWarning, match=r"SEDDataModule\(wsed.data.corpus.desed.DESED"):
        data = DESED(root=tmp_path, labels=["Cat", "Dog"], batch={"weak": 4}, duration=3.0)
    assert list(data.labels) == ["Cat", "Dog"]
    assert data.batch == {"weak": 4}
    assert data.loader.duration == 3.0


def test_arguments_of_the_old_task_say_where_they_are():
    with pytest.warns(FutureWarning, match=r"resamples does nothing here .*Evaluation\(resamples=...\)"):
        warn_of_moved({"resamples": 0})


def test_an_unknown_argument_of_the_task_has_near_names():
    with pytest.raises(wsed.WsedError, match=r"no argument 'optimiser' \(did you mean optimizer"):
        wsed.SEDTask(torch.nn.Identity(), {}, optimiser=torch.optim.Adam)
