"""Two processes train as one with the same batches: each loss, each augmentation and each row of the experiments.

20 steps of SGD in float32, without dropout and with batch normalisation that does not learn, which is not the same over
processes. `python -m tests.distributed.test_campaign` prints the table that the docs show.
"""

import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import pytest
import yaml
from torch import nn

import wsed
from tests.cli.test_experiments import CORPUS, RECIPES, desed, ward  # noqa: F401  fixtures
from tests.cli.test_resume import SMALL
from tests.conftest import make_corpus
from tests.distributed.ranks import run
from wsed.cli.configs import merged
from wsed.cli.training import WsedCLI
from wsed.cli.training import run as train
from wsed.ops.dropout import Dropout

SGD = "{class_path: torch.optim.SGD, init_args: {lr: 0.02}}"
PARAMETERS, METRICS = 1e-5, 1e-6
EPOCHS = 10
"""Of two steps: 8 clips a source, 4 in each step."""


class Still(pl.Callback):
    """Nothing random in the network, and no statistics of batches; keeps what was trained and logged."""

    def __init__(self):
        self.found = {}

    def on_train_batch_start(self, trainer, task, *_):
        for module in task.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
            if isinstance(module, Dropout):
                module.rate = 0.0
            if isinstance(module, nn.Dropout | nn.GRU | nn.LSTM):
                setattr(module, "p" if isinstance(module, nn.Dropout) else "dropout", 0.0)

    def on_train_end(self, trainer, task):
        self.found = {name: value.detach().numpy().copy() for name, value in task.named_parameters()}
        self.found |= {f"metric {k}": np.asarray(float(v)) for k, v in trainer.callback_metrics.items()}


def trained(args, folder, batch, rank, ranks):
    """Parameters, logged values and scores of the test clips."""
    names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": ranks, "LOCAL_WORLD_SIZE": ranks, "GROUP_RANK": 0}
    os.environ.update({name: str(value) for name, value in names.items()}, TORCHELASTIC_RUN_ID="here")
    still = Still()

    class Watched(WsedCLI):
        def own_callbacks(self):
            return [*super().own_callbacks(), still]

    out = Path(folder) / f"of_{ranks}"
    command = ["fit", *args, *(part.format(2 // ranks, 4 // ranks) for part in batch)]
    command += ["--trainer.default_root_dir", str(out)]
    command += ["--trainer.devices", str(ranks), "--trainer.accelerator", "cpu", "--trainer.max_epochs", str(EPOCHS)]
    command += ["--trainer.strategy", "ddp_find_unused_parameters_true", "--trainer.logger", "false"]
    command += ["--trainer.check_val_every_n_epoch", str(EPOCHS), "--model.optimizer", SGD, "--overwrite"]
    command += ["--evaluation.resamples", "0", "--trainer.enable_progress_bar", "false", "--data.eval_batch", "{}"]
    command[-1] = str(4 // ranks)
    train(command, Watched)
    if rank == 0:
        scores = json.loads((out / "test" / "scores.json").read_text())
        still.found |= {f"metric test/{k}": np.asarray(v) for k, v in numbers(scores)}
    return still.found


def numbers(value, path=""):
    """All numbers of a report, by their path."""
    if isinstance(value, dict):
        for key, below in value.items():
            if key not in ("versions", "decoder"):
                yield from numbers(below, f"{path}/{key}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value


def compared(args, folder, batch):
    """The largest difference of parameters and of metrics between two processes and one."""
    one, two = (run(partial(trained, args, str(folder), batch), ranks, 900)[0] for ranks in (1, 2))
    assert one.keys() == two.keys()
    worst = {False: 0.0, True: 0.0}
    for name, value in one.items():
        assert np.isfinite(value).all() or name.startswith("metric"), name
        difference = np.nan_to_num(np.abs(value - two[name])).max(initial=0.0)
        worst[name.startswith("metric")] = max(worst[name.startswith("metric")], float(difference))
    return worst[False], worst[True]


def small(folder, root, **changes):
    """A small experiment as a file."""
    config = yaml.safe_load(yaml.safe_dump(SMALL))
    config["data"] |= {"augment": []} | changes.get("data", {})
    config["data"]["corpus"]["init_args"]["root"] = str(root)
    config["model"] |= changes.get("model", {})
    path = Path(folder) / "small.yaml"
    path.write_text(yaml.safe_dump(config))
    return ["--config", str(path)]


def of_loss(name, folder, root):
    loss = {"class_path": name, "init_args": {"wps_start_epoch": 0} if name == "fpd" else {}}
    losses = {"tags": {"loss": "mil"}} | ({"it": {"loss": loss}} if name != "mil" else {})
    network = dict(SMALL["model"]["network"]) | {"head": ["framewise", "projection", "clip_attention"]}
    return small(folder, root, model={"losses": losses, "network": network})


def of_row(paper, row, root):
    files = RECIPES[paper].configs(row)
    config = merged(files)
    args = [*(f"--config={file}" for file in files), "--data.workers", "0", "--data.corpus.root", str(root)]
    args += ["--model.lr_scheduler", "null"]
    if "folder" in config["data"].get("reader", {}).get("init_args", {}):
        args += ["--data.reader.init_args.folder", str(root / "features")]
    if "pretrained" in config["model"]["network"]["init_args"]:
        args += ["--model.network.init_args.pretrained", "null"]
    if "batch" in config["data"]:
        quota = ", ".join(f"{source}: {{1}}" for source in config["data"]["batch"])
        return args, ["--data.batch", "{{" + quota + "}}"]
    return args, ["--data.episodes.per_class", "{}"]


ROWS = [(paper, row) for paper, recipe in RECIPES.items() for row in recipe.rows if paper not in ("what_wins",)]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("campaign"))


BATCH = ["--data.batch", "{{weak: {1}}}"]


def check(found):
    parameters, metrics = found
    assert parameters <= PARAMETERS
    assert metrics <= METRICS


@pytest.mark.slow
@pytest.mark.parametrize("name", wsed.components("loss"))
def test_losses(name, tmp_path, root):
    check(compared(of_loss(name, tmp_path, root), tmp_path, BATCH))


@pytest.mark.slow
@pytest.mark.parametrize(("paper", "row"), ROWS)
def test_rows(paper, row, tmp_path, request):
    root = request.getfixturevalue(CORPUS.get(paper, "desed"))
    check(compared(*of_row(paper, row, root)[:1], tmp_path, of_row(paper, row, root)[1]))


def main(names):
    """Print the table, of the losses and rows that are named, or of all."""
    print("| what | parameters | metrics |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        root = make_corpus(Path(folder) / "corpus")
        for name in wsed.components("loss"):
            if not names or name in names:
                out = Path(folder) / name
                out.mkdir()
                parameters, metrics = compared(of_loss(name, out, root), out, BATCH)
                print(f"| loss `{name}` | {parameters:.1e} | {metrics:.1e} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
