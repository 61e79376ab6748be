"""The tables of `experiments/compare` from runs whose scores are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

from experiments.compare import table
from wsed.decoding import StepDecoder
from wsed.run import RunFolder
from wsed.scoring.formats.run_scores import write_scores
from wsed.spec import spec_of
from wsed.tuned import TunedDecoder
from wsed.types import Labels
from wsed.values import Scores

pytest.importorskip("scipy.stats", reason="the extra study is not installed")

NAMES = [f"c{i}.flac" for i in range(6)]
LABELS = ("Dog", "Vacuum_cleaner")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Six test clips: barks of 0.5 s and a vacuum cleaner of 1 s in turn, two clips of each recording."""
    root = tmp_path_factory.mktemp("compare")
    (root / "audio/eval/public").mkdir(parents=True)
    (root / "metadata/eval").mkdir(parents=True)
    events, sources = ["filename\tonset\toffset\tevent_label"], ["filename\tsource_file\tevent_label"]
    for i, name in enumerate(NAMES):
        (root / "audio/eval/public" / name).touch()
        events.append(f"{name}\t0.5\t{1 + 0.5 * (i % 2)}\t{LABELS[i % 2]}")
        sources.append(f"{name}\tforeground/eval/{LABELS[i % 2]}/rec_{i // 2}_{i % 2}.flac\t{LABELS[i % 2]}")
    (root / "metadata/eval/public.tsv").write_text("\n".join(events) + "\n")
    (root / "metadata/eval/provenance.tsv").write_text("\n".join(sources) + "\n")
    return root


def run(folder, corpus, hits):
    """A run that detects the events of the first `hits` clips."""
    frames = torch.zeros(6, 20, 2)
    for i in range(hits):
        frames[i, 5 : 10 + 5 * (i % 2), i % 2] = 1.0
    (folder / "test").mkdir(parents=True)
    (folder / "checkpoints").mkdir()
    scores = Scores.of_padded(frames, 10.0, clip_ids=tuple(NAMES), clip_scores=frames.amax(1))
    write_scores(folder / "test", scores, Labels(LABELS))
    (folder / "test/scores.json").write_text("{}")
    arguments = {"root": str(corpus), "labels": list(LABELS)}
    config = {"data": {"corpus": {"class_path": "wsed.data.corpus.desed.DESED", "init_args": arguments}}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    checkpoint = folder / "checkpoints/last.ckpt"
    checkpoint.write_bytes(b"weights")
    decoder = spec_of(StepDecoder()).to_plain()
    TunedDecoder(decoder, decoder, {}).write(checkpoint)


def test_tables_of_finished_runs(corpus, tmp_path, monkeypatch, capsys):
    for row, hits in (("linear_softmax", (3, 4)), ("frame_bce", (6, 6))):
        for seed, n in enumerate(hits):
            run(tmp_path / row / f"seed_{seed}", corpus, n)
    monkeypatch.setattr("sys.argv", ["table", str(tmp_path), "--resamples", "20"])
    table.main()
    printed = capsys.readouterr().out
    assert "6 test clips of 3 groups of recordings" in printed
    assert "short classes: Dog\nlong classes: Vacuum_cleaner" in printed
    rows = [line.strip("| ").split(" | ") for line in printed.splitlines() if line.startswith("|")]
    first = dict(zip(rows[0], rows[2], strict=True))
    # F1 of Dog and of Vacuum_cleaner: 2 of 3 (0.8) and 1 of 3 (0.5); then 2 of 3 both
    assert first["event F1"] == "72.5 +- 10.6"
    assert (first["short classes"], first["long classes"]) == ("80.0 +- 0.0", "65.0 +- 21.2")
    difference = next(line for line in rows if line[0] == "frame_bce - linear_softmax (2)")
    assert difference[1].startswith("+27.5 [")
    assert any(line[0] == "events beat tags" for line in rows)


def test_kept_numbers_need_no_frame_scores(corpus, tmp_path):
    folder = tmp_path / "linear_softmax/seed_0"
    run(folder, corpus, 4)
    clips = table.corpus_of(RunFolder(folder)).clips("test")
    recordings = table.recordings_of(clips, tuple(NAMES), 20)
    first = table.numbers(RunFolder(folder), None, recordings)
    (folder / "test/frame_scores.npz").unlink()
    again = table.numbers(RunFolder(folder), None, recordings)
    assert again.value == first.value
    assert all((again.drawn[name] == first.drawn[name]).all() for name in first.drawn)
    assert len(np.unique(first.drawn["event F1"])) > 1
    assert table.Numbers.kept(RunFolder(folder), replace(recordings, resamples=21)) is None  # of other draws


def test_recordings_of_clips(corpus, tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config(corpus)))
    clips = table.corpus_of(RunFolder(tmp_path)).clips("test")
    assert table.units(clips)[:3] == [frozenset({"rec_0"}), frozenset({"rec_0"}), frozenset({"rec_1"})]


def test_a_corpus_within_a_corpus_may_have_moved(corpus, tmp_path):
    inner = config("moved")["data"]["corpus"]
    pseudo = {"class_path": "pseudo", "init_args": {"corpus": inner}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"data": {"corpus": pseudo}}))
    assert len(table.corpus_of(RunFolder(tmp_path), corpus).clips("test")) == len(NAMES)


def config(root):
    return {"data": {"corpus": {"class_path": "desed", "init_args": {"root": str(root)}}}}


def test_no_finished_run_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["table", str(tmp_path)])
    with pytest.raises(SystemExit, match="no finished run of fsl"):
        table.main()
