"""Every experiment's YAML is parsed and trained for two steps through the real command line."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from tests.conftest import make_corpus
from tests.data.dcase2018 import first_release, make_dcase2018
from wsed.cli.main import main
from wsed.data.corpus.videos.layout import DCASE2017_LABELS as LABELS

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
REAL = "cosine_penalty/dcase2018.yaml"
SYSTEMS = {
    "cosine_penalty/soundscapes_at.yaml": "cosine_penalty/glu_mil_cos_at.yaml",
    "fpd/soundscapes.yaml": "fpd/euc.yaml",
    "mmnet/soundscapes.yaml": "mmnet/mmnet_ms.yaml",
    "mmnet/soundscapes_crnn.yaml": "mmnet/glu_mmnet_cos.yaml",
    "mmnet/segments_64.yaml": "mmnet/mmnet_ms.yaml",
    "waa/two_cores.yaml": "waa/triplet.yaml",
}
ALIKE = {f"mmnet/segments_{n}.yaml" for n in (2, 4, 8, 16, 32, 128)}
"""One of them is tested, `segments_64.yaml`."""
VIDEOS = {
    "mmnet/dcase2017.yaml": "{weak: 4}",
    "mmnet/audioset_22k.yaml": "{balanced: 4}",
    "mmnet/audioset_1m.yaml": "{unbalanced_1m: 4}",
}
PARTS = {"cosine_penalty/soundscapes.yaml", *SYSTEMS, REAL, *VIDEOS, *ALIKE}
"""Merged over a row, not rows themselves."""
ROWS = [p.relative_to(EXPERIMENTS).as_posix() for p in sorted(EXPERIMENTS.rglob("*.yaml")) if p.name != "space.yaml"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """The tiny corpus, its strongly labelled clips a second source besides: the rows of the FPD paper mix both."""
    root = make_corpus(tmp_path_factory.mktemp("rows"))
    strong = (root / "metadata/train/strong.tsv").read_text()
    for source in ("synthetic", "builtin"):
        (root / "audio/train" / source).mkdir()
        for clip in (root / "audio/train/weak").iterdir():
            shutil.copy(clip, root / "audio/train" / source / f"{source}_{clip.name}")
        (root / f"metadata/train/{source}.tsv").write_text(strong.replace("train_", f"{source}_train_"))
    return root


@pytest.mark.parametrize("row", [r for r in ROWS if r not in PARTS])
def test_two_steps(row, corpus, tmp_path):
    args = ["fit", "--config", str(EXPERIMENTS / row), "--data.corpus.root", str(corpus), "--data.workers", "0"]
    args += ["--trainer.fast_dev_run", "2", "--trainer.accelerator", "cpu", "--trainer.default_root_dir", str(tmp_path)]
    assert main([*args, *untrained(row), *few(row)]) == 0


def few(row):
    """Large batches of large networks are made small here."""
    data = yaml.safe_load((EXPERIMENTS / row).read_text())["data"]
    batch = data.get("batch") if isinstance(data, dict) else None
    return [] if batch is None else ["--data.batch", str(dict.fromkeys(batch, 4))]


def untrained(row):
    """Rows that take an earlier run's weights do without them here."""
    return ["--model.network.init_args.pretrained", "null"] * ("pretrained:" in (EXPERIMENTS / row).read_text())


@pytest.mark.parametrize("part", sorted(PARTS - {REAL, *VIDEOS, *ALIKE}))
def test_parts_merge_over_a_row(part, corpus, tmp_path):
    row = SYSTEMS.get(part) or next(r for r in ROWS if r.startswith(part.split("/")[0]) and r not in PARTS)
    args = [
        "fit",
        "--config",
        str(EXPERIMENTS / row),
        "--config",
        str(EXPERIMENTS / part),
        "--data.corpus.root",
        str(corpus),
    ]
    args += ["--data.workers", "0", "--trainer.fast_dev_run", "1", "--trainer.accelerator", "cpu"]
    assert main([*args, *untrained(row), *few(row), "--trainer.default_root_dir", str(tmp_path)]) == 0


def test_a_row_on_the_papers_corpus(shared, tmp_path):
    root = make_dcase2018(tmp_path / "dcase2018", shared, first_release(shared))
    row = EXPERIMENTS / "cosine_penalty/glu_mil_cos.yaml"
    args = ["fit", "--config", str(row), "--config", str(EXPERIMENTS / REAL), "--data.corpus.root", str(root)]
    args += ["--data.workers", "0", "--trainer.fast_dev_run", "true", "--trainer.accelerator", "cpu"]
    assert main([*args, "--trainer.default_root_dir", str(tmp_path / "run")]) == 0


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Lists of AudioSet and of DCASE 2017 task 4, a clip of 1 s for each row; of AudioSet 3 classes."""
    root, mids = tmp_path_factory.mktemp("videos"), ("/m/09x0r", "/m/04rlf", "/m/0k4j")
    names = zip(mids, ("Speech", "Music", "Car"), strict=True)
    classes = "".join(f"{i},{mid},{name}\n" for i, (mid, name) in enumerate(names))
    (root / "class_labels_indices.csv").write_text("index,mid,display_name\n" + classes)
    clips = [f"-{i:010d}" for i in range(50 * len(mids))]
    rows = "".join(f'{c}, 0.000, 1.000, "{mids[2]},{mids[i % 3]}"\n' for i, c in enumerate(clips))
    for name in ("balanced_train_segments", "unbalanced_train_segments", "eval_segments"):
        (root / f"{name}.csv").write_text("# made\n# up\n# YTID, start_seconds, end_seconds, positive_labels\n" + rows)
    rows = "".join(f"{c}_0.000_1.000.wav\t0.000\t1.000\t{LABELS[i % 17]}\n" for i, c in enumerate(clips))
    for name in ("training", "testing"):
        (root / f"groundtruth_weak_label_{name}_set.csv").write_text(rows)
    noise = 0.1 * np.random.default_rng(0).standard_normal(8000)
    (root / "audio").mkdir()
    for clip in clips:
        soundfile.write(root / "audio" / f"{clip}_0.000_1.000.wav", noise, 8000)
    return root


def on_videos(part, root, out):
    args = ["fit", "--config", str(EXPERIMENTS / "mmnet/mmnet.yaml"), "--config", str(EXPERIMENTS / part)]
    args += [
        "--data.corpus.root",
        str(root),
        "--data.batch",
        VIDEOS[part],
        "--data.eval_batch",
        "4",
        "--data.workers",
        "0",
    ]
    return [*args, "--trainer.accelerator", "cpu", "--trainer.default_root_dir", str(out)]


@pytest.mark.parametrize("part", VIDEOS)
def test_rows_of_mmnet_on_the_papers_corpora(part, videos, tmp_path):
    assert main([*on_videos(part, videos, tmp_path), "--trainer.fast_dev_run", "1"]) == 0


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_row_of_mmnet_is_tuned_and_tested_on_clips_with_tags_only(split, videos, tmp_path):
    short = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "2", "--evaluation.tuning.split", split]
    assert main([*on_videos("mmnet/dcase2017.yaml", videos, tmp_path), *short]) == 0
    assert 0 <= json.loads((tmp_path / "test/scores.json").read_text())["tagging_f1"]["macro"] <= 1


@pytest.mark.parametrize("split", ["validation", "test"])
def test_thresholds_of_events_are_refused_before_training_where_events_are_not_known(split, videos, tmp_path, capsys):
    args = [*on_videos("mmnet/dcase2017.yaml", videos, tmp_path), "--trainer.max_epochs", "1"]
    assert main([*args, "--evaluation.tuning.thresholds", "events", "--evaluation.tuning.split", split]) == 2
    told = capsys.readouterr()
    assert f"the events of all clips of the {split} set" in told.err
    assert "set evaluation.tuning.thresholds and evaluation.tuning.medians to null" in told.err
    assert "epoch 0" not in told.out
