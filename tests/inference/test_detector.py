"""A detector on samples and files of any length, several files, several networks, and a stream."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from tests.inference.small import RATE, Loudness, detector, tones
from wsed.calibration import Calibration, ClassCalibration
from wsed.decoding import StepDecoder
from wsed.errors import WsedError
from wsed.inference import Detector, loading
from wsed.inference.ensemble import Ensemble
from wsed.inference.events import Chosen
from wsed.inference.windowed import blocks_of
from wsed.models.base import networks_in
from wsed.types import Labels

EVENTS = ((0.3, 0.7, 0.5), (0.92, 1.08, 0.5), (2.4, 4.62, 0.5), (5.0, 5.4, 0.12))
SOUND = tones(6.3, *EVENTS).numpy()
ROOT = Path(__file__).parents[2]


def times(events, label="loud"):
    return [(round(onset, 2), round(offset, 2)) for name, onset, offset in events if name == label]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    for name, sound in (("long", SOUND), ("short", SOUND[: RATE // 2]), ("next", SOUND[RATE:])):
        soundfile.write(folder / f"{name}.wav", sound, RATE, subtype="FLOAT")
    (folder / "broken.wav").write_bytes(b"RIFF of nothing")
    return folder


def test_events_are_found_across_the_seams_of_windows():
    events = detector().detect(SOUND)
    assert times(events) == [(0.3, 0.7), (0.92, 1.08), (2.4, 4.62)]
    assert times(events, "soft")[-1] == (5.0, 5.4)
    label, onset, offset = events[0]
    assert (label, events[0].label, events[0].onset, events[0].offset) == ("loud", "loud", onset, offset)
    assert 0.9 < events[0].confidence <= 1


def test_a_clip_of_one_window_is_decoded_as_a_clip():
    short = SOUND[:RATE]
    decoder = StepDecoder(rescale_edge=1, smooth=0.06, tags="clip", merge_gap=0.05)
    found = Detector(Loudness(), decoder, window=1.0).detect(short)
    from wsed.inference.windowed import predict

    (scores,) = predict(Loudness(), [torch.from_numpy(short)])
    whole = decoder(scores)
    assert len(found) == len(whole) > 0
    assert sorted(event.onset for event in found) == sorted(whole.events.onset.tolist())


def test_tags_are_asked_for_in_each_window():
    quiet = detector(tags="clip", tag_threshold=0.9, threshold=-1.0, min_duration=0.0)
    events = [event for event in quiet.detect(tones(6.0, (0.2, 0.8, 0.5)).numpy()) if event.label == "loud"]
    assert len(events) == 1 or all(event.confidence < 0.5 for event in events[1:])
    scores = quiet.decoder.within(quiet.scores(tones(6.0, (0.2, 0.8, 0.5)).numpy()))
    assert float(scores.frames.max()) > 0.9


def test_many_files_go_in_common_batches_and_a_damaged_one_is_passed_over(files):
    made = detector()
    paths = [files / name for name in ("long.wav", "broken.wav", "short.wav", "next.wav")]
    found = list(made.detect_many(paths, batch=32))
    assert [each.source for each in found] == list(map(str, paths))
    assert "broken.wav" in str(found[1].error)
    assert found[1].events == ()
    assert found[0].duration == pytest.approx(6.3)
    assert max(made.network.sizes) > 12
    for path, each in zip(paths, found, strict=True):
        if each.error is None:
            assert list(each.events) == made.detect(path)
    with pytest.raises(WsedError, match=r"broken\.wav"):
        made.detect(paths[1])


def test_small_batches_give_the_same(files):
    paths = [files / "long.wav", files / "next.wav"]
    assert [f.events for f in detector().detect_many(paths, batch=1)] == [
        f.events for f in detector().detect_many(paths)
    ]


def test_what_is_reported_can_be_chosen(files):
    (few,) = detector().detect_many([files / "long.wav"], chosen=Chosen(frozenset({"loud"}), top=2))
    assert len(few.events) == 2
    assert {event.label for event in few.events} == {"loud"}


def test_scores_are_those_of_the_recording(files):
    scores = detector().scores(files / "long.wav")
    assert scores.clip_ids == ("long.wav",)
    assert scores.frames.shape == (316, 2)
    assert scores.durations.tolist() == [pytest.approx(6.3)]
    assert float(scores.clip_scores[0, 0]) == pytest.approx(float(scores.frames[:, 0].max()))


def test_embeddings_are_of_windows():
    points, starts = detector().embeddings(SOUND)
    assert points.shape == (len(starts), 1)
    assert starts[:3] == [0.0, 0.5, 1.0]


def test_a_channel_can_be_chosen(tmp_path):
    both = np.stack([SOUND, np.zeros_like(SOUND)], axis=1)
    soundfile.write(tmp_path / "two.wav", both, RATE)
    made = detector()
    assert times(made.detect(tmp_path / "two.wav", channel=1)) == times(made.detect(SOUND))
    assert made.detect(tmp_path / "two.wav", channel=2) == []
    with pytest.raises(WsedError, match=r"two\.wav has 2 channel.s., so there is no channel 3"):
        made.detect(tmp_path / "two.wav", channel=3)


@pytest.mark.parametrize(
    ("samples", "what"),
    [
        (np.zeros((2, 8000), np.float32), "mono samples"),
        (np.zeros(8000, np.int16), "divide 16 bit"),
        (np.full(8000, np.nan, np.float32), "finite"),
        (np.zeros(20, np.float32), "shorter than one frame"),
        (np.zeros(0, np.float32), "no samples"),
    ],
)
def test_samples_that_are_none_are_refused(samples, what):
    with pytest.raises(WsedError, match=what):
        detector().detect(samples)


def test_an_ensemble_averages_scores():
    class Deaf(Loudness):
        def forward(self, batch):
            from dataclasses import replace

            output = super().forward(batch)
            return replace(output, frame_logits=torch.full_like(output.frame_logits, -20.0))

    both = Ensemble([Loudness(), Deaf()], ["a.ckpt", "b.ckpt"])
    assert [type(part) for part in networks_in(both)] == [Loudness, Deaf]  # it asks each of them
    one = detector().scores(SOUND).frames
    mean = Detector(both, StepDecoder(), window=1.0).scores(SOUND).frames
    torch.testing.assert_close(mean, one / 2, atol=1e-5, rtol=0)
    with pytest.raises(WsedError, match=r"b\.ckpt cannot be averaged with a\.ckpt: 'quiet' is a class of one only"):
        Ensemble([Loudness(), Loudness(Labels(["loud", "quiet"]))], ["a.ckpt", "b.ckpt"])
    with pytest.raises(WsedError, match="16000 Hz, not 8000 Hz"):
        Ensemble([Loudness(), Loudness(sample_rate=16000)], ["a.ckpt", "b.ckpt"])


@pytest.mark.parametrize("block", [400, 5000])
def test_a_stream_gives_the_events_of_the_file_within_its_latency(block):
    made = detector(merge_gap=0.1)
    stream, heard = made.stream(), []
    for first in range(0, len(SOUND), block):
        for each in stream.push(SOUND[first : first + block]):
            heard.append(each)
            assert (first + block) / RATE - each.time <= stream.latency + block / RATE
    heard += stream.finish()
    assert 1.0 < stream.latency < 1.3
    whole = made.detect(SOUND)
    for kind, of in (("onset", 1), ("offset", 2)):
        mine = sorted((each.label, round(each.time, 3)) for each in heard if each.kind == kind)
        assert mine == sorted((event[0], round(event[of], 3)) for event in whole)


def test_a_stream_takes_sound_although_its_result_is_not_used():
    stream = detector().stream()
    stream.push(SOUND[: 3 * RATE])
    later = stream.push(SOUND[3 * RATE :])
    assert ("offset", "loud", 4.62) in {(each.kind, each.label, round(each.time, 2)) for each in later}


def test_a_stream_takes_lists_and_the_same_buffer_again():
    stream, other, buffer = detector().stream(), detector().stream(), np.zeros(500, np.float32)
    heard, same = [], []
    for first in range(0, len(SOUND) - 499, 500):
        buffer[:] = SOUND[first : first + 500]
        heard += stream.push(buffer)
        same += other.push(SOUND[first : first + 500].tolist())
    assert heard == same
    assert [(each.kind, round(each.time, 2)) for each in heard if each.label == "loud"][:2] == [
        ("onset", 0.3),
        ("offset", 0.7),
    ]
    assert detector().stream().push([]) == []


def test_a_stream_that_has_ended_takes_nothing():
    stream = detector().stream()
    with pytest.raises(WsedError, match="shorter than one frame"):
        stream.finish()
    assert stream.push(SOUND)
    assert stream.finish() == []
    for use in (stream.finish, lambda: stream.push(SOUND), lambda: stream.push([])):
        with pytest.raises(WsedError, match=r"this stream has ended with `finish`; open a new one"):
            use()


@pytest.mark.parametrize(
    ("block", "what"),
    [
        (None, "not NoneType; average"),
        (0.5, r"not float of shape \(\) and type float64"),
        ("night.wav", r"not str of shape"),
        ([0, 1], r"not list of shape \(2,\) and type int64; .*divide 16 bit"),
        ([[0.0], [0.1, 0.2]], "not list; average"),
        (np.zeros((2, 8), np.float32), r"not ndarray of shape \(2, 8\) and type float32; average channels"),
        ([0.0, float("nan")], "holds NaN or infinite"),
    ],
)
def test_blocks_that_hold_no_samples_are_refused_at_once(block, what):
    stream = detector().stream()
    with pytest.raises(WsedError, match=f"a stream takes blocks of finite mono float samples.*{what}"):
        stream.push(block)
    assert stream.push(SOUND)  # it goes on


@pytest.mark.parametrize(
    ("source", "what"),
    [
        (3, "not int$"),
        (None, "not NoneType$"),
        (b"a.wav", "not bytes$"),
        ([0.0, 0.1], r"not list; pass samples as np\.asarray\(samples\), and several recordings to detect_many$"),
        (torch.zeros(8000), r"not Tensor; pass samples\.numpy\(force=True\)$"),
    ],
)
def test_what_is_no_recording_is_refused(source, what):
    with pytest.raises(WsedError, match=rf"a recording is a sound file \(str or Path\) or a NumPy array.*{what}"):
        list(blocks_of(source, RATE, None))


def test_what_is_no_recording_is_refused_by_all_methods():
    """In another process, where annotations are not checked."""
    script = """
from tests.inference.small import detector
from wsed.errors import WsedError
made = detector()
for use in (made.detect, made.scores, made.embeddings):
    for source in (3, None):
        try:
            use(source)
        except WsedError as error:
            print(error)
print(*[each.error for each in made.detect_many([3])])
print(made.stream(window=2).latency)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    *said, latency = done.stdout.splitlines()
    assert [line.rpartition(" ")[2] for line in said] == ["int", "NoneType"] * 3 + ["int"]
    assert latency == "2.04"


@pytest.mark.parametrize("window", [0.0, -1.0, float("nan"), float("inf"), 1e308])
def test_a_window_that_is_no_length_is_refused(window):
    for use in (
        lambda: detector().stream(window=window),
        lambda: Detector(Loudness(), StepDecoder(), window=window).stream(),
        lambda: Detector(Loudness(), StepDecoder(), window=window).detect(SOUND),
        lambda: Detector(Loudness(), StepDecoder(), window=window).check(),
    ):
        with pytest.raises(WsedError, match=r"a window must be a finite number of seconds above 0, not .*: set window"):
            use()


def test_a_network_that_tags_only_is_refused():
    tagger = Loudness()
    tagger.provides = frozenset({"clip_logits"})
    with pytest.raises(WsedError, match="predicts only tags"):
        Detector(tagger, StepDecoder()).detect(SOUND)
    with pytest.raises(WsedError, match="provides no clip embeddings"):
        Detector(tagger, StepDecoder()).embeddings(SOUND)


def test_confidences_are_calibrated_in_files_and_streams():
    classes = {name: ClassCalibration((0.5,), (0.25,), (1.0,), (0.0, 1.0), (0.25, 0.25)) for name in ("loud", "soft")}
    made = Detector(Loudness(), StepDecoder(), 1.0, Calibration(classes, {}))
    assert {event.confidence for event in made.detect(SOUND)} == {0.25}
    assert {each.confidence for each in made.stream().push(SOUND)} == {0.25}


def test_averaged_scores_are_not_calibrated_and_a_note_says_so(monkeypatch, capsys):
    classes = {name: ClassCalibration((0.5,), (0.25,), (1.0,), (0.0, 1.0), (0.25, 0.25)) for name in ("loud", "soft")}
    known = {"a": Calibration(classes, {}), "b": None}
    monkeypatch.setattr(loading, "load", lambda model: Detector(Loudness(), StepDecoder(), 1.0, known[model]))
    assert loading.load_all(["a"]).calibration == known["a"]
    assert capsys.readouterr().err == ""
    assert loading.load_all(["a", "b"]).calibration is None
    assert capsys.readouterr().err.startswith("wsed: the calibration of a is not used: ")
