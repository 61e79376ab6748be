"""2,000 damaged files of all kinds that users or wsed write: read or refused in one line, without traceback or hang."""

import os
import random
import signal
import sqlite3
import warnings
from argparse import Namespace
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from io import StringIO

import numpy as np
import pytest
import soundfile as sf
import torch

import wsed
from tests.conftest import make_corpus
from wsed.checkpoint import Checkpoint, facts_of
from wsed.cli.configs import prepared
from wsed.cli.main import main
from wsed.data import audio
from wsed.data.doctor.check import check
from wsed.data.synth.corpus_files import CorpusFiles
from wsed.data.synth.recipe_files import load_recipe
from wsed.errors import WsedError
from wsed.models.encoders.crnn import CRNN
from wsed.models.frontends import LogMel
from wsed.models.network import Composed
from wsed.scoring.formats.run_scores import read_scores, write_scores
from wsed.tuned import TunedDecoder, read_tuned
from wsed.types import Labels
from wsed.values import Scores

COUNT = int(os.environ.get("WSED_MUTATIONS", "2000"))
LABELS = Labels(["Cat", "Dog"])
REFERENCE = "filename\tonset\toffset\tevent_label\na.wav\t0.5\t2.0\tDog\nb.wav\t1.0\t9.0\tCat\nc.wav\t\t\t\n"
DURATIONS = "filename\tduration\na.wav\t10\nb.wav\t10\nc.wav\t10\n"
CONFIG = """
model:
  network: {encoder: {class_path: crnn, init_args: {channels: 4, pools: [[2, 4], [1, 4]]}}, head: framewise}
  losses: {tags: {loss: mil}, apart: {loss: cosine_penalty, weight: 0.1}}
  optimizer: {class_path: torch.optim.AdamW, init_args: {lr: 1e-3}}
evaluation: {decoder: {threshold: 0.3}, rank_by: [event_f1/macro]}
data: {corpus: {class_path: desed, init_args: {root: corpus, labels: [Cat, Dog]}}, batch: {weak: 4}, duration: 3}
trainer: {max_epochs: 1, accelerator: cpu}
"""
SPACE = "model.optimizer.lr: {low: 1e-4, high: 1e-2, log: true}\nmodel.network.head.pooling: {choices: [max, mean]}\n"
RECIPE = "clips: {train: 2, validation: 1}\nlike: plain\nclip: 10.0\n"
JUNK = (
    b"\xff", b"\0", b"\x1b[2J", b"\xef\xbb\xbf", b"\n", b"\t", b"{", b"]", b'"', b"1e999", b"-1", b"NaN", b"null",
    b"!!x ", b"&a [*a, *a]", b"../" * 9, b"9" * 400, b"\xe2\x80\xae", b"- ", b": ",
)  # fmt: skip


def mutated(content, rng):
    """A copy of bytes with one to three changes."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 3)):
        place, size = rng.randrange(len(data) + 1), rng.choice([1, 1, 4, 40, len(data) // 2])
        kind = rng.randrange(7)
        if kind == 0:
            data[place : place + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            del data[place : place + size]
        elif kind == 2:
            data[place:place] = data[place : place + size]
        elif kind == 3:
            data[place:place] = rng.choice(JUNK)
        elif kind == 4:
            del data[place:]
        elif kind == 5:
            lines = bytes(data).split(b"\n")
            rng.shuffle(lines)
            data = bytearray(b"\n".join(lines))
        elif data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """For each kind: a file, and what reads it."""
    home = tmp_path_factory.mktemp("mutations")
    corpus = make_corpus(home / "corpus")
    (corpus / "metadata/labels.txt").write_text("high\nlow\n")
    texts = {"exp.yaml": CONFIG, "space.yaml": SPACE, "recipe.yaml": RECIPE, "durations.tsv": DURATIONS}
    for name, text in (texts | dict.fromkeys(("ref.tsv", "events.tsv"), REFERENCE)).items():
        (home / name).write_text(text)
    network = Composed(LABELS, partial(CRNN, channels=4, gru=4, dense=8), frontend=LogMel(8000, 256, 160, 64, 20.0))
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    facts = facts_of(network, {"class_path": "steps", "init_args": {}}, wsed.__version__)
    torch.save({"wsed": facts, "state_dict": weights, "global_step": 1}, home / "a.ckpt")
    spec = {"class_path": "steps", "init_args": {"threshold": 0.3}}
    tuned = TunedDecoder(spec, spec, {"split": "validation"}).write(home / "a.ckpt")
    rng = np.random.default_rng(0)
    scores = Scores.of_padded(torch.from_numpy(rng.random((2, 50, 2))).float(), 10.0, clip_ids=("a.wav", "b.wav"))
    (home / "scores").mkdir()
    write_scores(home / "scores", scores, LABELS)
    tone = (0.1 * rng.standard_normal(8000)).astype("float32")
    for suffix in ("wav", "flac", "ogg", "mp3"):
        sf.write(home / f"a.{suffix}", tone, 8000)
    (home / "run" / "test").mkdir(parents=True)
    (home / "run" / "config.yaml").write_text(CONFIG)
    report = home / "run" / "test" / "scores.json"
    command("evaluate", "--reference", home / "ref.tsv", "--predictions", home / "events.tsv", "--resamples", 10,
            "--durations", home / "durations.tsv", "--json", report)  # fmt: skip
    clips = ("--clips", "train=2", "validation=1", "eval=1")
    command("data", "synth", "--soundbank", "builtin", "--out", home / "synth", *clips)
    evaluation = ("evaluate", "--reference", home / "ref.tsv", "--predictions", home / "events.tsv", "--resamples", 0)
    long = (*evaluation, "--durations", home / "durations.tsv")
    fit = ["fit", "--config", str(home / "exp.yaml")]
    weak, labels = corpus / "metadata/train/weak.tsv", corpus / "metadata/labels.txt"
    strong = corpus / "metadata/validation/validation.tsv"
    sound = next((corpus / "audio/train/weak").iterdir())
    doctor = partial(check, corpus, workers=1, duration=1.0)
    paths = {suffix: home / f"a.{suffix}" for suffix in ("wav", "flac", "ogg", "mp3")}
    sounds = {suffix: (path, partial(audio.read, path, 8000)) for suffix, path in paths.items()}
    return sounds | {
        "config": (home / "exp.yaml", partial(prepare, fit)),
        "run config": (home / "run" / "config.yaml", partial(command, "show", home / "run")),
        "space": (home / "space.yaml", partial(space, home / "space.yaml")),
        "recipe": (home / "recipe.yaml", partial(load_recipe, str(home / "recipe.yaml"))),
        "reference": (home / "ref.tsv", partial(command, *evaluation)),
        "events": (home / "events.tsv", partial(command, *evaluation)),
        "durations": (home / "durations.tsv", partial(command, *long)),
        "weak table": (weak, doctor),
        "strong table": (strong, doctor),
        "labels": (labels, doctor),
        "clip": (sound, doctor),
        "report": (report, partial(command, "show", home / "run")),
        "checkpoint": (home / "a.ckpt", partial(opened, home / "a.ckpt")),
        "tuned decoder": (tuned, partial(read_tuned, home / "a.ckpt")),
        "scores": (home / "scores" / "frame_scores.npz", partial(read_scores, home / "scores")),
        "synth head": (home / "synth" / "synth.json", partial(synth, home / "synth")),
        "synth journal": (next((home / "synth").glob("**/*.jsonl")), partial(synth, home / "synth")),
        "study": (study(home), partial(reopened, home)),
    }


def command(*args):
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()) as told:
        main([str(arg) for arg in args])
    assert "Traceback" not in told.getvalue()


def prepare(args):
    with redirect_stderr(StringIO()), prepared(args):
        pass


def space(path):
    from wsed.cli.search_space import read_space

    read_space(path)


def opened(path):
    Checkpoint.open(path).network()


def synth(root):
    files = CorpusFiles(root)
    files.begin({"version": 1}, {"train": 2, "validation": 1, "eval": 1}, overwrite=False)


def reopened(home):
    from wsed.cli.search_space import read_space
    from wsed.cli.search_store import open_study

    base = f"sqlite:///{home / 'study' / 'study.db'}"
    settings = Namespace(storage=base, first_rung=5, minimize=False, seed=0)
    open_study(settings, read_space(home / "study.yaml"), home / "study")


def study(home):
    (home / "study").mkdir()
    (home / "study.yaml").write_text(SPACE)
    reopened(home)
    path = home / "study" / "study.db"
    with sqlite3.connect(path) as base:
        base.execute("VACUUM")
    return path


def hangs(*_):
    raise TimeoutError("it hangs")


@pytest.mark.slow
def test_the_mutations_are_many_and_the_files_are_good(files):
    assert len(files) > 18
    for path, read in files.values():
        read()
        content = path.read_bytes()
        assert any(mutated(content, random.Random(seed)) != content for seed in range(9))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_damaged_files_are_refused_in_one_line(files):
    signal.signal(signal.SIGALRM, hangs)
    wrong, count = [], 0
    for number in range(-(-COUNT // len(files))):
        for kind, (path, read) in files.items():
            good, rng, count = path.read_bytes(), random.Random(f"{kind} {number}"), count + 1
            path.write_bytes(mutated(good, rng))
            signal.alarm(60)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    read()
            except WsedError as error:
                if len(str(error).splitlines()) > 3 or len(str(error)) > 2000:
                    wrong.append(f"{kind} {number}: {len(str(error))} letters: {str(error)[:200]}")
            except Exception as error:
                wrong.append(f"{kind} {number}: {type(error).__name__}: {str(error)[:200]}")
            finally:
                signal.alarm(0)
                path.write_bytes(good)
    assert count >= COUNT
    assert not wrong, "\n".join(wrong)
