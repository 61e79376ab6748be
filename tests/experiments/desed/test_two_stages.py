"""The second stage starts from the weights of the first: BEATs, small and random, beside the convolutions."""

from pathlib import Path

import pytest
import torch
import yaml

from tests.cli.test_experiments import SMALL_BEATS
from tests.experiments.desed.layout import lay_out, small
from wsed.cli.main import main

HERE = Path(__file__).parents[3] / "experiments/desed"
LAYERS = "network.student.encoder.pretrained_encoder.model.encoder.layers"


def weights(run):
    return torch.load(run / "checkpoints/last.ckpt", weights_only=True)["state_dict"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*the weights are random and are not trained")
def test_two_stages(tmp_path):
    pytest.importorskip("speechbrain", reason="the extra beats is not installed")
    root = lay_out(tmp_path / "dataset", small(), 2021, seconds=1.0)
    fused = {"init_args": {"pretrained_encoder": {"init_args": {"config": SMALL_BEATS}}}}
    place = tmp_path / "place.yaml"
    settings = {
        "model": {"network": {"init_args": {"student": {"encoder": fused}}}},
        "data": {"corpus": {"init_args": {"root": str(root)}}, "batch": {"synthetic": 2, "weak": 2, "unlabelled": 2}},
        "trainer": {"max_epochs": 1, "limit_train_batches": 2, "check_val_every_n_epoch": 1, "accelerator": "cpu"},
    }
    place.write_text(yaml.safe_dump(settings))
    for stage, more in ((1, []), (2, ["--init-from", str(tmp_path / "1/checkpoints/last.ckpt")])):
        files = [HERE / "base.yaml", HERE / "base_beats.yaml", HERE / f"rows/two_stages_{stage}.yaml", place]
        args = [*(f"--config={file}" for file in files), "--data.workers", "0", "--trainer.logger", "false"]
        assert main(["fit", *args, *more, "--trainer.default_root_dir", str(tmp_path / str(stage))]) == 0
    first, second = weights(tmp_path / "1"), weights(tmp_path / "2")
    layers = [name for name in first if name.startswith(LAYERS) and "weight" in name]
    assert layers
    moved = {name: float((second[name] - first[name]).abs().max()) for name in layers}
    assert max(moved.values()) > 0  # the first stage leaves them as they are
    assert all(difference < 1e-3 for difference in moved.values()), moved  # they start from those of the first
