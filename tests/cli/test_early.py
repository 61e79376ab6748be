"""Mistakes that are found before torch is imported."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.cli.test_resume import SMALL
from wsed.cli.check_settings import check_settings
from wsed.cli.early import check_files
from wsed.cli.names import expand
from wsed.errors import WsedError

EXPERIMENTS = Path(__file__).parents[2] / "experiments"

MISTAKES = {
    "modle: {}": "there is no setting 'modle' (did you mean model?)",
    "trainer: {max_epoch: 3}": "trainer has no setting 'max_epoch' (did you mean max_epochs",
    "data: {batches: {weak: 4}}": "data has no setting 'batches' (did you mean batch",
    "data: {eval_batch: many}": "data.eval_batch is 'many', expected a whole number",
    "evaluation: {resamples: [3]}": "evaluation.resamples is [3], expected a whole number",
    "model: {network: {encoder: crn}}": "model.network.encoder: unknown encoder 'crn' (did you mean crnn",
    "model: {network: {encoder: {class_path: crnn, init_args: {chanels: 4}}}}": (
        "model.network.encoder has no setting 'chanels' (did you mean channels?)"
    ),
    "model: {losses: {tags: {loss: mill}}}": "model.losses.tags.loss: unknown loss 'mill'",
    "model: {losses: {tags: {los: mil}}}": "model.losses.tags has no setting 'los' (did you mean loss?)",
    "model: {network: {encodr: crnn}}": "model.network has no setting 'encodr' (did you mean encoder?)",
    "data: {augment: [gain, mixupp]}": "data.augment: unknown augment 'mixupp'",
    "data: {corpus: {class_path: desed, init_args: {rot: x}}}": "data.corpus has no setting 'rot'",
}


def mistake(check):
    with pytest.raises(WsedError) as raised:
        check()
    return str(raised.value)


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_are_told_as_later(text, tmp_path):
    path = tmp_path / "exp.yaml"
    path.write_text(text)
    said = mistake(lambda: check_files(["--config", str(path)]))
    assert MISTAKES[text] in said
    assert said.startswith(f"{path}: ")
    later = mistake(lambda: check_settings(expand(yaml.safe_load(text))))
    assert later.partition("; known")[0].partition(" (did")[0] in said


def test_what_is_right_is_passed(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    check_files([f"--config={path}", "--resume", "auto"])
    path.write_text("# nothing\n")
    check_files(["--config", str(path)])
    files = [*EXPERIMENTS.glob("*/rows/*.yaml"), *EXPERIMENTS.glob("*/base*.yaml"), EXPERIMENTS / "quickstart.yaml"]
    check_files([f"--config={file}" for file in files])


def test_neither_torch_nor_lightning_is_imported(tmp_path):
    (tmp_path / "exp.yaml").write_text("model: {network: {encoder: crn}}")
    code = (
        "import sys; from wsed.cli.main import main; status = main(['fit', '--config', 'exp.yaml']); "
        "print(status, 'torch' in sys.modules, 'lightning' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "2 False False\n"
    assert "unknown encoder 'crn' (did you mean crnn" in done.stderr
