"""WAA: where segments lie, what they hold, and batches that serve every loss."""

import csv
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.conftest import make_corpus
from tests.data.modules import RATE, crops, listed, serving
from wsed.cli.main import main
from wsed.data import audio
from wsed.data.corpus.single_event import SingleEvent
from wsed.data.module import SEDDataModule
from wsed.data.reading.files import Files
from wsed.data.sampling.episodes import ClassSampler
from wsed.data.windows import Windows, crop_start
from wsed.errors import WsedError
from wsed.types import Needs


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 clips a part, 20 of each class; events of 0.4 s that begin at 0.2, 0.25, 0.3 or 0.35 s."""
    return make_corpus(tmp_path_factory.mktemp("large"), clips=40)


def waa(root: Path, needs: dict[str, Needs] | None = None, rank: int = 0, ranks: int = 1, **settings) -> SEDDataModule:
    """Crops set up for training beside losses with these needs."""
    return serving(crops(root, **{"sample_rate": RATE} | settings), root / "run", needs, rank=rank, ranks=ranks)


def spans(data: SEDDataModule, stage: str = "train") -> dict[str, tuple[float, float]]:
    return {clip.id: (clip.start, clip.duration) for clip in data.table(stage).clips}


def around_the_onset(onset, offset, length, duration, chance):
    """The rule as waa.md writes it (section 4); `chance` makes U(-1, 1) of a long event, U(0, 1) of another."""
    longer = offset - onset > length + 1e-6  # 4.2 s - 4 s are 0.2 s, in spite of rounding
    shift = -1 + 2 * chance if longer else -chance
    begin = max(0, onset + length * shift)
    end = begin + length
    if end > duration:
        end, begin = duration, duration - length
    return begin


# (duration of the clip, onset, offset, length of the segment, chance)
places = st.tuples(
    st.floats(0.5, 20), st.floats(0, 0.98), st.floats(0, 1), st.floats(0.01, 1), st.floats(0, 1, exclude_max=True)
).map(
    lambda d: (d[0], d[1] * d[0], d[1] * d[0] + 0.01 + d[2] * (d[0] - d[1] * d[0] - 0.01), d[3] * d[0], d[4])
)  # fmt: skip


@given(places)
@example((10.0, 4.0, 4.2, 0.2, 0.5))  # an event as long as the segment
@example((10.0, 0.0, 10.0, 10.0, 0.3))
@example((1.0, 0.0, 0.9999186206608589, 0.9999177986473322, 0.75))  # longer by less than rounding is allowed
@settings(max_examples=300, deadline=None)
def test_segments_lie_as_the_rules_say(place):
    duration, onset, offset, length, chance = place
    begins = {p: crop_start(onset, offset, length, duration, p, chance) for p in ("onset", "contained", "centered")}
    for begin in begins.values():
        assert 0 <= begin <= duration - length
    assert begins["onset"] == pytest.approx(around_the_onset(onset, offset, length, duration, chance), abs=1e-12)
    inner, outer = sorted(
        [(onset, offset), (begins["contained"], begins["contained"] + length)], key=lambda s: s[1] - s[0]
    )
    assert outer[0] - 1e-9 <= inner[0]
    assert inner[1] <= outer[1] + 1e-9
    middle = begins["centered"] + length / 2
    wanted = min(max((onset + offset) / 2, length / 2), duration - length / 2)
    assert middle == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize(
    ("event", "length", "chance", "begin"),
    [
        ((4.0, 4.5), 1.0, 0.25, 3.75),  # fits: up to 1 s before; here 0.25 s
        ((4.0, 4.5), 1.0, 0.75, 3.25),  # the same event, cut: the segment ends at 4.25
        ((4.0, 7.0), 1.0, 0.25, 3.5),  # longer: half a segment before its onset
        ((4.0, 7.0), 1.0, 0.75, 4.5),
        ((0.1, 0.3), 1.0, 0.9, 0.0),  # not before the clip
        ((9.5, 9.8), 1.0, 0.0, 9.0),  # nor after it
        ((2.0, 9.0), 10.0, 0.4, 0.0),
    ],
)
def test_the_rule_of_the_authors_code_by_hand(event, length, chance, begin):
    assert crop_start(*event, length, 10.0, "onset", chance) == pytest.approx(begin)


def test_a_contained_segment_reaches_both_ends():
    starts = [crop_start(4.0, 4.5, 1.0, 10.0, "contained", chance / 100) for chance in range(100)]
    assert min(starts) == pytest.approx(3.5)
    assert max(starts) == pytest.approx(4.0, abs=0.01)
    inside = [crop_start(4.0, 8.0, 1.0, 10.0, "contained", chance / 100) for chance in range(100)]
    assert min(inside) == pytest.approx(4.0)
    assert max(inside) == pytest.approx(7.0, abs=0.04)


@pytest.mark.parametrize("placement", ["onset", "contained", "centered"])
def test_a_segment_is_that_part_of_the_clip(large, placement):
    data = waa(large, placement=placement)
    table, whole = data.table("train"), {clip.id: clip for clip in listed(data, "train")}
    batch = next(iter(data.train_dataloader()))
    assert batch.audio.shape == (2, round(0.5 * RATE))
    rows = dict(zip(batch.clip_ids, range(len(batch)), strict=True))
    for clip in table.clips:
        begin, length = clip.start, clip.duration
        ((label, onset, offset),) = whole[clip.id].events
        kept = min(offset, begin + length) - max(onset, begin)
        assert clip.tags == {label}
        assert [(k, b - a) for k, a, b in clip.events] == ([(label, pytest.approx(kept))] if kept > 0 else [])
        if placement == "contained":
            assert kept == pytest.approx(0.4)
        if clip.id in rows:
            row = rows[clip.id]
            sound = audio.read(clip.path, RATE)[round(begin * RATE) :][: round(length * RATE)]
            torch.testing.assert_close(batch.audio[row], torch.from_numpy(sound), atol=0, rtol=0)
            mine = batch.events[batch.events.clip == row]
            assert mine.onset.tolist() == [a for _, a, _ in clip.events]
    assert batch.tagged.all()
    assert batch.timed.all()


def test_the_audio_of_the_event_is_where_the_labels_say(large):
    """The tones are 0.5 high, the noise 0.01."""
    data = waa(large, placement="contained", per_class=20)
    batch = next(iter(data.train_dataloader()))
    for row, onset, offset in zip(
        batch.events.clip.tolist(), batch.events.onset.tolist(), batch.events.offset.tolist(), strict=True
    ):
        loud = torch.nonzero(batch.audio[row].abs() > 0.1).flatten()
        assert loud[0] / RATE == pytest.approx(onset, abs=1e-3)
        assert loud[-1] / RATE == pytest.approx(offset, abs=2e-3)


def test_segments_are_the_same_in_all_runs(large, tmp_path):
    first = spans(waa(large))
    assert first == spans(waa(large, seed=9))
    assert first != spans(waa(large, placement_seed=1))
    assert len(set(first.values())) > 20
    # They do not depend on which other clips there are, nor on their order.
    other = make_corpus(tmp_path / "other", clips=20)
    table = other / "metadata/train/strong.tsv"
    header, *rows = table.read_text().splitlines()
    table.write_text("\n".join([header, *reversed(rows)]) + "\n")
    assert spans(waa(other)) == {name: span for name, span in first.items() if int(name.split("_")[1][:-4]) < 20}
    # Longer segments of a clip lie by the same chance.
    short, long = spans(waa(large, length=0.1)), spans(waa(large, length=0.2))
    onset = {clip.id: clip.events[0][1] for clip in listed(waa(large), "train")}
    for name, (begin, _) in short.items():
        assert long[name][0] - onset[name] == pytest.approx(2 * (begin - onset[name]))


def test_test_segments_have_a_length_of_their_own(large):
    data = waa(large, length=0.2, test_length=0.9)
    data.setup("test")
    assert {span[1] for span in spans(data, "validation").values()} == {0.2}
    assert {span[1] for span in spans(data, "test").values()} == {0.9}
    assert next(iter(data.test_dataloader())).audio.shape == (32, round(0.9 * RATE))
    same = waa(large, length=0.2)
    same.setup("test")
    assert {span[1] for span in spans(same, "test").values()} == {0.2}


def test_batches_are_balanced_and_serve_all_losses(large):
    tags = Needs(output=frozenset({"clip_logits"}), known=frozenset({"tagged"}))
    for needs, given_, per_class in (
        ({"tags": tags}, {}, 1),
        ({"tags": tags}, {"per_class": 5}, 5),
        ({"tags": tags, "episodes": Needs(classes=2, per_class=3), "pairs": Needs(classes=2, per_class=2)}, {}, 3),
        ({"pairs": Needs(classes=2, per_class=2)}, {"per_class": 4}, 4),
    ):
        loader = waa(large, needs, **given_).train_dataloader()
        assert len(loader) == 20 // per_class
        for batch in loader:
            assert batch.clip_labels.sum(0).tolist() == [per_class, per_class]
    alone = waa(large, classes=1, per_class=2).train_dataloader()
    assert len(alone) == 20
    assert all(batch.clip_labels.sum(0).max() == 2 for batch in alone)


def test_batches_are_shared_by_ranks(large):
    samplers = [waa(large, per_class=2, rank=r, ranks=2).train_dataloader().batch_sampler for r in (0, 1)]
    assert all(isinstance(sampler, ClassSampler) for sampler in samplers)
    whole = waa(large, per_class=4).train_dataloader().batch_sampler
    for step, first, second in zip(whole, *samplers, strict=True):
        assert Counter(step) == Counter(first + second)


def test_audio_is_read_once(large, monkeypatch):
    reads = Counter()
    real = audio.read
    monkeypatch.setattr(audio, "read", lambda path, *how: reads.update([path]) or real(path, *how))
    data = waa(large)
    loaders = [data.train_dataloader() for _ in range(3)]
    epochs = [{i: a for b in loader for i, a in zip(b.clip_ids, b.audio, strict=True)} for loader in loaders]
    assert len(reads) == len(epochs[0]) == 40
    assert set(reads.values()) == {1}
    for name, samples in epochs[0].items():
        assert torch.equal(samples, epochs[2][name])
    list(waa(large, reader=Files()).train_dataloader())
    assert set(reads.values()) == {2}


@pytest.mark.parametrize(
    ("settings", "needs", "message"),
    [
        (
            {"length": 1.5},
            {},
            r"data.windows.length is 1.5 s, but clip train_0.wav .* lasts 1 s; set data.windows.length to 1 or",
        ),
        ({"classes": 3}, {}, r"data.episodes.classes is 3, but there are 2"),
        (
            {"per_class": 21},
            {},
            r"data.episodes.per_class asks for 21 .* 20 training clip\(s\) of 'high': .* lower data.episodes.per_c",
        ),
        ({"per_class": 11, "ranks": 2}, {}, r"in a batch of each of 2 processes, but"),
        ({}, {"a": Needs(classes=3, per_class=1)}, r"loss 'a' needs .* 3 classes, .* 2 \(high, low\): set data"),
        ({}, {"a": Needs(classes=2, per_class=30)}, r"loss 'a' asks for 30 clips of each class .* 20 training"),
        (
            {"per_class": 1},
            {"a": Needs(per_class=2)},
            r"loss 'a' .* data.episodes.per_class is 1: set it to 2, or to null",
        ),
        ({"classes": 1}, {"a": Needs(classes=2)}, r"loss 'a' .* data.episodes.classes is 1: set it to 2, or to null"),
        (
            {"labels": ["high", "low", "mid"]},
            {},
            r"data.episodes.per_class asks for 1 .* 0 training clip\(s\) of 'mid'",
        ),
    ],
)
def test_what_cannot_be_served_is_refused(large, settings, needs, message):
    with pytest.raises(WsedError, match=message):
        waa(large, needs, **settings)


def test_a_class_of_one_clip_has_no_pair(tmp_path):
    root = make_corpus(tmp_path, clips=3)  # low, high, low
    assert len(waa(root).train_dataloader()) == 1
    with pytest.raises(WsedError, match=r"loss 'pairs' asks for 2 clips .* has 1 training clip\(s\) of 'high'"):
        waa(root, {"pairs": Needs(classes=2, per_class=2)})


def test_clips_of_two_classes_are_refused_where_a_loss_takes_one(large):
    class Two(SingleEvent):
        def clips(self, split, sources=None):
            clips, both = super().clips(split, sources), frozenset({"high", "low"})
            return [
                replace(clip, tags=both, events=tuple((label, on, off) for _, on, off in clip.events for label in both))
                for clip in clips
            ]

    needs = {"near": Needs(classes=2, per_class=2, one_class=True)}
    assert waa(large, needs)
    with pytest.raises(
        WsedError, match=r"loss 'near' takes clips of one class, but clip train_0.wav has 2 .high, low.: "
    ):
        waa(large, needs, corpus=Two(large))
    with pytest.raises(WsedError, match=r"has 0 training clip.s. of 'low' \(one with several classes counts for the f"):
        waa(large, {"near": Needs(classes=2, per_class=2)}, corpus=Two(large))


DESED = ["--data.corpus=desed", "--data.windows=null", "--data.episodes=null"]
PAPER = Path(__file__).parents[3] / "experiments/waa"


def configs(row):
    return [f"--config={PAPER / 'base.yaml'}", f"--config={PAPER / 'rows' / row}.yaml"]


@pytest.mark.parametrize(
    ("row", "given_", "message"),
    [
        (
            "triplet",
            ["--data.episodes.per_class=5"],
            "data.episodes.per_class asks for 5 clips of each class in a batch, but ",
        ),
        (
            "triplet",
            ["--data.episodes.per_class=1"],
            "loss 'triplets' needs batches with per_class of 2 or more; data.epis",
        ),
        (
            "triplet",
            ["--data.episodes.classes=1"],
            "loss 'triplets' needs batches with classes of 2 or more; data.episodes.classes is 1",
        ),
        (
            "triplet",
            [*DESED, "--data.batch={weak: 4}", "--data.balanced=false"],
            "needs batches balanced by class: set",
        ),
        (
            "triplet",
            [*DESED, "--data.batch={weak: 3}"],
            "loss 'triplets' needs 2 clips of each of 2 classes or more in a batch; data.batch is {'weak': 3} for 2 ",
        ),
        ("prototypical", ["--model.losses.prototypes.loss.init_args.shot=4"], "loss 'prototypes' asks for 5 clips of "),
        (
            "prototypical",
            ["--data.episodes.classes=3"],
            "data.episodes.classes is 3, but there are 2: set it to that, or to null",
        ),
        ("end_to_end", ["--data.windows.length=2"], "data.windows.length is 2 s, but clip "),
        (
            "triplet",
            ["--data.windows.length=0.1"],
            "data.windows.length is 0.1 s, less than one frame of the network (0.2 s): give",
        ),
        (
            "end_to_end",
            ["--data.windows.test_length=0.1"],
            "data.windows.test_length is 0.1 s, less than one frame of the network",
        ),
        (
            "end_to_end",
            ["--data.windows.test_length=2"],
            "set data.windows.test_length to 1 or less",
        ),  # before it is trained
    ],
)
def test_rows_are_refused_before_they_are_trained(corpus, tmp_path, capsys, row, given_, message):
    args = ["fit", *configs(row), "--trainer.default_root_dir", str(tmp_path)]
    assert (
        main([*args, "--data.corpus.root", str(corpus), "--trainer.accelerator=cpu", "--data.workers=0", *given_]) == 2
    )
    said = capsys.readouterr()
    assert message in said.err
    assert "epoch 0" not in said.out
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize("row", ["triplet", "prototypical"])
def test_rows_say_which_class_has_one_clip(tmp_path, capsys, row):
    root = make_corpus(tmp_path / "corpus", clips=3)
    args = ["fit", *configs(row), "--data.corpus.root", str(root), "--trainer.accelerator=cpu"]
    args += ["--data.workers=0", "--trainer.default_root_dir", str(tmp_path / "run")]
    assert main(args) == 2
    assert "has 1 training clip(s) of 'high': make more" in capsys.readouterr().err
    assert main([*args, *DESED, "--data.batch={weak: 4}"]) == 2  # else its own positive
    error = capsys.readouterr().err
    assert "2 of each class from source 'weak', but there are 1 training clips of 'high': lower data.batch" in error


@pytest.mark.parametrize("row", ["triplet", "prototypical"])
def test_clips_of_several_classes_train_an_embedding(corpus, tmp_path, row):
    """The paper's future work: whole clips with all their tags, from any corpus."""
    root = tmp_path / "corpus"
    shutil.copytree(corpus, root)
    table = root / "metadata/train/weak.tsv"
    table.write_text(table.read_text().replace("train_2.wav\tlow", "train_2.wav\tlow,high"))
    args = ["fit", *configs(row), *DESED, "--data.batch={weak: 4}"]
    args += ["--data.corpus.root", str(root), "--data.workers=0", "--trainer.accelerator=cpu"]
    assert main([*args, "--trainer.max_epochs=1", "--trainer.default_root_dir", str(tmp_path / "run")]) == 0
    (log,) = (tmp_path / "run").rglob("metrics.csv")
    rows = list(csv.DictReader(log.open()))
    assert any(float(value) > 0 for line in rows for key, value in line.items() if key == "train/loss" and value)


def test_a_miner_of_one_class_refuses_clips_of_several(corpus, tmp_path, capsys):
    pytest.importorskip("pytorch_metric_learning", reason="the extra metric is not installed")
    root = tmp_path / "corpus"
    shutil.copytree(corpus, root)
    table = root / "metadata/train/weak.tsv"
    table.write_text(table.read_text().replace("train_2.wav\tlow", "train_2.wav\tlow,high"))
    args = ["fit", *configs("triplet"), *DESED, "--data.batch={weak: 4}"]
    args += ["--data.corpus.root", str(root), "--trainer.accelerator=cpu", "--data.workers=0"]
    args += ["--model.losses.triplets.loss=metric_learning", "--model.losses.triplets.loss.init_args.miner"]
    assert main([*args, "BatchHardMiner", "--trainer.default_root_dir", str(tmp_path / "run")]) == 2
    assert "loss 'triplets' takes clips of one class, but clip train_2.wav has 2 (high, low)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"placement": "centred"}, r"centered"),
        ({"length": 0.0}, "data.windows.length must be above 0"),
        ({"per_class": 0}, "data.episodes.per_class must be above 0"),
        ({"test_length": -1.0}, "data.windows.test_length must be above 0"),
    ],
)
def test_mistaken_settings_are_refused(corpus, settings, message):
    with pytest.raises((WsedError, TypeError), match=message):  # TypeError: where annotations are checked
        crops(corpus, **settings)


def test_clips_may_hold_several_events_and_tables_have_any_name(tmp_path):
    """A crop is cut around one of them, here of 0.2 s, and has the tags of what lies in it."""
    root = make_corpus(tmp_path, clips=4)
    table = root / "metadata/train/strong.tsv"
    table.write_text(table.read_text() + "train_2.wav\t0.900\t0.950\thigh\n")
    table.rename(root / "metadata/train/mine.tsv")
    corpus = SingleEvent(root, train="train/mine", validation=None)
    assert not corpus.has("validation")
    (clip,) = (clip for clip in corpus.clips("train") if clip.id == "train_2.wav")
    assert clip.tags == {"high", "low"}
    parts = [Windows(0.2, placement="contained", seed=i).of(replace(clip, duration=1.0), "train")[0] for i in range(20)]
    assert {part.tags for part in parts} == {frozenset({"high"}), frozenset({"low"})}


def test_through_the_command_line(corpus, tmp_path):
    config = {
        "model": {
            "network": {
                "frontend": {"class_path": "logmel", "init_args": {"sample_rate": RATE, "n_fft": 512, "f_max": 4000}},
                "encoder": {"class_path": "cnn", "init_args": {"channels": 4}},
                "head": "tagging",
            },
            "losses": {"tags": {"loss": "clip_bce"}},
        },
        "data": {
            "corpus": {"class_path": "single_event", "init_args": {"root": str(corpus)}},
            "windows": {"length": 0.5, "placement": "onset"},
            "episodes": {"per_class": 2},
        },
        "trainer": {"fast_dev_run": 2, "accelerator": "cpu", "default_root_dir": str(tmp_path / "run")},
    }
    path = tmp_path / "row.yaml"
    path.write_text(yaml.safe_dump(config))
    assert main(["fit", "--config", str(path), "--data.windows.test_length", "1.0", "--data.workers", "0"]) == 0
