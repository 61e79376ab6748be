"""`wsed predict` over two processes writes what one process writes: each clip once."""

import numpy as np
import pytest

from tests.cli.test_resume import SMALL, forks, log_of, slow
from tests.conftest import make_corpus
from tests.distributed.test_resumed import begin, ended, experiment
from wsed.cli.main import main
from wsed.data.table import read_rows


@forks
@slow
@pytest.mark.parametrize("clips", [5, 1])
def test_two_processes_predict_as_one(tmp_path, clips):
    """With two clips in a batch, the second process reads a batch and a filler, or nothing but a filler."""
    exp = experiment(tmp_path, make_corpus(tmp_path / "corpus", clips=clips), SMALL["model"], epochs=1)
    assert main(["fit", "--config", exp, "--trainer.default_root_dir", str(tmp_path), "--test_after_fit", "false"]) == 0
    one, two = tmp_path / "one", tmp_path / "two"
    checkpoint = ["--ckpt_path", str(tmp_path / "checkpoints" / "last.ckpt")]
    command = ["predict", "--config", exp, *checkpoint, "--data.eval_batch", "2", "--trainer.default_root_dir"]
    assert main([*command, str(one)]) == 0

    def predict(_):
        return main([*command, str(two), "--trainer.devices", "2", "--trainer.strategy", "ddp"])

    assert ended(begin(predict, two)) == [0, 0], log_of(two)
    names = sorted(path.name for path in (one / "predict").iterdir())
    assert "predictions.tsv" in names
    assert names == sorted(path.name for path in (two / "predict").iterdir())
    assert (one / "predict/predictions.tsv").read_text() == (two / "predict/predictions.tsv").read_text()
    rows = [tuple(row.values()) for _, row in read_rows(two / "predict/predictions.tsv", ())]
    assert len(rows) == len(set(rows)) > 0
    first, second = (np.load(folder / "predict/frame_scores.npz") for folder in (one, two))
    assert first.files == second.files
    for key in first.files:
        if first[key].dtype.kind == "f":
            np.testing.assert_allclose(first[key], second[key], rtol=0, atol=1e-6)  # a smaller batch rounds differently
        else:
            np.testing.assert_array_equal(first[key], second[key])
