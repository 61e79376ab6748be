"""Plausible mistakes, each with the sentence that answers it: what is wrong, where, near names, what to write."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from jsonargparse import ArgumentParser, Namespace
from lightning.fabric.plugins.environments import SLURMEnvironment, TorchElasticEnvironment
from lightning.pytorch import Callback, Trainer, seed_everything
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from wsed.cli import verbs
from wsed.cli.callbacks import PatientEarlyStopping
from wsed.cli.check_monitors import best, check_monitors
from wsed.cli.configs import prepared
from wsed.cli.messages import user_error
from wsed.cli.settings import _check_counts, _check_processes, _check_strategy
from wsed.errors import WsedError
from wsed.metrics.base import METRICS

BASE = yaml.safe_load("""
model:
  network: {encoder: {class_path: crnn, init_args: {channels: 4}}, head: framewise}
  losses: {tags: {loss: mil}, apart: {loss: cosine_penalty, weight: 0.1}}
evaluation: {decoder: {threshold: 0.3}}
data: {corpus: {class_path: desed, init_args: {root: corpus}}, batch: {weak: 4}}
trainer: {max_epochs: 1}
""")

ADAMW = "write optimizer: {class_path: torch.optim.AdamW, init_args: {lr: 1e-3}}"
SETTINGS = [
    ("model.network.encoder", {"class_path": "crnn", "channels": 8}, "channels must be in init_args; write encoder"),
    ("model.network.frontend", {"class_path": "logmel", "n_bands": 64}, "init_args: {n_bands: 64}}"),
    ("data.corpus", {"class_path": "desed", "root": "x"}, "data.corpus: root must be in init_args; write corpus: {"),
    ("data.corpus", {"root": "x"}, "data.corpus names no class; write corpus: {class_path: audioset, init_args: {root"),
    ("data.corpus", "dessed", "unknown corpus 'dessed' (did you mean desed or pseudo?)"),
    ("data.corpus.init_args.labels", "Cat,Dog", "data.corpus.labels is 'Cat,Dog', expected a list or null; write labe"),
    ("data.corpus.init_args.roots", "x", "data.corpus has no setting 'roots' (did you mean root?)"),
    ("data.corpus", None, "data.corpus is missing; write data: {corpus: {class_path: desed, init_args: {root: data/de"),
    ("data.batch", 8, "data.batch is 8, expected a mapping or null; write batch: {weak: 8}"),
    ("data.batch.weak", "many", "data.batch.weak is 'many', expected a whole number"),
    ("data.duration", "10s", "data.duration is '10s', expected a number or null"),
    ("data.batch_size", 8, "data has no setting 'batch_size' (did you mean data.batch.SOURCE, as data.batch.weak?)"),
    ("data.augment", ["gian"], "unknown augment 'gian' (did you mean gain?)"),
    ("model.losses", {"tags": "mil"}, "model.losses.tags is 'mil', expected settings (loss, weight); write tags: {los"),
    ("model.losses", [{"loss": "mil"}], "model.losses is [{'loss': 'mil'}], expected a mapping; write losses: {tags: "),
    ("model.losses", "mil", "model.losses is 'mil', expected a mapping; write losses: {tags: {loss: mil}}"),
    ("model.losses.tags", {"class_path": "mil"}, "write tags: {loss: {class_path: mil}}"),
    ("model.losses.tags.loss", "mill", "unknown loss 'mill' (did you mean mil?); known: asymmetric_focal"),
    ("model.losses.apart", {"loss": "cosine_penalty", "weigth": 0.1}, "no setting 'weigth' (did you mean weight?)"),
    ("model.losses.apart.weight", "high", "model.losses.apart.weight is 'high', expected a number or a Schedule"),
    ("model.losses.tags.loss", {"class_path": "wsed.losses.base.Loss"}, "model.losses.tags.loss: Loss is abstract; na"),
    ("model.losses", None, "model.losses is missing; write model: {losses: {tags: {loss: mil}}}"),
    ("model.lr", 1e-3, "model has no setting 'lr' (did you mean model.optimizer.init_args.lr?)"),
    ("model.optimizer", "adamw", f"model.optimizer: unknown optimizer 'adamw' (did you mean AdamW?); {ADAMW}"),
    ("model.optimizer", {"lr": 1e-3}, f"model.optimizer names no class; {ADAMW}"),
    ("model.optimizer", {"class_path": "torch.optim.AdamWW"}, "unknown optimizer 'AdamWW' (did you mean AdamW"),
    ("model.optimizer", {"class_path": "AdamW", "init_args": {"learning_rate": 1}}, "did you mean model.optimizer.ini"),
    ("model.optimizer", {"class_path": "AdamW", "lr": 1}, "model.optimizer: lr must be in init_args; write optimiz"),
    ("model.optimizer", {"class_path": "torch.optim.SGD", "init_args": {"lr": "fast"}}, "lr is 'fast', expected a num"),
    ("model.lr_scheduler", "cosine", "unknown lr_scheduler 'cosine'; write lr_scheduler: {class_path: torch.optim.lr_"),
    ("model.network", None, "model.network is missing; write model: {network: {encoder: crnn}}"),
    ("model.network.backbone", "crnn", "model.network has no setting 'backbone'; known: encoder, head, frontend"),
    ("model.network.encoder", "crn", "unknown encoder 'crn' (did you mean crnn or cnn or cdur?)"),
    ("model.network.encoder.init_args.chanels", 8, "model.network.encoder has no setting 'chanels' (did you mean chan"),
    ("model.network.encoder.init_args.channels", "many", "model.network.encoder.channels is 'many', expected a whole "),
    ("model.network.encoder", {"class_path": "wsed.models.base.Encoder"}, "Encoder is abstract; name one of ast, "),
    ("model.network.encoder", {"class_path": "my_models.Net"}, "cannot import my_models (No module named 'my_models')"),
    ("model.network.head", ["framewise", "clip_attn"], "unknown head 'clip_attn' (did you mean clip_attention?)"),
    ("evaluation.decoder", {"treshold": 0.3}, "evaluation.decoder has no setting 'treshold' (did you mean threshold"),
    ("evaluation.decoder", {"class_path": "step"}, "unknown decoder 'step' (did you mean steps"),
    ("evaluation.rank_by", "event_f1/macro", "expected a list or null; write rank_by: [event_f1/macro]"),
    ("training", {"epochs": 3}, "there is no setting 'training' (did you mean trainer?)"),
    ("trainer.epochs", 3, "trainer has no setting 'epochs' (did you mean trainer.max_epochs?)"),
    ("trainer.gpus", 1, "trainer has no setting 'gpus' (did you mean trainer.devices?)"),
    ("trainer.max_epochs", "ten", "trainer.max_epochs is 'ten', expected a whole number or null"),
    ("trainer.precision", "fp16", "trainer.precision: unknown precision 'fp16' (did you mean bf16 or 16?)"),
]  # fmt: skip

FLAGS = [
    ("--epochs 3", "--epochs: there is no setting 'epochs' (did you mean trainer.max_epochs?)"),
    ("--lr 0.1", "(did you mean model.optimizer.init_args.lr?)"),
    ("--gpus 1", "(did you mean trainer.devices?)"),
    ("--seed 1", "(did you mean seed_everything?)"),
    (
        "--model.threshold 0.5",
        "--model.threshold: model has no setting 'threshold' (did you mean evaluation.decoder.thr",
    ),
    ("--model.encoder crnn", "(did you mean model.network.encoder?)"),
    ("--model.losses.tags mil", "write tags: {loss: mil}"),
    ("--model.optimizer adamw", "(did you mean AdamW?)"),
    ("--model.network.encoder.chanels 8", "model.network.encoder has no setting 'chanels' (did you mean channels?)"),
    ("--data.batch 8", "data.batch is 8, expected a mapping or null; write batch: {weak: 8}"),
    ("--trainer.max_epoch 3", "(did you mean max_epochs"),
    ("--evaluation.decoder.treshold 3", "(did you mean threshold"),
    ("more.yaml", "unexpected 'more.yaml': give a configuration by --config more.yaml"),
    ("--overwrite yes", "unexpected 'yes'"),
    ("--config gone.yaml", "no such --config: gone.yaml"),
]


def refused(args):
    """The message that the arguments of `wsed fit` are refused with."""
    with pytest.raises(WsedError) as caught, prepared(["fit", *args]):
        pass
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize(("path", "value", "sentence"), SETTINGS)
def test_mistakes_in_yaml(tmp_path, path, value, sentence):
    config = copy.deepcopy(BASE)
    *parents, last = path.split(".")
    part = config
    for key in parents:
        part = part[key]
    if value is None:
        del part[last]
    else:
        part[last] = value
    (tmp_path / "exp.yaml").write_text(yaml.safe_dump(config))
    message = refused(["--config", str(tmp_path / "exp.yaml")])
    assert sentence in message
    assert "exp.yaml: " in message


@pytest.mark.parametrize(("args", "sentence"), FLAGS)
def test_mistakes_on_the_command_line(tmp_path, args, sentence):
    (tmp_path / "exp.yaml").write_text(yaml.safe_dump(BASE))
    assert sentence in refused(["--config", str(tmp_path / "exp.yaml"), *args.split()])


def test_no_configuration_at_all():
    assert refused([]) == "wsed fit needs settings: add --config FILE.yaml, such as experiments/quickstart.yaml"
    for verb in ("validate", "test", "predict"):
        with pytest.raises(WsedError) as caught, prepared([verb, "--ckpt_path", "best"]):
            pass
        assert str(caught.value).startswith(f"wsed {verb} needs the settings of a training: add --config with that")
        assert str(caught.value).endswith("such as runs/exp/seed_0/config.yaml, and --ckpt_path best, last or a file")
    with pytest.raises(WsedError, match=r"unknown verb .train. .did you mean fit"):
        verbs.run("train", [])


def test_a_flag_lies_over_the_configuration(tmp_path):
    (tmp_path / "exp.yaml").write_text(yaml.safe_dump(BASE))
    good = ["--data.corpus.root", "x", "--evaluation.decoder", "{smooth: 0.1}", "--model.network.encoder.channels=6"]
    good += [
        "--trainer.callbacks+=EarlyStopping",
        "--trainer.callbacks.monitor=val/score",
        "--model.optimizer",
        "AdamW",
    ]
    with prepared(["fit", "--config", str(tmp_path / "exp.yaml"), *good, "--overwrite"]) as args:
        assert "--overwrite" in args


@pytest.mark.parametrize(
    ("asked", "printed"),
    [("--data.help desed", "root (must be set)"), ("--model.network.help composed", "encoder (must be set)"),
     ("--model.network.encoder.help crnn", "channels: 64"), ("--model.losses.tags.loss.help", "takes a loss"),
     ("--evaluation.tuning.help", "what is tuned, on which"), ("--evaluation.tuning.help", "\n  split: validation"),
     ("--evaluation.help", "resamples: 1000"), ("--data.windows.help", "length (must be set)"),
     ("--data.augment.help mixup", "init_args"), ("--model.parts.help", "lr: null")],
)  # fmt: skip
def test_help_of_a_component(capsys, asked, printed):
    with pytest.raises(SystemExit) as ended, prepared(["fit", *asked.split()]):
        pass
    assert ended.value.code == 0
    assert printed in capsys.readouterr().out


def test_help_of_a_setting_without_further_settings():
    said = "--evaluation.rank_by.help: there is no help for evaluation.rank_by; see --evaluation.help or --help"
    assert said in refused(["--evaluation.rank_by.help"])


def test_a_callback_that_watches_what_is_not_logged():
    with pytest.raises(WsedError, match=r"EarlyStopping monitors 'val_loss', .* \(did you mean val/loss"):
        check_monitors([EarlyStopping("val_loss")], ["tags"])
    check_monitors([EarlyStopping("val/loss_tags"), EarlyStopping("val/event_f1", mode="max")], ["tags"])


@pytest.mark.parametrize("name", ["val/score", "val/event_f1", "val/event_f1_micro", "val/psds1", "val/silhouette"])
def test_a_callback_that_waits_for_a_lower_score(name):
    """`min` is the default of Lightning: the best epoch of a callback would be the worst one."""
    with pytest.raises(
        WsedError, match=f"EarlyStopping monitors '{name}' with mode 'min', .* greater .*: set mode: max"
    ):
        check_monitors([EarlyStopping(name)], ["tags"])
    with pytest.raises(WsedError, match=r"ModelCheckpoint monitors .* set mode: max"):
        check_monitors([ModelCheckpoint(monitor=name)], ["tags"])
    with pytest.raises(WsedError, match=r"PatientEarlyStopping monitors .* set mode: max"):
        check_monitors([PatientEarlyStopping(monitor=name)], ["tags"])
    check_monitors([EarlyStopping(name, mode="max"), ModelCheckpoint(monitor=name, mode="max")], ["tags"])


@pytest.mark.parametrize("count", [-1, 0])
def test_a_callback_that_keeps_all_checkpoints_or_none_may_have_any_mode(count):
    check_monitors([ModelCheckpoint(monitor="val/score", save_top_k=count)], ["tags"])
    with pytest.raises(WsedError, match="monitors 'val_score', which is not logged"):
        check_monitors([ModelCheckpoint(monitor="val_score", save_top_k=count)], ["tags"])


@pytest.mark.parametrize("declared", [(), ("error",)])
def test_a_metric_of_ones_own_for_which_lower_is_better(monkeypatch, declared):
    class Mine(METRICS["event_f1"]):
        numbers, not_scores = declared, declared

    monkeypatch.setitem(METRICS._classes, "my_error", Mine)
    check_monitors([EarlyStopping("val/my_error", mode="min"), EarlyStopping("val/my_error", mode="max")], ["tags"])
    assert best("val/my_error") is None  # `wsed search` takes it with and without `--minimize`
    monkeypatch.setattr(Mine, "numbers", ("score", "error"))
    with pytest.raises(WsedError, match=r"a greater value is better: set mode: max"):
        check_monitors([EarlyStopping("val/my_error", mode="min")], ["tags"])


@pytest.mark.parametrize("name", ["val/loss", "train/loss", "val/loss_tags"])
def test_a_callback_that_waits_for_a_greater_loss(name):
    with pytest.raises(
        WsedError, match=f"monitors '{name}' with mode 'max', but a lower value is better: set mode: min"
    ):
        check_monitors([EarlyStopping(name, mode="max")], ["tags"])
    check_monitors([ModelCheckpoint()], ["tags"])


def one_cycle():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1)
    torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1)


def torchrun():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORLD_SIZE", "2")
        TorchElasticEnvironment().validate_settings(num_devices=4, num_nodes=1)


def srun():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_NTASKS", "4")
        patch.delenv("SLURM_NTASKS_PER_NODE", raising=False)
        SLURMEnvironment()


def unknown_mode():
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--callbacks", type=list[Callback] | Callback | None)
    args = ["--callbacks+=EarlyStopping", "--callbacks.monitor=x", "--callbacks.mode=maxx"]
    parser.instantiate(parser.parse_args(args))


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        (one_cycle, "model.lr_scheduler (stepped once per epoch: its steps are epochs): You must define either"),
        (lambda: torch.optim.Adam([torch.zeros(1)], lr=-1.0), "model.optimizer: Invalid learning rate: -1.0"),
        (lambda: Trainer(accelerator="gpuu"), "trainer: You selected an invalid accelerator name"),
        (lambda: Trainer(accelerator="cpu", devices="many"), "trainer.devices: "),
        (lambda: seed_everything(-1), "seed_everything: -1 is not in bounds"),
        (unknown_mode, "trainer.callbacks: `mode` can be min, max, got maxx"),
        (torchrun, "trainer.devices and trainer.num_nodes must be what the scheduler starts: You set `devices=4`"),
        (srun, "trainer.devices and trainer.num_nodes must be what the scheduler starts: You set `--ntasks=4`"),
    ],
)
def test_what_torch_and_lightning_refuse_names_the_setting(mistake, sentence):
    with pytest.raises(Exception) as caught:
        mistake()
    told = user_error(caught.value)
    assert isinstance(told, WsedError)
    assert sentence in str(told)


PYTHON = """
import torch, wsed
from wsed.losses import MIL, functional
from wsed.models import CRNN, Composed, MMNet
labels = wsed.Labels(["cat", "dog"])
net = Composed(labels, CRNN)
term = {"tags": wsed.Weighted(MIL())}
scores, tags = torch.rand(4, 50, 2), torch.ones(4, 2)
mistakes = [
    lambda: wsed.SEDTask(net, {"tags": MIL()}),
    lambda: wsed.SEDTask(net, [MIL()]),
    lambda: wsed.SEDTask(net, term, learning_rate=1e-3),
    lambda: wsed.SEDTask(CRNN, term),
    lambda: Composed(labels, CRNN(64)),
    lambda: Composed(labels, "crnn"),
    lambda: wsed.SEDTask(net, term)((torch.zeros(4, 16000), tags)),
    lambda: functional.mil(scores.mT, tags),
    lambda: functional.mil(scores * 9, tags),
    lambda: functional.mil(scores, tags[:1]),
    lambda: CRNN(64, activation="gelu"),
    lambda: MMNet(labels, CRNN, wsed.models.Framewise),
    lambda: wsed.Evaluation(wsed.decoding.StepDecoder(threshold=50)),
    lambda: wsed.Truth(tags > 0, tags > 0, wsed.Events.of([]), tags[:, :1] > 0),
]
for mistake in mistakes:
    try:
        mistake()
        print("taken")
    except Exception as error:
        print(type(error).__name__, error)
"""


def test_mistakes_in_python(tmp_path):
    (tmp_path / "mistakes.py").write_text(PYTHON)
    root = str(Path(__file__).parents[2])
    run = subprocess.run(  # without the hooks of the tests, which check types first
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r}); exec(open('mistakes.py').read())"],
        cwd=tmp_path, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    lines = run.stdout.splitlines()
    sentences = [
        "'tags' is a bare MIL; write {'tags': wsed.Weighted(MIL())}",
        "losses is list, expected a mapping",
        "no argument 'learning_rate'",
        "needs labels to build the network",
        "encoder is a finished CRNN; pass the class, encoder=CRNN",
        "encoder is 'crnn'; pass a class",
        "the data loader yields tuple, expected wsed.Batch",
        "scores seem transposed, (4, 2, 50)",
        "scores must be probabilities, in [0, 1]; give logits.sigmoid()",
        "tags must be [clip label], here (4, 2), not (1, 2)",
        "unknown activation 'gelu'",
        "head must be a list whose last head is the micro subnet",
        "evaluation.decoder.threshold is 50, but scores are in [0, 1]",
        "tags, tagged and timed must be [clip label] tables of one shape, not (4, 2), (4, 2), (4, 1)",
    ]
    assert len(lines) == len(sentences), run.stdout + run.stderr
    for line, sentence in zip(lines, sentences, strict=True):
        assert line.startswith("WsedError ")
        assert sentence in line


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"strategy": "fsdp"}, r"trainer.strategy 'fsdp' is not supported.*; known: .*ddp"),
        ({"strategy": "dp"}, r"trainer.strategy 'dp' is not supported"),
        ({"strategy": "ddpp"}, r"trainer.strategy 'ddpp' is not supported \(did you mean ddp"),
        ({"sync_batchnorm": True, "accelerator": "cpu"}, "trainer.sync_batchnorm needs GPUs"),
    ],
)
def test_strategies_that_do_not_work_here(settings, sentence):
    with pytest.raises(WsedError, match=sentence):
        _check_strategy(Namespace(**{"strategy": "auto", "sync_batchnorm": False, "accelerator": "auto", **settings}))
    _check_strategy(Namespace(strategy="ddp", sync_batchnorm=False, accelerator="cpu"))


COUNTS = {"accumulate_grad_batches": 1, "check_val_every_n_epoch": None, "devices": 1, "barebones": False}


@pytest.mark.parametrize("name", ["accumulate_grad_batches", "check_val_every_n_epoch"])
def test_numbers_by_which_lightning_divides(name):
    settings = {**COUNTS, name: 1}
    _check_counts(Namespace(**settings))
    with pytest.raises(WsedError, match=f"trainer.{name} must be 1 or more, not 0"):
        _check_counts(Namespace(**{**settings, name: 0}))


def test_no_processes_and_nothing_saved_are_refused():
    for devices in (0, "0"):
        with pytest.raises(WsedError, match=r"trainer\.devices is 0: give the number of processes, 1 or more, or auto"):
            _check_counts(Namespace(**{**COUNTS, "devices": devices}))
    with pytest.raises(WsedError, match=r"trainer\.barebones is not supported"):
        _check_counts(Namespace(**{**COUNTS, "barebones": True}))


def test_many_more_processes_than_cores_are_refused():
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    for devices in (2 * cores + 1, str(32 * cores)):
        with pytest.raises(WsedError, match=rf"trainer.devices is {devices}: .* may use {cores} cores: set it to"):
            _check_processes(Namespace(devices=devices, accelerator="cpu"))
    for devices in (2 * cores, "auto", 1):
        _check_processes(Namespace(devices=devices, accelerator="cpu"))
    _check_processes(Namespace(devices=32 * cores, accelerator="gpu"))
