"""A training in plain Python: a network, losses, a trainer and `Evaluation`."""

import json
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging

import wsed
from tests.training.small import batches, network, trainer
from wsed import Weighted, WsedError
from wsed.cli.main import main
from wsed.data.corpus.desed import DESED
from wsed.decoding import StepDecoder, Tuning
from wsed.losses.bce import ClipBCE
from wsed.losses.cosine_penalty import CosinePenalty
from wsed.losses.mil import MIL
from wsed.metrics.embedding_metric import Embedding
from wsed.models.encoders.crnn import CRNN
from wsed.models.frontends import LogMel
from wsed.models.network import Composed
from wsed.training.centres import learn_centres
from wsed.training.evaluation import Evaluation
from wsed.training.ranking import KeepBest
from wsed.training.task import SEDTask
from wsed.tuned import read_tuned

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's advice on workers and logging


def test_a_training_in_plain_python_is_scored_tuned_and_loaded(tmp_path, corpus):
    data = wsed.SEDDataModule(DESED(corpus), batch={"weak": 4}, workers=0)
    frontend = LogMel(8000, n_fft=256, hop_length=160, f_max=4000.0)
    system = Composed(data.labels, partial(CRNN, channels=4, gru=4, dense=8), frontend=frontend)
    task = SEDTask(system, {"tags": Weighted(MIL()), "apart": Weighted(CosinePenalty(), 0.1)})
    evaluation = Evaluation(StepDecoder(smooth=0.1), Tuning(thresholds="segments"), resamples=50)
    keep = KeepBest(tmp_path / "checkpoints", evaluation)
    run = trainer(tmp_path, max_epochs=2, callbacks=[evaluation, keep], enable_checkpointing=True)
    run.fit(task, data)
    best = tmp_path / "checkpoints" / "best.ckpt"
    content = best.read_bytes()
    assert not (tmp_path / "validation").exists()  # within fit, validations are scored only
    assert {"val/loss", "val/score", "val/event_f1", "val/event_f1_micro", "val/psds1"} <= set(run.callback_metrics)

    for score in (run.validate, run.test):
        score(task, data, ckpt_path=str(best), weights_only=True, verbose=False)
    assert best.read_bytes() == content  # scoring never changes a checkpoint
    scores = {part: json.loads((tmp_path / part / "scores.json").read_text()) for part in ("validation", "test")}
    tuned = read_tuned(best)
    assert tuned is not None
    assert scores["validation"]["tuned_on_these_clips"]
    assert not scores["test"]["tuned_on_these_clips"]
    assert (
        scores["test"]["decoder"]["threshold"]
        == tuned.decoder["init_args"]["threshold"]
        == tuned.tuned["values"]["threshold"]
    )
    detector = wsed.load(best)
    assert list(detector.labels) == ["high", "low"]
    assert detector.decoder == evaluation.decoder
    assert torch.equal(next(detector.network.parameters()), next(system.parameters()))


def test_each_validation_tunes_anew(tmp_path, corpus):
    """Also beside an earlier tuned decoder, so that the report is of these clips, with and without a checkpoint."""
    data = wsed.SEDDataModule(DESED(corpus), batch={"weak": 4}, workers=0)
    frontend = LogMel(8000, n_fft=256, hop_length=160, f_max=4000.0)
    system = Composed(data.labels, partial(CRNN, channels=2, gru=2, dense=2), frontend=frontend)
    task = SEDTask(system, {"tags": Weighted(MIL())})
    evaluation = Evaluation(tuning=Tuning(thresholds="segments"), resamples=0)
    run = trainer(tmp_path, callbacks=[evaluation], max_epochs=1)
    run.fit(task, data)
    last = tmp_path / "last.ckpt"
    run.save_checkpoint(last)

    def validate(path=None):
        run.validate(task, data, ckpt_path=path, weights_only=True, verbose=False)
        report = json.loads((tmp_path / "validation" / "scores.json").read_text())
        assert report["tuned_on_these_clips"]
        assert report["decoder"]["threshold"] == evaluation.decoder.threshold
        return evaluation.decoder

    first = validate(str(last))
    kept = read_tuned(last)
    other = {"class_path": "steps", "init_args": {**kept.decoder["init_args"], "threshold": [0.9, 0.8]}}
    replace(kept, decoder=other, tuned={**kept.tuned, "clips": 1}).write(last)  # as from other validation clips
    assert validate(str(last)) == first
    assert read_tuned(last) == kept
    assert validate() == first
    with torch.no_grad():
        for head in system.heads:
            for weight in head.parameters():
                weight.mul_(0.5)
    assert validate() != first


def test_a_tuning_is_forgotten_when_the_weights_change(tmp_path, corpus):
    data = wsed.SEDDataModule(DESED(corpus), batch={"weak": 4}, workers=0)
    frontend = LogMel(8000, n_fft=256, hop_length=160, f_max=4000.0)
    system = Composed(data.labels, partial(CRNN, channels=2, gru=2, dense=2), frontend=frontend)
    evaluation = Evaluation(tuning=Tuning(thresholds="segments"), resamples=0)
    task = SEDTask(system, {"tags": Weighted(MIL())})
    run = trainer(tmp_path, callbacks=[evaluation], max_epochs=1)
    run.fit(task, data)
    assert evaluation.tuned is None
    run.validate(task, data, verbose=False)  # without a checkpoint: tuned for the weights as they are
    assert evaluation.tuned is not None
    assert evaluation.decoder != StepDecoder()
    again = trainer(tmp_path, callbacks=[evaluation], max_epochs=1, limit_val_batches=0)
    again.fit(task, data)
    assert evaluation.tuned is None
    assert evaluation.decoder == StepDecoder()


def fails(*_):
    raise RuntimeError("killed")


def told(compute):
    """What another process gets from `from_first`."""
    try:
        return compute()
    except RuntimeError as error:
        raise WsedError(f"process 0: {error}") from None


@pytest.mark.parametrize("place", ["resample", "score"])
def test_the_scores_are_on_disk_before_intervals_and_metrics_are_computed(tmp_path, corpus, monkeypatch, place):
    data = wsed.SEDDataModule(DESED(corpus), batch={"weak": 4}, workers=0)
    frontend = LogMel(8000, n_fft=256, hop_length=160, f_max=4000.0)
    system = Composed(data.labels, partial(CRNN, channels=2, gru=2, dense=2), frontend=frontend)
    task = SEDTask(system, {"tags": Weighted(MIL())})
    run = trainer(tmp_path, callbacks=[Evaluation(resamples=20)])
    run.test(task, data, verbose=False)
    before = json.loads((tmp_path / "test/scores.json").read_text())
    assert "intervals" in before
    whole, again, out = (tmp_path / "test" / name for name in ("frame_scores.npz", "scores.json", "evaluated.json"))
    scores = whole.read_bytes()
    args = [
        "evaluate",
        "--reference",
        str(corpus / "metadata/eval/public.tsv"),
        "--predictions",
        str(tmp_path / "test"),
    ]
    args += ["--json", str(out), "--resamples", "20"]
    assert main(args) == 0
    evaluated = out.read_bytes()
    for path in (whole, out):
        path.unlink()
    monkeypatch.setattr(f"wsed.training.evaluation.{place}", fails)
    monkeypatch.setattr("wsed.training.evaluation.from_first", told)
    with pytest.raises(WsedError, match="process 0: killed"):
        run.test(task, data, verbose=False)
    assert whole.read_bytes() == scores
    assert main(args) == 0
    assert out.read_bytes() == evaluated
    if place == "resample":
        left = json.loads(again.read_text())
        assert left == {key: value for key, value in before.items() if key != "intervals"}
        assert (tmp_path / "test/predictions.tsv").is_file()
    else:
        assert not again.exists()  # that of the earlier scores


def test_an_error_in_the_centres_of_classes_is_told_to_all(tmp_path, monkeypatch):
    monkeypatch.setattr("wsed.training.centres.from_first", told)
    monkeypatch.setattr(Embedding, "learn_centres", fails)
    task = SEDTask(network(), {"tags": Weighted(MIL())})
    with torch.no_grad(), pytest.raises(WsedError, match="process 0: killed"):
        learn_centres(Embedding(), trainer(tmp_path), task, batches(1))


@pytest.mark.parametrize("first", [True, False])
def test_centres_of_classes_are_those_of_the_averaged_weights(tmp_path, monkeypatch, first):
    """Weights are averaged for the validation, whatever the order of the callbacks is."""
    learned, evaluated, trained = [], [], []

    class Watch(pl.Callback):
        def on_train_batch_end(self, trainer, task, *_):
            trained.append(next(task.network.parameters()).detach().clone())

        def on_validation_batch_end(self, trainer, task, *_):
            evaluated.append(next(task.network.parameters()).detach().clone())

    def learn(embedding, trainer, task, data):
        learned.append(next(task.network.parameters()).detach().clone())

    monkeypatch.setattr("wsed.training.evaluation.learn_centres", learn)
    monkeypatch.setattr("wsed.training.evaluation.training_set", lambda _: SimpleNamespace(in_order=list))
    evaluation, averaging = Evaluation(embeddings=True), EMAWeightAveraging(decay=0.9)
    callbacks = [evaluation, averaging] if first else [averaging, evaluation]
    task = SEDTask(network(), {"tags": Weighted(ClipBCE())}, partial(torch.optim.SGD, lr=1.0))
    trainer(tmp_path, max_epochs=2, callbacks=[*callbacks, Watch()]).fit(task, batches(3), batches(2))
    assert len(learned) == 2
    assert torch.equal(torch.stack(learned), torch.stack(evaluated)[::2])
    assert not torch.equal(learned[1], trained[-1])


def test_mistakes_are_refused(tmp_path):
    with pytest.raises(WsedError, match="resamples must be 0 or more"):
        Evaluation(resamples=-1)
    evaluation = Evaluation(StepDecoder(threshold=[0.1, 0.2]))
    task = SEDTask(network(), {"tags": Weighted(ClipBCE())})
    with pytest.raises(WsedError, match=r"decoder\.threshold has 2 values for 3 labels"):
        trainer(tmp_path, callbacks=[evaluation]).fit(task, batches())
