"""F1 by the duration of the event, from made-up tested runs."""

import sys

import pytest
import torch

from experiments.waa import durations
from wsed.scoring.formats.run_scores import write_scores
from wsed.types import Labels
from wsed.values import Scores

LABELS = Labels(["Cat", "Dog"])
SECONDS = {"a.wav": 0.3, "b.wav": 0.3, "c.wav": 3.0, "d.wav": 3.0}


def test_short_events_are_missed_and_long_ones_found(tmp_path, monkeypatch, capsys):
    (tmp_path / "waa/audio/eval/public").mkdir(parents=True)
    (tmp_path / "waa/metadata/eval").mkdir(parents=True)
    rows = [f"{name}\t1\t{1 + seconds}\t{LABELS.names[i % 2]}" for i, (name, seconds) in enumerate(SECONDS.items())]
    table = "\n".join(["filename\tonset\toffset\tevent_label", *rows]) + "\n"
    (tmp_path / "waa/metadata/eval/public.tsv").write_text(table)
    for seed in (0, 1):
        run = tmp_path / f"study/waa-triplet-1/seed_{seed}/classifier"
        (run / "test_1/test").mkdir(parents=True)
        arguments = f"{{root: {tmp_path / 'waa'}, labels: [Cat, Dog]}}"
        config = f"data: {{corpus: {{class_path: single_event, init_args: {arguments}}}}}\n"
        (run / "config.yaml").write_text(config)
        scores = torch.tensor([[0.9, 0.1], [0.1, 0.2], [0.9, 0.1], [0.1, 0.9]])  # b.wav, a short dog, is missed
        write_scores(run / "test_1/test", Scores(tuple(SECONDS), torch.ones(4).double(), clip_scores=scores), LABELS)
    monkeypatch.setattr(sys, "argv", ["durations.py", str(tmp_path / "study"), "--edges", "0.5", "5"])
    durations.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| F1 in %, trained and tested on | up to 0.5 s | 0.5 to 5 s | over 5 s |"
    assert lines[2] == "| clips | 2 | 2 | 0 |"
    assert lines[3] == "| triplet, 1 s (2) | 66.7 +- 0.0 | 100.0 +- 0.0 | - |"
    monkeypatch.setattr(sys, "argv", ["durations.py", str(tmp_path)])
    with pytest.raises(SystemExit, match="no tested run of end_to_end"):
        durations.main()
