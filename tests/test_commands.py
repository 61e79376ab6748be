"""The commands of the README and of the guides run, page by page and in their order, on tiny made-up data."""

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from tests.cli.test_new import recordings
from tests.cli.test_training import SMALL
from tests.conftest import ROOT, make_corpus
from tests.test_docs import commands
from wsed.cli.main import main

RATE = 8000
ELSEWHERE = {
    r"(experiments|\$E)/\S+\.yaml|runs/(first|second)|runs/search|runs/triplet": "tests/cli/test_experiments.py trains "
    "every row of every recipe with its overlays; the other tests of tests/experiments run what follows",
    r"\$HERE|\$RUN|RUN/|COPY/|DCASE2018_FOLDER": "tests/experiments/cosine_penalty runs the two passes",
    r"soundbank (\.\./shared|\$BANK)|recipe waa": "tests/data/synth and tests/cli/data/test_synth.py run the recipes",
    r"devices \d|strategy ddp": "tests/distributed trains in two processes",
    r"^wsed demo": "it serves until it is stopped: tests/demo",
    r"^wsed reproduce": "tests/study and tests/cli/test_reproduce.py run a study; `all --scale smoke` takes 3 minutes",
    r"import gpv|audioset_crnn": "it needs the published weights: tests/inference/test_gpv.py imports made-up ones",
    r"(frozen|cached)\.yaml": "tests/models/encoders trains with a frozen encoder",
    r" FILE( |$)": "stands for any file",
}
"""Commands that do not run here, and which test runs them."""

MORE = {
    "evaluate": "--resamples 20",
    "fit": "--trainer.max_epochs 1 --trainer.accelerator cpu --data.workers 0 --evaluation.resamples 0",
    "data synth": "--clips train=2 validation=1 eval=1 --workers 1",
    "submit": "--dry-run",  # there is no scheduler here
}
"""Settings that make a command short."""


def elsewhere(line):
    """The test that runs a command; None if it runs here."""
    return next((where for pattern, where in ELSEWHERE.items() if re.search(pattern, line)), None)


def pages():
    """The commands of each page that run here, in their order."""
    lines = {}
    for each in commands():
        (line,) = each.values
        if elsewhere(line) is None:
            lines.setdefault(each.id.split()[0], []).append(line)
    return lines


QUICK = ("score", "report", "check-data", "data")
"""Pages whose commands take less than a second each; the others are slow tests."""


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A folder with all files that the pages name: corpora of two classes, a run, tables of events and scores."""
    home = tmp_path_factory.mktemp("place")
    with contextlib.chdir(home):
        corpus = make_corpus(home / "data" / "desed", clips=4)
        for path in corpus.rglob("*.tsv"):
            path.write_text(path.read_text().replace("\tlow", "\tDog").replace("\thigh", "\tCat"))
        recordings(home / "data" / "ward", n=12)
        files = sorted(path.relative_to(home / "data" / "ward") for path in (home / "data" / "ward").rglob("*.wav"))
        rows = [f"{path},{path.parent.name}" for path in files]
        (home / "tags.csv").write_text("\n".join(["filename,event_labels", *rows]) + "\n")
        data = {"corpus": {"class_path": "desed", "init_args": {"root": "data/desed"}}, "batch": {"weak": 2}}
        for name in ("exp", "mine"):
            (home / f"{name}.yaml").write_text(yaml.safe_dump({**SMALL, "data": {**data, "workers": 0}}))
        assert main(["fit", "--config", "exp.yaml", *MORE["fit"].split()]) == 0
        for name in ("mine", "ward", "glu_mil_cos", "mil", "glu", "quickstart"):
            shutil.copytree("runs/exp", f"runs/{name}")
        bank(home / "my_sounds")
        sounds(home, corpus)
        tables(home, corpus)
    return home


def bank(root):
    rng = np.random.default_rng(0)
    for split in ("train", "validation", "eval"):
        for folder in ("foreground/{}/hum", "foreground/{}/rattle", "background/{}"):
            place = root / folder.format(split)
            place.mkdir(parents=True)
            soundfile.write(place / "0.wav", 0.1 * rng.standard_normal(RATE), RATE)


def sounds(home, corpus):
    clips = sorted((corpus / "audio/eval/public").iterdir())
    (home / "recordings").mkdir()
    (home / "field" / "2026-01").mkdir(parents=True)
    (home / "audio").mkdir()
    shutil.copy(clips[0], home / "recordings" / "a.wav")
    shutil.copy(clips[0], home / "kitchen.wav")
    soundfile.write(home / "field" / "2026-01" / "a.flac", soundfile.read(clips[0])[0], RATE)
    shutil.copytree(corpus / "audio/validation/validation", home / "audio" / "validation")


def tables(home, corpus):
    """True events of the validation clips; detections at one threshold and at three; scores; durations."""
    truth = (corpus / "metadata/validation/validation.tsv").read_text()
    for name in ("validation.tsv", "test.tsv", "events.tsv", "predictions.tsv"):
        (home / name).write_text(truth)
    lines = truth.splitlines()
    clips = sorted({line.split("\t")[0] for line in lines[1:]})
    (home / "durations.tsv").write_text("filename\tduration\n" + "".join(f"{clip}\t1.0\n" for clip in clips))
    (home / "operating_points").mkdir()
    for threshold in (0.2, 0.5, 0.8):
        kept = lines[: round(len(lines) * (1.2 - threshold))]
        (home / "operating_points" / f"th_{threshold}.tsv").write_text("\n".join(kept) + "\n")
    rng, times = np.random.default_rng(0), np.arange(11) / 10
    for name in ("scores", "ours", "theirs", "validation_scores", "test_scores"):
        (home / name).mkdir()
        for clip in clips:
            rows = zip(times[:-1], times[1:], rng.random(10), rng.random(10), strict=True)
            text = "".join("\t".join(f"{cell:.4f}" for cell in row) + "\n" for row in rows)
            (home / name / f"{Path(clip).stem}.tsv").write_text("onset\toffset\tDog\tCat\n" + text)


def shortened(line):
    """The arguments of a command with the settings that make it short."""
    words = shlex.split(line)[1:]
    name = next((name for name in MORE if words[: len(name.split())] == name.split()), "")
    if name == "fit":  # a run of the template may have its name
        shutil.rmtree(Path("runs") / Path(words[words.index("--config") + 1]).stem, ignore_errors=True)
    if words[0] == "detect" and "--out" in words:  # a page shows several ways to write the same folder
        shutil.rmtree(words[words.index("--out") + 1], ignore_errors=True)
    return [*words, *MORE.get(name, "").split()]


def apart(line):
    """The status and the errors of a command in a process of its own: torch cannot trace shapes that are checked."""
    command = [sys.executable, "-m", "wsed.cli.main", *shortened(line)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", [pytest.param(p, marks=[] if p in QUICK else pytest.mark.slow) for p in pages()])
def test_the_commands_of_a_page_run(page, template, tmp_path, monkeypatch, capsys):
    home = tmp_path / "home"
    shutil.copytree(template, home)
    monkeypatch.chdir(home)
    monkeypatch.setattr(sys, "argv", ["wsed"])
    for line in pages()[page]:
        if "--to onnx" in line:
            pytest.importorskip("onnx", reason="the extra export is not installed")
        if line.startswith("wsed submit"):
            pytest.importorskip("submitit", reason="the extra cluster is not installed")
        status, said = apart(line) if "--to onnx" in line else (main(shortened(line)), capsys.readouterr().err)
        assert status in ((0, 1) if "data check" in line else (0,)), f"{line}\n{said}"
        assert "Traceback" not in said


def test_every_command_runs_here_or_in_a_named_test():
    kept_out = [each.values[0] for each in commands() if elsewhere(each.values[0])]
    assert sum(map(len, pages().values())) > 35
    for where in {elsewhere(line) for line in kept_out}:
        for path in re.findall(r"tests/[\w/.]+", where):
            assert (ROOT / path.rstrip(".")).exists(), path
    for pattern in ELSEWHERE:
        assert any(re.search(pattern, line) for line in kept_out), f"no command is like {pattern}"
