"""The baseline trains for two steps on DESED's folders with the real label files; the sound is noise."""

from pathlib import Path

import pytest
import yaml

from tests.experiments.desed.layout import EVENTS, lay_out
from wsed.cli.main import main
from wsed.data.corpus.desed import DESED

HERE = Path(__file__).parents[3] / "experiments/desed"


def rows(path):
    return [line.split("\t") for line in path.read_text().splitlines()]


def real(shared):
    """The real tables; of the 1,168 validation clips the 288 whose labels are here, and 880 made-up names."""
    folder = shared / "data/metadata/dcase2019_task4"
    synthetic, validation = rows(folder / "synthetic.tsv"), rows(folder / "validation_without_eval2018.tsv")
    clips = len({row[0] for row in validation[1:]})
    return {
        "weak": rows(folder / "weak.tsv"),
        "unlabelled": rows(folder / "unlabel_in_domain.tsv"),
        "synthetic": synthetic,
        "synthetic_validation": [EVENTS, *synthetic[1:200]],
        "validation": [
            EVENTS,
            *validation[1:],
            *((f"Ymade_up_{i}.wav", 0.5, 2.5, "Speech") for i in range(1168 - clips)),
        ],
    }


@pytest.mark.slow
@pytest.mark.parametrize("year", [2021, 2023])
def test_two_steps_on_the_real_label_files(year, shared, tmp_path):
    root = lay_out(tmp_path / "dataset", real(shared), year, seconds=10.0, rate=8000)
    if year == 2021:
        corpus = DESED(root, train={"synthetic": "train/synthetic21_train/soundscapes"}, test="validation/validation")
        assert len(corpus.clips("test")) == 1168
        assert len(corpus.clips("train", ["unlabelled"])) == 14412
        assert len(corpus.labels) == 10
        place = {"root": str(root)}
    else:
        roots = {"real": root, "synth": root / "dcase_synth"}
        place = {"corpora": {name: {"init_args": {"root": str(path)}} for name, path in roots.items()}}
    config = tmp_path / "base_place.yaml"
    config.write_text(yaml.safe_dump({"data": {"corpus": {"init_args": place}}}))
    files = [
        HERE / "base.yaml",
        HERE / "rows/baseline.yaml",
        *([HERE / "dcase2023.yaml"] if year == 2023 else []),
        config,
    ]
    short = [
        "--trainer.fast_dev_run",
        "2",
        "--trainer.accelerator",
        "cpu",
        "--data.workers",
        "0",
        "--data.eval_batch",
        "4",
    ]
    args = ["fit", *(f"--config={file}" for file in files), *short, "--trainer.default_root_dir", str(tmp_path / "run")]
    assert main(args) == 0
