"""The learning curves of a run that was begun, killed, resumed and tested."""

import pytest

from wsed.report.html.learning import learning, training_logs

TRAIN = "epoch,step,train/loss,val/loss\n"


def write(folder, *tables):
    for number, text in enumerate(tables):
        place = folder / "csv" / f"version_{number}"
        place.mkdir(parents=True)
        (place / "metrics.csv").write_text(text)
    return learning(training_logs(folder))


@pytest.mark.parametrize(
    ("tables", "losses"),
    [
        ([f"{TRAIN}0,4,3,\n0,4,,5\n1,8,2,\n", "epoch,step,test/f1\n1,8,0.5\n"], [3, 2]),
        ([f"{TRAIN}0,4,3,\n1,8,2,\n", "epoch,step,val/loss\n1,8,0.5\n"], [3, 2]),
        ([f"{TRAIN}0,4,3,\n1,8,2,\n", f"{TRAIN}1,8,1,\n2,12,0.5,\n"], [3, 1, 0.5]),  # killed in epoch 2, resumed
        ([f"{TRAIN}0,4,3,\n1,8,2,\n", f"{TRAIN}0,4,1,\n"], [1]),  # begun anew
        ([f"{TRAIN}0,4,3,\n1,8,1.2e-"], [3]),  # the disk was full
        ([*[f"{TRAIN}{i},4,{i},\n" for i in range(12)]], list(range(12))),
    ],
)
def test_epochs_are_those_of_the_last_training(tables, losses, tmp_path):
    assert write(tmp_path, *tables)["values"]["train/loss"] == losses


def test_without_a_training_there_are_no_curves(tmp_path):
    assert write(tmp_path, "epoch,step,test/f1\n1,8,0.5\n") is None
    assert learning(()) is None
