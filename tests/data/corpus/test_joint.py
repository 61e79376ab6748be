"""Corpora with different classes, trained together."""

import json
from pathlib import Path

import pytest
import torch
import yaml

from tests.conftest import make_corpus
from tests.data.modules import RATE, module
from wsed.cli.main import main
from wsed.data.corpus.base import Corpus
from wsed.data.corpus.desed import DESED
from wsed.data.corpus.joint import Joint
from wsed.data.holdout import Holdout
from wsed.errors import WsedError
from wsed.losses.bce import ClipBCE, FrameBCE
from wsed.types import Labels, Output

LABELS = ("high", "low", "mid", "top")


@pytest.fixture(scope="module")
def corpora(tmp_path_factory) -> dict[str, Corpus]:
    """`home` knows high and low, `street` mid and top; both list tags and events."""
    roots = {name: make_corpus(tmp_path_factory.mktemp(name), clips=4) for name in ("home", "street")}
    for table in (roots["street"] / "metadata").rglob("*.tsv"):
        table.write_text(table.read_text().replace("low", "mid").replace("high", "top"))
    return {name: DESED(root) for name, root in roots.items()}


def batch_of(corpus: Corpus, quota: dict[str, int]):
    data = module(corpus, quota, sample_rate=RATE)
    data.setup("fit")
    return next(iter(data.train_dataloader()))


@pytest.mark.parametrize("loss", [ClipBCE(), FrameBCE()])
def test_each_corpus_gives_the_gradients_it_gives_alone(corpora, loss):
    """Where the other corpus knows nothing, nothing is learnt from its clips."""
    generator = torch.Generator().manual_seed(0)
    together = batch_of(Joint(corpora), {"home/strong": 4, "street/strong": 4})
    assert together.tagged.sum(1).tolist() == [2] * 8
    sides = {"home": Labels(["high", "low"]), "street": Labels(["top", "mid"])}
    logits = [torch.randn(len(LABELS), 10, generator=generator) for _ in range(8)]
    frames = torch.stack(logits).transpose(1, 2).requires_grad_()
    output = Output(
        frame_logits=frames,
        clip_logits=frames.amax(1),
        valid=torch.ones(8, 10, dtype=torch.bool),
        frame_rate=10.0,
    )
    loss(output, together).backward()
    assert frames.grad is not None
    for name in sides:
        mine = [i for i in range(8) if together.sources[int(together.source[i])].startswith(name)]
        classes = [LABELS.index(label) for label in corpora[name].labels]
        alone = batch_of(corpora[name], {"strong": 4})
        order = [alone.clip_ids.index(together.clip_ids[i].removeprefix(f"{name}/")) for i in mine]
        own = torch.empty(4, 10, 2)
        own[order] = frames.detach()[mine][:, :, classes]
        own.requires_grad_()
        single = Output(
            frame_logits=own, clip_logits=own.amax(1), valid=torch.ones(4, 10, dtype=torch.bool), frame_rate=10.0
        )
        loss(single, alone).backward()
        assert own.grad is not None
        found = frames.grad[mine]
        torch.testing.assert_close(2 * found[:, :, classes], own.grad[order])  # a mean over twice as many
        others = [k for k in range(len(LABELS)) if k not in classes]
        assert not found[:, :, others].any()


def test_classes_sources_and_clips_are_those_of_all(corpora):
    joint = Joint(corpora)
    assert joint.labels.names == LABELS
    assert {"home/weak", "street/strong"} <= set(joint.sources)
    assert len({c.id for c in joint.clips("test")}) == 8  # though the corpora have clips of the same names
    assert [c.source for c in joint.clips("test")] == ["home/test"] * 4 + ["street/test"] * 4
    assert {c.source for c in joint.clips("train", ["street/weak"])} == {"street/weak"}
    assert joint.annotated["home/validation"] == ("high", "low")
    with pytest.raises(WsedError, match=r"unknown source 'home/week' \(did you mean home/weak"):
        module(joint, {"home/week": 2})
    with pytest.raises(WsedError, match="'a/b' cannot be a name"):
        Joint({"a/b": corpora["home"]})


def test_clips_held_out_know_what_their_corpus_knows(tmp_path: Path, corpora):
    home, street = (DESED(corpora[name].root, validation=None) for name in ("home", "street"))
    data = module(Joint({"home": home, "street": street}), {"home/weak": 2, "street/weak": 2}, holdout=Holdout(0.5))
    table = data.check_labels("validation")
    assert table.sources == ("home/validation", "street/validation")
    assert table.annotated.tolist() == [[True, True, False, False], [False, False, True, True]]


def test_a_source_may_annotate_some_of_the_classes(corpora):
    corpus = DESED(corpora["home"].root, annotated={"weak": ["low"]})
    batch = batch_of(corpus, {"weak": 2, "strong": 2})
    known = {(int(s), tuple(row.tolist())) for s, row in zip(batch.source, batch.tagged, strict=True)}
    assert known == {(0, (False, True)), (1, (True, True))}
    assert batch.timed.tolist() == [[False, False]] * 2 + [[True, True]] * 2


def test_through_the_command_line(corpora, tmp_path):
    """Two corpora with different classes in a YAML: a row of four classes is trained and tested."""
    parts = {name: {"class_path": "desed", "init_args": {"root": str(c.root)}} for name, c in corpora.items()}
    frontend = {"class_path": "logmel", "init_args": {"sample_rate": RATE, "n_fft": 256, "f_max": 4000.0}}
    network = {"encoder": {"class_path": "cnn", "init_args": {"channels": 4}}, "frontend": frontend}
    row = {
        "model": {"network": network, "losses": {"tags": {"loss": "mil"}}},
        "data": {
            "corpus": {"class_path": "joint", "init_args": {"corpora": parts}},
            "batch": {"home/weak": 2, "street/weak": 2},
            "workers": 0,
        },
        "trainer": {"max_epochs": 1, "accelerator": "cpu", "default_root_dir": str(tmp_path / "run")},
    }
    (tmp_path / "row.yaml").write_text(yaml.safe_dump(row))
    assert main(["fit", "--config", str(tmp_path / "row.yaml")]) == 0
    scores = json.loads((tmp_path / "run/test/scores.json").read_text())
    assert scores["clips"] == 8
    assert set(scores["tagging_f1"]["per_class"]) == set(LABELS)
