"""The figures of `experiments/mmnet`, from made-up runs whose scores are counted by hand and from a small training."""

import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from matplotlib.figure import Figure

from experiments.mmnet import pictures
from wsed.cli.main import main

EXPERIMENTS = Path(pictures.__file__).parent

LOW = (0.9, 0.1, 0.8, 0.1, 0.7, 0.1, 0.6, 0.1)  # the corpus' test clips hold `low` and `high` in turn
LATE = (0.5, 0.6, 0.7, 0.8, 0.1, 0.2, 0.3, 0.4)
AP_LATE = 100 * (1 / 2 + 2 / 4 + 3 / 6 + 4 / 8) / 4
"""Average precision of `low` if its clips are scored so: each is just below one of the others."""


def run(folder, low, frame_rate=10.0):
    """A run that scores the test clips' `low` so, and finds `high` without fault."""
    (folder / "test").mkdir(parents=True)
    (folder / "config.yaml").write_text("data: {corpus: {class_path: desed}}\n")
    (folder / "test/scores.json").write_text("{}")
    saved = {"labels": ["high", "low"], "clip_ids": [f"eval_{i}.wav" for i in range(8)]}
    scores = np.stack([1 - np.array(LOW), low], 1).astype(np.float32)
    np.savez(folder / "test/clip_scores.npz", **saved, clip_scores=scores)
    frames = {"frame_scores": scores[:, None], "valid": np.ones((8, 1), dtype=bool), "frame_rate": frame_rate}
    np.savez(folder / "test/frame_scores.npz", **saved, **frames)


@pytest.fixture
def draw(corpus, tmp_path, monkeypatch, capsys):
    """Figures by file name, and what is printed."""
    figures, save, out = {}, Figure.savefig, tmp_path / "out/pictures"

    def saved(figure, path, **options):
        save(figure, path, **options)
        if path.parent == out:  # else a training's own
            figures[path.name] = figure

    def drawn(*more, reference=corpus):
        args = ["pictures.py", str(tmp_path / "runs"), "--root", str(reference), "--out", str(out), *more]
        monkeypatch.setattr(sys, "argv", args)
        pictures.main()
        assert {path.name for path in out.iterdir()} == set(figures)
        return figures, capsys.readouterr().out

    monkeypatch.setattr(Figure, "savefig", saved)
    return drawn


def without_audio(*_):
    """Instead of `clips`, for runs without a checkpoint."""


def test_gain_of_each_class_is_of_the_seeds_of_both(draw, tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "clips", without_audio)
    for row, seed, low in (("resnet", 0, LATE), ("resnet", 1, LOW), ("mmnet", 0, LOW), ("mmnet", 2, LATE)):
        run(tmp_path / f"runs/{row}/seed_{seed}", low)
    run(tmp_path / "runs/att/seed_7", LATE)  # no base of this seed
    figures, _ = draw()
    gain, length = figures["class_gain.png"].axes
    names = [tick.get_text() for tick in length.get_xticklabels()]
    assert sorted(names) == ["high\n(4)", "low\n(4)"]
    assert [text.get_text() for text in gain.get_legend().get_texts()] == ["mmnet, seeds: 1"]
    found = dict(zip(names, (bar.get_height() for bar in gain.patches), strict=True))
    assert found == pytest.approx({"high\n(4)": 0.0, "low\n(4)": 100 * (100 / AP_LATE - 1)})


def test_lengths_of_segments_are_compared_on_the_seeds_that_all_have(draw, tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "clips", without_audio)
    for row, rate, seeds in (("mmnet", 8.0, "012"), ("mmnet_segments_2", 32.0, "01"), ("mmnet_segments_64", 1.0, "10")):
        for seed in seeds:
            run(tmp_path / f"runs/{row}/seed_{seed}", LATE if seed == "0" else LOW, rate)
    run(tmp_path / "runs/mmnet_ms/seed_0", LOW, 8.0)  # one length only
    figures, told = draw()
    left, right = figures["segments.png"].axes
    (mean_ap,), (auc,) = left.containers, right.containers
    assert mean_ap[0].get_xdata() == pytest.approx([1 / 32, 1 / 8, 1])
    values = [(100 + AP_LATE) / 2, 100]
    assert mean_ap[0].get_ydata() == pytest.approx([np.mean(values)] * 3)  # with seed 2 the base length had more
    assert auc[0].get_ydata() == pytest.approx([np.mean([(100 + 37.5) / 2, 100])] * 3)
    low, high = mean_ap[2][0].get_segments()[1][:, 1]
    assert (high - low) / 2 == pytest.approx(np.std(values, ddof=1))
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["mmnet, seeds: 2"]
    assert "class_gain.png is not drawn" in told


def test_lengths_without_a_common_seed_are_not_drawn(draw, tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "clips", without_audio)
    run(tmp_path / "runs/mmnet/seed_1", LOW, 8.0)
    run(tmp_path / "runs/mmnet_segments_2/seed_0", LOW, 32.0)
    figures, told = draw()
    assert not figures
    assert "segments.png is not drawn" in told


def test_segment_lengths_are_what_the_files_are_called():
    found = {}
    for path in EXPERIMENTS.glob("segments_*.yaml"):
        encoder = yaml.safe_load(path.read_text())["model"]["network"]["init_args"]["encoder"]
        found[int(path.stem.removeprefix("segments_"))] = int(np.prod(encoder["init_args"]["pools"]))
        assert f"segments of {path.stem.removeprefix('segments_')} frames" in path.read_text()
    assert found == {n: n for n in (2, 4, 8, 16, 32, 64, 128)}


TINY = """
model:
  network:
    class_path: mmnet
    init_args:
      encoder: {class_path: resnet1d, init_args: {channels: [4, 4, 4], pools: [2, 2]}}
      head: [{class_path: macro, init_args: {hidden: 8}}, micro]
      frontend: {class_path: logmel, init_args: {sample_rate: 8000, n_fft: 256, hop_length: 160, n_bands: 16}}
  losses: {macro: {loss: clip_bce}, micro: {loss: micro}}
data: {corpus: {class_path: desed}, batch: {weak: 4}, workers: 0}
trainer: {max_epochs: 1, accelerator: cpu, limit_train_batches: 1}
test_checkpoint: last
"""


@pytest.mark.slow
def test_clips_are_drawn_from_the_checkpoint(draw, corpus, tmp_path):
    (tmp_path / "tiny.yaml").write_text(TINY)
    folder = tmp_path / "runs/mmnet/seed_0"
    args = ["--data.corpus.root", str(corpus), "--trainer.default_root_dir", str(folder)]
    assert main(["fit", "--config", str(tmp_path / "tiny.yaml"), *args]) == 0
    run(tmp_path / "runs/resnet/seed_0", LOW)
    figures, _ = draw("--clips", "eval_4.wav")
    mel, events, curves, weight = figures["clips.png"].axes
    assert mel.get_title().splitlines()[:2] == ["eval_4.wav", "resnet: low 0.70"]
    (bar,) = events.patches
    assert (bar.get_x(), bar.get_x() + bar.get_width()) == pytest.approx((0.2, 0.6))
    saved = np.load(folder / "test/frame_scores.npz")
    scores = saved["frame_scores"][4, saved["valid"][4]]
    drawn = {curve.get_label(): curve.get_data().values for curve in curves.patches}
    for name, values in drawn.items():
        np.testing.assert_allclose(values, scores[:, ["high", "low"].index(name)], atol=1e-5)
    assert "low" in drawn
    (attention,) = weight.patches
    assert attention.get_data().values.sum() == pytest.approx(4, abs=1e-4)  # M softmaxes, one for each dimension
    figures.clear()
    figures, _ = draw()
    assert len(figures["clips.png"].axes) == 8  # of the first clip of each class, both transient
    titles = {axis.get_title().splitlines()[0] for axis in figures["clips.png"].axes if axis.get_title()}
    assert titles == {"eval_0.wav", "eval_1.wav"}


def test_clips_that_are_not_there_are_named(draw, tmp_path):
    run(tmp_path / "runs/mmnet/seed_0", LOW)
    with pytest.raises(SystemExit, match=r"--clips: no test clip 'eval_9' \(did you mean eval_.\.wav"):
        draw("--clips", "eval_0.wav", "eval_9")


def test_no_clip_tells_enough(draw, corpus, tmp_path):
    """All events are long: there is none of a transient class."""
    metadata = tmp_path / "corpus/metadata"
    for name in ("validation/validation.tsv", "eval/public.tsv"):
        rows = [line.split("\t") for line in (corpus / "metadata" / name).read_text().splitlines()]
        (metadata / name).parent.mkdir(parents=True)
        lines = [rows[0], *([clip, "0", "5", label] for clip, _, _, label in rows[1:])]
        (metadata / name).write_text("\n".join("\t".join(line) for line in lines) + "\n")
    (tmp_path / "corpus/audio").symlink_to(corpus / "audio")
    run(tmp_path / "runs/mmnet/seed_0", LOW)
    figures, told = draw(reference=tmp_path / "corpus")
    assert not figures
    assert "clips.png is not drawn: no test clip has short events" in told
