"""Which epoch is kept as the best."""

import re

import pytest
import torch

from tests.training.small import trainer
from wsed import WsedError
from wsed.losses import MIL, Weighted
from wsed.metrics.base import METRICS, MetricValue
from wsed.metrics.embedding_metric import Embedding
from wsed.metrics.f1 import EventF1
from wsed.models import Composed
from wsed.scoring.report import Report
from wsed.testing.metrics import system
from wsed.training.evaluation import Evaluation
from wsed.training.ranking import RANK_BY, KeepBest, check_rank_by, check_scores, first_number, ranking
from wsed.training.task import SEDTask
from wsed.types import Labels

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


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("event_f1/makro", "unknown number of event_f1 'makro' (did you mean macro"),
        ("psds1/macro", "unknown number of psds1 'macro'; known: value, without_variance_penalty"),
        ("event_f1/per_class/Dog/f2", "unknown number of event_f1 'f2' (did you mean f1?)"),
        ("event_f1/per_class/Dog", "unknown number of event_f1 'Dog'"),
        ("tagging/per_class/Dog/f1", "unknown number of tagging 'per_class/Dog/f1'"),
        ("recall_by_duration/al", "unknown number of recall_by_duration 'al' (did you mean all"),
        ("embedding/centre", "unknown number of embedding 'centre' (did you mean centre_accuracy"),
    ],
)
def test_numbers_that_a_metric_lacks_are_refused(path, sentence):
    with pytest.raises(WsedError, match=re.escape(f"evaluation.rank_by: {sentence}")):
        Evaluation(rank_by=[path])


def test_classes_that_the_network_lacks_are_refused():
    task = SEDTask(Composed.example(Labels(["Dog"])), {"tags": Weighted(MIL())})
    Evaluation(rank_by=["event_f1/per_class/Dog/f1", "psds1/per_class/Dog/value"]).check(task)
    with pytest.raises(WsedError, match=r"unknown class of event_f1 'Dgo' \(did you mean Dog\?\); known: Dog"):
        Evaluation(rank_by=["event_f1/per_class/Dgo/f1"]).check(task)


@pytest.mark.parametrize("name", METRICS.names())
def test_all_numbers_of_a_metric_are_accepted_if_greater_is_better(name):
    metric = METRICS[name]()
    clips = system()
    if isinstance(metric, Embedding):
        metric.centres = torch.eye(len(clips.labels))
    value = metric.compute(clips)
    assert set(value.numbers) == set(metric.numbers)
    assert {number for own in value.per_class.values() for number in own} == set(metric.class_numbers)
    paths = [name, *(f"{name}/{number}" for number in value.numbers)]
    paths += [f"{name}/per_class/{label}/{number}" for label, own in value.per_class.items() for number in own]
    scores = [path for path in paths if metric.is_score(path.partition("/")[2])]
    check_rank_by(paths, labels=clips.labels)
    check_scores(scores)
    assert set(metric.not_scores) <= {*metric.numbers, *metric.class_numbers}
    for path in set(paths) - set(scores):
        with pytest.raises(WsedError, match=f"a greater {re.escape(path)} is not better; name a score, such as event"):
            check_scores([path])


def test_error_rates_and_counts_do_not_rank(tmp_path):
    task = SEDTask(Composed.example(Labels(["Dog"])), {"tags": Weighted(MIL())})
    for number in ("macro_error_rate", "micro_error_rate", "deletions", "n_sys", "per_class/Dog/error_rate"):
        with pytest.raises(WsedError, match=f"rank_by names segment_f1/{number}, but the best epoch has the greatest"):
            Evaluation(rank_by=[f"segment_f1/{number}"]).setup(trainer(tmp_path), task, "fit")
    own = Evaluation(rank_by=["best_event_f1/per_class/Dog/threshold"])
    with pytest.raises(WsedError, match="a greater best_event_f1/per_class/Dog/threshold is not better"):
        own.setup(trainer(tmp_path), task, "fit")
    for stage in ("validate", "test", "predict"):  # the configuration of an old run may name it
        own.setup(trainer(tmp_path), task, stage)


def test_a_metric_of_ones_own_may_have_any_number(monkeypatch):
    class Mine(EventF1):
        def compute(self, system):
            return MetricValue({"mine": 0.5})

    monkeypatch.setitem(METRICS._classes, "mine", Mine)
    check_rank_by(["mine/mine", "mine/other"])


def test_epochs_are_ranked_by_metrics_that_are_computed():
    assert Evaluation().rank_by == RANK_BY
    assert Evaluation(metrics=["psds1", "tagging_f1", "segment_f1"]).rank_by == ("segment_f1/macro", "tagging_f1/macro")
    assert Evaluation(metrics=["psds1", "onset_f1"]).rank_by == ("psds1", "onset_f1")
    assert Evaluation(metrics=["onset_f1"], rank_by=["onset_f1/micro"]).rank_by == ("onset_f1/micro",)
    with pytest.raises(WsedError, match=r"rank_by names event_f1, which evaluation\.metrics leaves out; add it there"):
        Evaluation(metrics=["onset_f1"], rank_by=["event_f1/macro"])


def test_the_help_names_the_default_ones_and_gives_an_example():
    """It is all that `wsed fit --help` prints of the setting: it must not send readers to a name in the code."""
    help_ = " ".join((Evaluation.__doc__ or "").partition("rank_by:")[2].partition("calibration:")[0].split())
    assert f"None: {', '.join(RANK_BY)}. " in help_
    assert "RANK_BY" not in help_
    check_rank_by(help_.partition("such as `[")[2].partition("]")[0].split(", "))
