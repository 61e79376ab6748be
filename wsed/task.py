"""SEDTask: trains any network with any weighted sum of losses, and scores it."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities import rank_zero_info
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

import wsed
from wsed.decoding import Decoder, StepDecoder
from wsed.errors import WsedError
from wsed.inference import rewrite_facts
from wsed.losses.base import Loss, Weighted
from wsed.metrics import event_counts
from wsed.metrics.embedding import class_centres
from wsed.metrics.faces import AllFigures
from wsed.metrics.scores import FIGURES, SCENARIOS, intervals
from wsed.metrics.store import ScoreStore
from wsed.models.base import Frontend, Network, NetworkFactory
from wsed.ops.memory import keep_freed_memory
from wsed.report.embeddings import embedding_figures
from wsed.report.run import Evaluation
from wsed.report.scores import correlation
from wsed.tuning import Tuning, decoder_of, same_network
from wsed.types import Batch, Labels, Needs, Output

OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]
SchedulerFactory = Callable[[Optimizer], LRScheduler]


STAGES = {"val": "validation", "test": "test", "predict": "predict"}
"""Lightning's names of the sets of clips, and ours."""


def adam(parameters: Iterable[nn.Parameter]) -> Optimizer:
    """Adam with its usual learning rate of 1e-3, the default optimiser."""
    return torch.optim.Adam(parameters, lr=1e-3)


class SEDTask(pl.LightningModule):
    """Trains and scores; knows no loss, network or corpus by name.

    Args:
        network: a network, or what builds one from the labels (as YAML does).
        losses: the terms of the objective by a name of your own; their weighted sum is minimised.
        labels: the classes; needed where `network` is still to be built.
        optimizer: built from the parameters; Adam 1e-3 by default.
        lr_scheduler: built from the optimiser, stepped each epoch; none by default.
        decoder: from frame scores to events, in validation, test and prediction.
        tuning: settings of the decoder to be fitted after training; `wsed fit` saves them with the checkpoint.
        judge_embeddings: whether clip embeddings are judged by how well they tell classes apart, which takes a pass
            over the training set for each evaluation; None: where a loss compares them.
        resamples: of the clips, for the intervals of test and validation reports; 0: none, where tens of thousands of
            clips of hundreds of classes would take half an hour.

    Raises:
        WsedError: a loss reads a field of the output that the network does not provide, or `resamples` is below 0.
    """

    def __init__(
        self,
        network: Network | NetworkFactory,
        losses: Mapping[str, Weighted],
        labels: Labels | None = None,
        optimizer: OptimizerFactory = adam,
        lr_scheduler: SchedulerFactory | None = None,
        decoder: Decoder | None = None,
        tuning: Tuning | None = None,
        judge_embeddings: bool | None = None,
        resamples: int = 1000,
    ) -> None:
        super().__init__()
        if not isinstance(network, Network):
            if labels is None:
                raise WsedError("SEDTask needs labels to build the network; pass labels, or a network")
            network = network(labels)
        self.network: Network = network
        self.weights = {name: term.weight for name, term in losses.items()}
        self.losses = nn.ModuleDict({name: term.loss for name, term in losses.items()})
        self.needs: dict[str, Needs] = {name: term.loss.needs for name, term in losses.items()}
        self.decoder = decoder if decoder is not None else StepDecoder()
        self.tuning, self.resamples = tuning, resamples
        self.tuned: dict[str, Any] | None = None  # what was tuned, once it was
        self._untuned = self.decoder
        compared = any("clip_embedding" in need.output for need in self.needs.values())
        self._judges = compared if judge_embeddings is None else judge_embeddings
        self._centres: Tensor | None = None  # of the classes, in the training set
        self._optimizer, self._lr_scheduler = optimizer, lr_scheduler
        self.config = ""
        self.figures = AllFigures(self.network.labels, self.network.sample_rate, self.decoder)
        self._step = 0  # of the checkpoint that is scored
        self._check()

    def forward(self, batch: Batch) -> Output:
        """What the network says of a batch."""
        output: Output = self.network(batch)
        return output

    def on_fit_start(self) -> None:
        """Refuse what would fail after training; on a processor, it is twice as fast when freed memory is kept."""
        if self.device.type == "cpu":
            keep_freed_memory()
        data: Any = getattr(self.trainer, "datamodule", None)
        if self.tuning is not None:
            self.tuning.check(self.decoder)
            if self.tuning.split == "validation" and hasattr(data, "table"):
                self.tuning.check_events(data.table("validation").timed)
        self._fit_frontends()
        self._count_labels()

    def on_train_epoch_start(self) -> None:
        """Losses may change over training."""
        for loss in self.losses.values():
            cast(Loss, loss).epoch = self.current_epoch

    def training_step(self, batch: Batch, _index: int) -> Tensor:
        """The weighted sum of the losses; each is logged under its name."""
        total = self._objective(self(batch), batch, "train")
        value = float(total.detach())
        if not math.isfinite(value):
            raise WsedError(
                f"the training loss is {value} at step {self.global_step}; lower the learning rate, "
                "or use trainer.precision 32-true; the last checkpoint is untouched"
            )
        return total

    def validation_step(self, batch: Batch, _index: int) -> None:
        self._evaluate(batch, "val")

    def test_step(self, batch: Batch, _index: int) -> None:
        self._evaluate(batch, "test")

    def predict_step(self, batch: Batch, _index: int) -> None:
        self.figures.update(self(batch), batch)

    def on_validation_epoch_start(self) -> None:
        self._learn_centres()

    def on_test_epoch_start(self) -> None:
        self._learn_centres()

    def on_validation_epoch_end(self) -> None:
        self._report("val")

    def on_test_epoch_end(self) -> None:
        self._report("test")

    def on_predict_epoch_end(self) -> None:
        self._report("predict")

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = self._optimizer(self.parameters())
        if self._lr_scheduler is None:
            return optimizer
        return [optimizer], [self._lr_scheduler(optimizer)]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """What a stranger needs to use the network, in plain values: no pickled object."""
        checkpoint["wsed"] = {
            "version": wsed.__version__,
            "labels": list(self.network.labels),
            "sample_rate": self.network.sample_rate,
            "frame_rate": self.network.frame_rate,
            **self.decoding(),
            "model": self.config,
        }

    def decoding(self) -> dict[str, Any]:
        """The decoder, and how it was tuned, as plain values for a checkpoint."""
        return {"decoder": self.decoder.values(), "tuned": self.tuned, "untuned": self._untuned.values()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint of other classes before its weights are misread."""
        facts = checkpoint.get("wsed", {})
        known = facts.get("labels")
        self._step = checkpoint.get("global_step", 0)
        if known is not None and list(known) != list(self.network.labels):
            raise WsedError(
                f"the checkpoint knows the classes {known}, the data has {list(self.network.labels)}: "
                "set data.labels to the checkpoint's, in its order, or train anew"
            )
        self._decode_with(self._untuned, None)
        tuned = facts.get("tuned")
        if not tuned or self.trainer.state.fn == "fit":  # further training makes them another network's thresholds
            return
        asked = self.tuning is None or asdict(self.tuning).items() <= tuned.items()
        asked &= same_network(facts["model"], self.config)
        if asked and decoder_of(facts["untuned"]) == self._untuned:
            self._decode_with(decoder_of(facts["decoder"]), tuned)
        else:
            rank_zero_info("the checkpoint's tuned decoder is not used: another network, decoder or tuning is asked")

    def _objective(self, output: Output, batch: Batch, stage: str) -> Tensor:
        terms = {name: loss(output, batch) for name, loss in self.losses.items()}
        total = torch.stack([self.weights[name] * term for name, term in terms.items()]).sum()
        several = {f"{stage}/loss_{name}": term for name, term in terms.items()} if len(terms) > 1 else {}
        self.log_dict(
            {f"{stage}/loss": total, **several},
            batch_size=len(batch),
            on_step=False,
            on_epoch=True,
            sync_dist=True,
            prog_bar=False,
        )
        return total

    def _evaluate(self, batch: Batch, stage: str) -> None:
        output = self(batch)
        self._objective(output, batch, stage)
        self.figures.update(output, batch)

    def _fit_frontends(self) -> None:
        """Let frontends see the training set that must, unless a checkpoint brought what they know of it."""
        found = [part for part in self.network.modules() if isinstance(part, Frontend)]
        within = {id(inner) for part in found for inner in part.modules() if inner is not part}
        for part in found:
            if not part.fitted and id(part) not in within:  # one within another is the other's affair
                data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
                if data is None:
                    raise WsedError(
                        f"the frontend {type(part).__name__} must see the training set: give the trainer a data "
                        "module, or call network.frontend.fit(batches) first"
                    )
                part.fit(data.train_dataloader())

    def _count_labels(self) -> None:
        """Tell losses that weigh classes how common they are in the training set."""
        waiting = [cast(Loss, loss) for loss in self.losses.values() if cast(Loss, loss).uncounted]
        data: Any = self.trainer.datamodule if waiting else None  # type: ignore[attr-defined]
        if waiting and not hasattr(data, "label_counts"):
            raise WsedError(
                "a loss weighs classes by how common they are: give the trainer a SEDDataModule, or the loss "
                "class_weights.counts"
            )
        for loss in waiting:
            loss.count(data.label_counts())

    def _learn_centres(self) -> None:
        """Of each class, over the training clips of all ranks, as the network embeds them now."""
        data: Any = self.trainer.datamodule if self._judges else None  # type: ignore[attr-defined]
        if hasattr(data, "train_in_order"):
            store = ScoreStore()
            with self.trainer.precision_plugin.forward_context():  # as the clips that are judged by them
                for batch in data.train_in_order():
                    here = batch.to(self.device)
                    store.update(self(here), here, self.network.sample_rate)
            store = store.gather()
            embeddings, (tags, tagged) = store.embeddings(), store.tags()
            self._centres = None if embeddings is None else class_centres(embeddings[tagged], tags[tagged])

    def _keep_tuned(self) -> None:
        """Where the weights came from a checkpoint, the decoder that goes with them is saved there.

        So are the network's settings: with others, as without ensemble prediction, its thresholds are others.
        """
        path = self.trainer.ckpt_path
        if path is not None and self.trainer.is_global_zero:
            rewrite_facts(Path(path), self.decoding() | ({"model": self.config} if self.config else {}))
        self.trainer.strategy.barrier("tuned")

    def _decode_with(self, decoder: Decoder, tuned: dict[str, Any] | None) -> None:
        self.decoder, self.tuned = decoder, tuned
        self.figures.decoder = decoder

    def _report(self, stage: str) -> None:
        """Gather over ranks, decode, score, log; outside the sanity check, leave everything in the run's folder."""
        store = self.figures.store.gather()
        within_fit = self.trainer.state.fn == "fit"  # each epoch's validation: scores only
        if not len(store):
            return
        if self.tuning is not None and self.tuned is None and self.tuning.split == STAGES[stage] and not within_fit:
            self._decode_with(*self.tuning.tune(self.decoder, store.scores(), store.truth(), event_counts))
            self._keep_tuned()
        if self.tuning is not None and self.tuned is None and stage == "test":
            rank_zero_info("not tuned as model.tuning asks: run `wsed validate` with this checkpoint first")
        self.figures.reset()
        labels = self.network.labels
        detected = store.detected(self.decoder)
        scores: dict[str, Any] = {}
        if stage != "predict":
            system = store.system(labels, self.decoder, detected)
            scores = {"clips": len(store)} | system.figures()
            if self._judges:
                scores["embedding"] = embedding_figures(store, self._centres)
            self._log_figures(scores, stage)
        if not self.trainer.is_global_zero or within_fit:
            return
        if scores:
            if self.resamples:
                scores["intervals"] = intervals(system, resamples=self.resamples)
            scores["correlation"] = correlation(store, labels)
            scores |= {"decoder": self.decoder.values(), "step": self._step or self.global_step}
            here = self.tuned is not None and self.tuned["split"] == STAGES[stage]
            scores |= {"tuned": self.tuned, "tuned_on_these_clips": here}
        self._write(Evaluation(store, detected, scores, labels, self.decoder), stage)

    def _log_figures(self, scores: dict[str, Any], stage: str) -> None:
        """Log macro and micro F1 and PSDS; they are the same on all ranks, since each has the clips of all."""
        values: dict[str, float] = {}
        for key, _ in FIGURES:
            if key in scores:
                values |= {f"{stage}/{key}": scores[key]["macro"], f"{stage}/{key}_micro": scores[key]["micro"]}
        values |= {f"{stage}/{key}": value for key, value in scores.get("embedding", {}).items()}
        values |= {f"{stage}/{key}": scores[key] for key in SCENARIOS if scores.get(key) is not None}
        shown = {"val/event_f1", "val/segment_f1", "val/tagging_f1"}
        for name, value in values.items():
            self.log(name, _number(value), prog_bar=name in shown, sync_dist=True)
        if stage == "val":
            self.log("val/score", _ranking(scores), sync_dist=True)

    def _write(self, evaluation: Evaluation, stage: str) -> None:
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        table = data.table("validation" if stage == "val" else stage) if hasattr(data, "table") else None
        clips = {} if table is None else {clip.id: clip for clip in table.clips}
        folder = Path(self.trainer.default_root_dir) / ("validate" if stage == "val" else stage)
        evaluation.write(folder, clips, self.network)

    def _check(self) -> None:
        if self.resamples < 0:
            raise WsedError(f"model.resamples must be 0 or more, not {self.resamples}")
        if not self.losses:
            raise WsedError("model.losses is empty: give at least one, e.g. losses: {tags: {loss: mil}}")
        for name, value in self.decoder.values().items():
            if isinstance(value, list) and len(value) != len(self.network.labels):
                raise WsedError(
                    f"decoder.{name} has {len(value)} values for {len(self.network.labels)} labels: give one of each, "
                    "in the order of data.labels, or a single number"
                )
        for name, need in self.needs.items():
            missing = need.output - self.network.provides
            if missing:
                raise WsedError(
                    f"loss {name!r} reads {', '.join(sorted(missing))}, which the network does not provide "
                    f"(it provides {', '.join(sorted(self.network.provides))}); use a head that does, or drop the loss"
                )


def _ranking(scores: dict[str, Any]) -> float:
    """What the best checkpoint is chosen by.

    Event F1; where it is equal (0 at first), segment F1, then tagging F1, then the centre accuracy of embeddings.
    """
    worth = {"event_f1": 1.0, "segment_f1": 1e-3, "tagging_f1": 1e-6}
    figures = sum(factor * _number(scores[key]["macro"]) for key, factor in worth.items() if key in scores)
    return figures + 1e-9 * _number(scores.get("embedding", {}).get("centre_accuracy", 0.0))


def _number(value: float) -> float:
    return 0.0 if math.isnan(value) else value
