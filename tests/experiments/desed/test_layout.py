"""The rows train for two steps on DESED's folders with the real label files; the sound is noise."""

from pathlib import Path

import pytest
import yaml

from tests.cli.test_experiments import SMALL_BEATS
from tests.experiments.desed.layout import EVENTS, lay_out
from wsed.cli.configs import merged
from wsed.cli.main import main
from wsed.data.corpus.desed import DESED
from wsed.study.rows import read_recipe

RECIPE = read_recipe(Path(__file__).parents[3] / "experiments/desed")
OVERLAY_2023 = {
    "baseline": "dcase2023",
    "beats": "dcase2023_beats",
    "two_stages_1": "dcase2023_two_stages",
    "two_stages_2": "dcase2023_two_stages",
}


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


def place_of(year, root):
    """The setting that says where the clips are; those of 2023 lie in two folders, recordings and soundscapes."""
    if year == 2021:
        return {"root": str(root)}
    roots = {"real": root, "synth": root / "dcase_synth"}
    return {"corpora": {name: {"init_args": {"root": str(path)}} for name, path in roots.items()}}


def fit(row, year, root, out, *more):
    """The exit status of two steps of a row, with a sixth of its batches; BEATs is small and random."""
    files = RECIPE.configs(row, OVERLAY_2023[row] if year == 2023 else None)
    settings = {
        "data": {
            "corpus": {"init_args": place_of(year, root)},
            "batch": {source: n and n // 6 for source, n in merged(files)["data"]["batch"].items()},
            "workers": 0,
            "eval_batch": 4,
        },
        "trainer": {"max_epochs": 1, "accelerator": "cpu", "check_val_every_n_epoch": 1, "logger": False}
        | {f"limit_{stage}_batches": 2 for stage in ("train", "val", "test")},
    }
    if any(file.stem == "base_beats" for file in files):
        fused = {"init_args": {"pretrained_encoder": {"init_args": {"config": SMALL_BEATS}}}}
        settings["model"] = {"network": {"init_args": {"student": {"encoder": fused}}}}
    place = out.with_suffix(".yaml")
    place.write_text(yaml.safe_dump(settings))
    return main(
        ["fit", *(f"--config={file}" for file in (*files, place)), "--trainer.default_root_dir", str(out), *more]
    )


def test_the_real_label_files_of_2021_list_the_clips_that_they_should(shared, tmp_path):
    root = lay_out(tmp_path / "dataset", real(shared), 2021, seconds=0.1, rate=8000)
    corpus = DESED(root, train={"synthetic": "train/synthetic21_train/soundscapes"}, test="validation/validation")
    assert len(corpus.clips("test")) == 1168
    assert len(corpus.clips("train", ["unlabelled"])) == 14412
    assert len(corpus.labels) == 10


@pytest.mark.slow
@pytest.mark.parametrize("year", [2021, 2023])
@pytest.mark.parametrize("row", ["baseline", "beats", "two_stages"])
@pytest.mark.filterwarnings("ignore:.*the weights are random and are not trained")
def test_two_steps_on_the_real_label_files(row, year, shared, tmp_path):
    if row != "baseline":
        pytest.importorskip("speechbrain", reason="the extra beats is not installed")
    root = lay_out(tmp_path / "dataset", real(shared), year, seconds=10.0, rate=8000)
    if row != "two_stages":
        assert fit(row, year, root, tmp_path / row) == 0
        return
    assert fit("two_stages_1", year, root, tmp_path / "first") == 0
    start = tmp_path / "first/checkpoints/last.ckpt"
    assert fit("two_stages_2", year, root, tmp_path / "second", "--init_from", str(start)) == 0
