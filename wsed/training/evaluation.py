"""`Evaluation`: the callback that collects scores, tunes the decoder, computes metrics, and writes reports."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as pl
from lightning.pytorch.utilities import rank_zero_info

from wsed.checkpoint_specs import decoder_spec, plain_spec, same_network
from wsed.decoding import Decoder, StepDecoder, Tuning
from wsed.errors import WsedError
from wsed.literals import checked
from wsed.metrics import event_counts
from wsed.metrics.chosen import chosen_metrics
from wsed.metrics.embedding_metric import Embedding
from wsed.metrics.system import System
from wsed.ops.reduce import from_first
from wsed.run import RunFolder
from wsed.scoring.collect import Collector
from wsed.scoring.facts import RunFacts
from wsed.scoring.report import Report
from wsed.scoring.resampling import Resampling, resample, samples
from wsed.scoring.score import correlation, detect, score, system_of
from wsed.training.calibrate import calibrate_checkpoint, check_scikit_learn
from wsed.training.centres import learn_centres
from wsed.training.data import tables, training_set
from wsed.training.ranking import check_rank_by, check_scores, default_rank_by, first_number, number, ranking
from wsed.training.task import SEDTask
from wsed.truth import Truth
from wsed.tuned import TunedDecoder, decoder_file, decoder_of, read_tuned
from wsed.types import Batch, Output
from wsed.values import Scores

LOGGED = {"validation": "val", "test": "test"}
"""Prefix of the names of logged values, by split; `val` is usual in Lightning."""

SHOWN = {"val/event_f1", "val/segment_f1", "val/tagging_f1"}
"""The values that the progress bar shows."""

EvaluatedSplit = Literal["validation", "test", "predict"]


@checked(owner="evaluation")
class Evaluation(pl.Callback):
    """Computes the metrics of validation and test, and writes the detected events, also of predictions.

    During `fit`, the metrics of each validation are logged. `validate`, `test` and `predict` write all results into the
    folder of the run. Before that they tune the decoder, if `tuning` is set to this split.

    Args:
        decoder: turns frame scores into events; `StepDecoder()` if None.
        tuning: settings of the decoder to tune after training; the tuned decoder is a file beside the checkpoint.
        embeddings: whether to measure how well the clip embeddings separate the classes, which takes a pass over the
            training set per evaluation; None: if a loss uses them.
        resamples: number of resamples of the clips for the intervals in reports; 0: no intervals. With tens of
            thousands of clips and hundreds of classes, 1000 resamples take half an hour.
        rank_by: the scores on validation clips by which the best epoch is chosen, such as `[psds1, event_f1/macro]`:
            the epoch with the greatest first score is the best; if epochs are equal in it, the second score decides,
            and so on. None: event_f1/macro, segment_f1/macro, tagging_f1/macro, embedding/centre_accuracy. If
            `metrics` is set, only those of them that it names; if it names none of them, all that it names.
        calibration: how confidences are calibrated on validation clips, kept beside the checkpoint; None: not at all.
        metrics: names of the registered metrics that are computed, such as `[event_f1, psds1]`; None: the default ones,
            and `embedding`, see `embeddings`.

    Raises:
        WsedError: `resamples` is below 0, a threshold of the decoder is not in [0, 1], `metrics` or `rank_by` is empty
            or names an unknown metric, or `rank_by` names one that `metrics` leaves out.

    >>> evaluation = Evaluation(StepDecoder(threshold=0.3), resamples=0)
    >>> evaluation.decoding()["class_path"], evaluation.rank_by[0]
    ('steps', 'event_f1/macro')
    >>> from wsed.losses import MIL, Weighted
    >>> from wsed.models import Composed
    >>> from wsed.types import Labels
    >>> evaluation.check(SEDTask(Composed.example(Labels(["Dog"])), {"tags": Weighted(MIL())}))
    """

    def __init__(
        self,
        decoder: Decoder | None = None,
        tuning: Tuning | None = None,
        embeddings: bool | None = None,
        resamples: int = 1000,
        rank_by: list[str] | None = None,
        calibration: Literal["isotonic", "platt"] | None = None,
        metrics: list[str] | None = None,
    ) -> None:
        if resamples < 0:
            raise WsedError(f"evaluation.resamples must be 0 or more, not {resamples}")
        self.decoder = decoder if decoder is not None else StepDecoder()
        check_thresholds(self.decoder)
        self.tuning, self.embeddings, self.resamples = tuning, embeddings, resamples
        self.calibration: Literal["isotonic", "platt"] | None = calibration
        self.metrics = metrics
        self._metrics = chosen_metrics(metrics)
        self.rank_by = default_rank_by(metrics) if rank_by is None else tuple(rank_by)
        check_rank_by(self.rank_by, metrics)
        self.tuned: dict[str, Any] | None = None  # how the decoder was tuned; None before
        self.ranking: tuple[float, ...] = ()  # metrics of the last validation
        self._untuned = self.decoder
        self._collector = Collector()
        self._to_learn: Embedding | None = None  # the metric whose centres are not computed yet

    def check(self, task: SEDTask) -> None:
        """Refuse settings that do not fit the classes of the network.

        Raises:
            WsedError: a setting has one value per class, for another number of classes; or a class is unknown.
        """
        labels = task.network.labels
        check_rank_by(self.rank_by, self.metrics, labels)
        for name, values in self.decoder.values().items():
            if isinstance(values, list) and len(values) != len(labels):
                raise WsedError(
                    f"decoder.{name} has {len(values)} values for {len(labels)} labels: give one value per label, "
                    "in the order of data.corpus.labels, or a single number"
                )

    def decoding(self) -> dict[str, object]:
        """The spec of the untuned decoder, for a checkpoint; a tuned decoder has its own file."""
        return decoder_spec(self._untuned)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self.check(_sed(pl_module))
        if stage == "fit":
            check_scores(self.rank_by)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Refuse a tuning or calibration that would fail after training, and drop an earlier tuned decoder."""
        self.decoder, self.tuned = self._untuned, None
        check_scikit_learn(self.calibration)
        if self.tuning is None:
            return
        self.tuning.check(self.decoder)
        data = tables(trainer)
        if self.tuning.split == "validation" and data is not None:
            self.tuning.check_events(data.table("validation").timed)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        check_scikit_learn(self.calibration)
        self._take_tuned(trainer, _sed(pl_module), "validation")

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._take_tuned(trainer, _sed(pl_module), "test")

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._take_tuned(trainer, _sed(pl_module), "predict")

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._begin(trainer, _sed(pl_module))

    def on_test_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._begin(trainer, _sed(pl_module))

    def on_predict_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._collector.reset()

    def on_validation_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: object) -> None:
        """Compute centres with the weights that are evaluated: callbacks that average weights have set them by now."""
        self._learn_centres(trainer, _sed(pl_module))

    def on_test_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: object) -> None:
        self._learn_centres(trainer, _sed(pl_module))

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, *_: int
    ) -> None:
        self._collect(pl_module, outputs, batch)

    def on_test_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, *_: int
    ) -> None:
        self._collect(pl_module, outputs, batch)

    def on_predict_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, *_: int
    ) -> None:
        self._collect(pl_module, outputs, batch)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._report(trainer, _sed(pl_module), "validation")

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._report(trainer, _sed(pl_module), "test")

    def on_predict_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._report(trainer, _sed(pl_module), "predict")

    def _take_tuned(self, trainer: pl.Trainer, task: SEDTask, split: EvaluatedSplit) -> None:
        """Use the tuned decoder of the checkpoint, unless the settings differ or this split is tuned on."""
        path, tunes = trainer.ckpt_path, self.tuning is not None and self.tuning.split == split
        if trainer.state.fn == "fit" or (path is None and not tunes):
            return
        self.decoder, self.tuned = self._untuned, None
        if tunes or path is None:
            return
        kept = read_tuned(path)
        if kept is None:
            if decoder_file(path).is_file():
                rank_zero_info(f"{decoder_file(path)} is not used: the checkpoint has changed since")
            return
        fits = self.tuning is None or all(kept.tuned.get(k) == v for k, v in asdict(self.tuning).items())
        fits &= same_network(kept.network, plain_spec(task.network))
        if fits and decoder_of(kept.untuned) == self._untuned:
            self.decoder, self.tuned = decoder_of(kept.decoder), dict(kept.tuned)
        else:
            rank_zero_info("the tuned decoder is not used: the settings of network, decoder or tuning differ")

    def _begin(self, trainer: pl.Trainer, task: SEDTask) -> None:
        self._collector.reset()
        self._metrics, self._to_learn = chosen_metrics(self.metrics), None
        if self._measures_embeddings(task):
            self._metrics["embedding"] = self._to_learn = Embedding()

    def _learn_centres(self, trainer: pl.Trainer, task: SEDTask) -> None:
        """Compute the centres of classes for the metric `embedding`, once per evaluation."""
        data = None if self._to_learn is None else training_set(trainer)
        if data is not None and self._to_learn is not None:
            learn_centres(self._to_learn, trainer, task, data.in_order())
        self._to_learn = None

    def _measures_embeddings(self, task: SEDTask) -> bool:
        if self.embeddings is not None:
            return self.embeddings
        if self.metrics is not None:
            return "embedding" in self.metrics
        return any("clip_embedding" in need.output for need in task.needs.values())

    def _collect(self, task: pl.LightningModule, outputs: Mapping[str, Output], batch: Batch) -> None:
        self._collector.update(outputs["output"], batch, _sed(task).network.sample_rate)

    def _report(self, trainer: pl.Trainer, task: SEDTask, split: EvaluatedSplit) -> None:
        """Gather the scores of all ranks, detect events, compute and log metrics; outside `fit`, write all results.

        Rank 0 has the scores of all ranks and computes; the others are told the report.
        """
        gathered = self._collector.first(Path(trainer.default_root_dir))
        systems: list[System] = []  # of rank 0

        def evaluated() -> tuple[Report | None, dict[str, object], dict[str, Any] | None]:
            assert gathered is not None
            if not len(gathered[0]):
                return None, {}, self.tuned
            report, system = self._evaluate(trainer, task, split, *gathered)
            systems.extend([] if system is None else [system])
            return report, decoder_spec(self.decoder), self.tuned

        report, decoder, tuned = from_first(evaluated)
        if tuned != self.tuned:
            self.decoder, self.tuned = decoder_of(decoder), tuned
        if report is None or split == "predict":
            return
        self._log(task, report, split)

        def with_intervals() -> None:
            intervals = resample(samples(systems[0], self._metrics), Resampling(self.resamples))
            folder = RunFolder(Path(trainer.default_root_dir)).split(split)
            replace(report, intervals=intervals).without_curves().write(folder.report)

        if self.resamples and trainer.state.fn != "fit":  # last, since all other files are safe by now
            from_first(with_intervals)

    def _evaluate(
        self, trainer: pl.Trainer, task: SEDTask, split: EvaluatedSplit, scores: Scores, truth: Truth
    ) -> tuple[Report | None, System | None]:
        """The report, and the system it is of; outside `fit`, all files but the intervals are written."""
        labels = task.network.labels
        within_fit = trainer.state.fn == "fit"  # the validation of an epoch: no tuning, no files
        folder = RunFolder(Path(trainer.default_root_dir)).split(split)
        if not within_fit:
            from wsed.report import run  # imports matplotlib, so only here

            run.begin(folder, scores, labels)
            self._tune(trainer, task, scores, truth, split)
        detected = detect(scores, truth, self.decoder)
        report = system = None
        if split != "predict":
            system = system_of(scores, truth, labels, self.decoder, detected.events)
            report = score(system, self._metrics)
        if within_fit:
            return report, system
        if report is not None:
            facts = RunFacts(
                decoder=self.decoder.values(),
                step=task.trained_steps or trainer.global_step,
                tuned=self.tuned,
                tuned_on_these_clips=self.tuned is not None and self.tuned["split"] == split,
                correlation=correlation(scores, labels),
            )
            report = replace(report, run=facts)
        data = tables(trainer)
        clips = () if data is None else data.table(split).clips
        run.Evaluation(scores, truth, detected, report, labels, self.decoder).write_results(folder, clips, task.network)
        if self.calibration is not None and split == "validation" and trainer.ckpt_path is not None:
            calibrate_checkpoint(trainer.ckpt_path, self.decoder, scores, truth, labels, self.calibration)
        return report, system

    def _tune(self, trainer: pl.Trainer, task: SEDTask, scores: Scores, truth: Truth, split: EvaluatedSplit) -> None:
        """Tune the decoder if the tuning uses this split, and write it beside the checkpoint."""
        if self.tuning is None or self.tuned is not None:
            return
        if self.tuning.split == split:
            self.decoder, self.tuned = self.tuning.tune(self.decoder, scores, truth, event_counts)
            if (path := trainer.ckpt_path) is not None:
                decoder, untuned = decoder_spec(self.decoder), decoder_spec(self._untuned)
                TunedDecoder(decoder, untuned, self.tuned, plain_spec(task.network)).write(path)
        elif split == "test":
            rank_zero_info(
                "evaluation.tuning is set, but the decoder is not tuned: run `wsed validate` with this checkpoint first"
            )

    def _log(self, task: SEDTask, report: Report, split: Literal["validation", "test"]) -> None:
        """Log the values that each metric chooses; all ranks have the same report."""
        stage = LOGGED[split]
        for name, value in report.computed.items():
            for key, logged in self._metrics[name].logged(name, value).items():
                full = f"{stage}/{key}"
                task.log(full, number(logged), prog_bar=full in SHOWN, sync_dist=True)
        if split == "validation" and not task.trainer.sanity_checking:  # no epoch has been trained yet
            self.ranking = ranking(report, self.rank_by)
            task.log("val/score", first_number(report, self.rank_by), sync_dist=True)


def check_thresholds(decoder: Decoder) -> None:
    """Refuse thresholds that no score, or every score, reaches.

    Raises:
        WsedError: one is not in [0, 1].
    """
    for name, value in decoder.values().items():
        if name in ("threshold", "low", "tag_threshold"):
            values = value if isinstance(value, list) else [value]
            if any(isinstance(one, int | float) and not 0 <= one <= 1 for one in values):
                raise WsedError(f"evaluation.decoder.{name} is {value}, but scores are in [0, 1]: set it in that range")


def _sed(task: pl.LightningModule) -> SEDTask:
    if not isinstance(task, SEDTask):
        raise WsedError(f"Evaluation scores a SEDTask, not a {type(task).__name__}")
    return task
