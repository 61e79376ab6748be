"""Which epoch is kept as the best."""

import pytest
import torch

from tests.training.small import trainer
from wsed import WsedError
from wsed.metrics.base import MetricValue
from wsed.scoring.report import Report
from wsed.training.evaluation import Evaluation
from wsed.training.ranking import RANK_BY, KeepBest, first_number, ranking

NAMES = ("event_f1", "segment_f1", "tagging_f1")


def report(*values: float, names: tuple[str, ...] = NAMES) -> Report:
    return Report(4, {name: MetricValue({"macro": value}) for name, value in zip(names, values, strict=True)})


def mixture(values: tuple[float, ...]) -> float:
    """What 0.1 compared."""
    return values[0] + 1e-3 * values[1] + 1e-6 * values[2]


@pytest.mark.parametrize("seed", range(5))
def test_the_best_epoch_is_that_of_the_mixture_of_0_1(tmp_path, seed):
    draw = torch.Generator().manual_seed(seed)
    epochs = [tuple(row) for row in (torch.randint(0, 3, (40, 3), generator=draw) / 4).tolist()]
    evaluation = Evaluation()
    keep, run = KeepBest(tmp_path, evaluation), trainer(tmp_path)
    kept = 0
    for epoch, values in enumerate(epochs):
        evaluation.ranking = ranking(report(*values))
        if keep.check_monitor_top_k(run, torch.tensor(0.0)):
            kept = epoch
    worth = list(map(mixture, epochs))
    assert kept == worth.index(max(worth))


def test_a_resumed_training_goes_on_from_the_best_ranking(tmp_path):
    evaluation = Evaluation()
    first, run = KeepBest(tmp_path, evaluation), trainer(tmp_path)
    evaluation.ranking = (0.5, 0.25)
    assert first.check_monitor_top_k(run, torch.tensor(0.5))
    first.best_k_models = {"best.ckpt": torch.tensor(0.5)}
    again = KeepBest(tmp_path, evaluation)
    again.load_state_dict(first.state_dict())
    assert not again.check_monitor_top_k(run, torch.tensor(0.5))
    evaluation.ranking = (0.5, 0.5)
    assert again.check_monitor_top_k(run, torch.tensor(0.5))


def test_an_epoch_is_the_best_before_its_checkpoint_is_written(tmp_path):
    evaluation = Evaluation()
    keep, run = KeepBest(tmp_path, evaluation), trainer(tmp_path)
    assert not keep.is_best(0)
    evaluation.ranking = (0.5, 0.25)
    assert keep.is_best(0)
    assert keep.check_monitor_top_k(run, torch.tensor(0.5))
    assert keep.is_best(0)
    assert not keep.is_best(1)  # without validation, or with the same ranking
    assert not KeepBest(tmp_path, None).is_best(0)


def test_one_number_is_the_first_that_the_clips_give():
    assert first_number(report(0.25, 0.5, 0.75)) == 0.25
    assert first_number(report(0.75, names=("tagging_f1",))) == 0.75
    assert first_number(report(float("nan"), 0.5, 0.75)) == 0.5
    assert first_number(Report(4)) == 0.0


def test_unknown_metrics_are_refused():
    with pytest.raises(WsedError, match=r"evaluation.rank_by: unknown metric 'event_f2' \(did you mean event_f1"):
        Evaluation(rank_by=["event_f2/macro"])
    with pytest.raises(WsedError, match="rank_by is empty"):
        Evaluation(rank_by=[])
    with pytest.raises(WsedError, match=r"unknown metric 'psds' \(did you mean psds"):
        Evaluation(metrics=["psds"])
    with pytest.raises(WsedError, match=r"metrics must be a list of names, not \[\]; known: .*event_f1"):
        Evaluation(metrics=[])


def test_epochs_are_ranked_by_metrics_that_are_computed():
    assert Evaluation().rank_by == RANK_BY
    assert Evaluation(metrics=["psds1", "tagging_f1", "segment_f1"]).rank_by == ("segment_f1/macro", "tagging_f1/macro")
    assert Evaluation(metrics=["psds1", "onset_f1"]).rank_by == ("psds1", "onset_f1")
    assert Evaluation(metrics=["onset_f1"], rank_by=["onset_f1/micro"]).rank_by == ("onset_f1/micro",)
    with pytest.raises(WsedError, match=r"rank_by names event_f1, which evaluation\.metrics leaves out; add it there"):
        Evaluation(metrics=["onset_f1"], rank_by=["event_f1/macro"])
