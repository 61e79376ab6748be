"""`wsed detect`: what it prints and writes, what is not done twice, and what bad input gets."""

import json

import numpy as np
import pytest
import soundfile
import torch

from tests.inference.small import RATE, Loudness, detector, tones
from wsed.calibration import Calibration, ClassCalibration
from wsed.cli.main import main
from wsed.decoding import StepDecoder
from wsed.errors import WsedError
from wsed.formats.json import read as read_json
from wsed.formats.reading import read_events
from wsed.inference import Detector, loading
from wsed.inference.ensemble import Ensemble
from wsed.inference.folder import Detection
from wsed.inference.results import Results
from wsed.inference.sources import Sound
from wsed.inference.windowed import predict
from wsed.models import Composed
from wsed.testing.accelerator import DEVICE, Accelerator
from wsed.types import Labels

LABELS = Labels(["loud", "soft"])

SOUND = tones(3.0, (0.3, 0.7, 0.5), (1.4, 2.62, 0.5)).numpy()
ROWS = [("loud", 0.3, 0.7), ("soft", 0.3, 0.7), ("loud", 1.4, 2.62), ("soft", 1.4, 2.62)]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loading, "load_all", lambda models: detector())
    monkeypatch.setattr(loading, "identity", lambda model: f"sha of {model}")
    (tmp_path / "in" / "night").mkdir(parents=True)
    soundfile.write("in/a.wav", SOUND, RATE)
    soundfile.write("in/night/b.flac", SOUND[: RATE * 2], RATE)
    return tmp_path


def run(capsys, *args):
    status = main(["detect", "model", *args])
    out, err = capsys.readouterr()
    return status, out, err


def raiser(error):
    def fail(*_):
        raise error

    return fail


def rows(path):
    return [(e.label, e.onset, e.offset) for e in read_events(path) if e.label]


def test_events_are_printed(here, capsys):
    status, out, err = run(capsys, "in/a.wav")
    header, *lines = out.splitlines()
    assert (status, err) == (0, "")
    assert header == "filename\tonset\toffset\tevent_label\tconfidence"
    cells = [line.split("\t") for line in lines]
    assert [(c[0], c[3], float(c[1]), float(c[2])) for c in cells] == [("a.wav", *row) for row in ROWS]
    assert all(0.5 < float(c[4]) <= 1 for c in cells)


@pytest.mark.parametrize("place", ["in", "in/**/*.*", "in/night"])
def test_folders_and_globs_are_searched(here, capsys, place):
    _, out, _ = run(capsys, place, "--format", "csv")
    names = {line.split(",")[0] for line in out.splitlines()[1:]}
    assert names == ({"b.flac"} if place == "in/night" else {"a.wav", "night/b.flac"})


def test_all_formats_are_written(here, capsys):
    formats = ["tsv", "csv", "json", "audacity", "raven", "textgrid", "rttm", "label-studio", "scores", "pictures"]
    status, out, err = run(capsys, "in", "--out", "found", "--format", *formats)
    assert (status, out) == (0, "")
    assert rows(here / "found/events.tsv")[:4] == ROWS
    for file in (
        "events.csv", "events.json", "events.rttm", "label_studio.json", "raven.selections.txt", "audacity/night/b.txt",
        "raven/night/b.selections.txt", "textgrid/night/b.TextGrid", "scores/night/b.flac.tsv", "pictures/a.wav.png",
    ):  # fmt: skip
        assert (here / "found" / file).stat().st_size > 0, file
    header, first, *_, last = (here / "found/scores/a.wav.tsv").read_text().splitlines()
    assert header == "onset\toffset\tloud\tsoft"
    assert first.startswith("0.000000\t0.020000\t")
    assert last.split("\t")[1] == "3.000000"
    assert err.count("written: ") == len(formats) + 1  # raven: a folder and a file


def test_options_choose_events(here, capsys):
    for options, kept in (
        (["--classes", "loud"], [ROWS[0], ROWS[2]]),
        (["--min-duration", "1"], ROWS[2:]),
        (["--classes", "soft", "--top", "1"], None),
        (["--threshold", "1.0"], []),
    ):
        _, out, _ = run(capsys, "in/a.wav", *options)
        cells = [line.split("\t") for line in out.splitlines()[1:]]
        found = [(c[3], float(c[1]), float(c[2])) for c in cells if c[3]]
        assert len(found) == 1 if kept is None else found == kept


@pytest.mark.parametrize("threshold", ["nan", "2", "-0.1"])
def test_a_threshold_beyond_the_scores_is_refused(threshold, here, capsys):
    with pytest.raises(SystemExit):
        run(capsys, "in/a.wav", f"--threshold={threshold}")
    assert f"argument --threshold: {threshold} is not a share (0 to 1)" in capsys.readouterr().err


@pytest.mark.parametrize("window", ["inf", "1e308"])
def test_a_window_without_end_is_refused(window, here, capsys):
    status, out, err = run(capsys, "in/a.wav", "--out", "found", "--window", window)
    assert (status, out, (here / "found").exists()) == (2, "", False)
    assert "a window must be a finite number of seconds above 0" in err


def test_a_channel_is_chosen(here, capsys):
    soundfile.write("in/two.wav", np.stack([SOUND, 0 * SOUND], axis=1), RATE)
    assert len(run(capsys, "in/two.wav", "--channel", "1")[1].splitlines()) == 5
    assert run(capsys, "in/two.wav", "--channel", "2")[1].splitlines()[1:] == ["two.wav\t\t\t\t"]
    status, _, err = run(capsys, "in/two.wav", "--channel", "3")
    assert status == 1
    assert "two.wav has 2 channel(s), so there is no channel 3" in err


def test_a_damaged_file_is_named_and_passed_over(here, capsys):
    (here / "in/broken.wav").write_bytes((here / "in/a.wav").read_bytes()[:3000])
    (here / "in/short.wav").touch()
    (here / "in/unfetched.wav").symlink_to(here / "elsewhere.wav")
    status, _, err = run(capsys, "in", "--out", "found")
    assert status == 1
    assert "skipped unfetched.wav: " in err
    assert "skipped broken.wav: " in err
    assert "is truncated" in err
    assert "skipped short.wav: " in err
    assert "3 of 5 files were skipped" in err
    assert {e.file for e in read_events(here / "found/events.tsv")} == {"a.wav", "night/b.flac"}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("a\nb.wav", "holds a tab or a line break"),
        ("a\tb.wav", "holds a tab or a line break"),
        ("a\rb.wav", "holds a tab or a line break"),
        ("a\udcffb.wav", "is not UTF-8"),  # the byte FF
    ],
)
@pytest.mark.parametrize("form", ["tsv", "csv", "json", "raven"])
def test_a_file_whose_name_no_table_holds_is_passed_over(here, capsys, name, why, form):
    (here / "in/a.wav").rename(here / "in" / name)
    soundfile.write("in/c.wav", SOUND, RATE)
    for _ in range(2):  # the second time, only that file is left
        status, _, err = run(capsys, "in", "--out", "found", "--format", form)
        assert status == 1
        skipped, count = [line for line in err.splitlines() if not line.startswith("written: ")]
        assert skipped.startswith(f"wsed: skipped {name!r}: ")
        assert skipped.endswith("; rename it")
        assert why in skipped
        assert count == "wsed: 1 of 3 files were skipped"
        file = "raven.selections.txt" if form == "raven" else f"events.{form}"
        events = read_json(here / "found" / file) if form == "json" else read_events(here / "found" / file)
        assert {event.file.rpartition("in/")[2] for event in events} == {"c.wav", "night/b.flac"}


@pytest.mark.parametrize("name", ["a\u2028b.wav", "a\x85b.wav"])
def test_a_name_with_letters_that_end_a_line_for_python_is_kept(here, capsys, monkeypatch, name):
    (here / "in/a.wav").rename(here / "in" / name)
    run(capsys, "in", "--out", "found")
    assert {event.file for event in read_events(here / "found/events.tsv")} == {name, "night/b.flac"}
    read = []
    monkeypatch.setattr(loading, "load_all", lambda models: Spy(read))
    assert run(capsys, "in", "--out", "found")[0] == 0
    assert read == []


def test_only_formats_with_paths_need_a_folder_that_tables_can_hold(here, capsys):
    (here / "in/night").rename(here / "in/late\tnight")
    place = "in/late\tnight/b.flac"
    assert run(capsys, place, "--out", "found")[0] == 0
    status, _, err = run(capsys, place, "--out", "found", "--format", "raven")
    assert (status, r"late\tnight/b.flac' holds a tab" in err) == (1, True)


def test_what_is_done_is_not_done_again(here, capsys, monkeypatch):
    run(capsys, "in/a.wav", "in/night", "--out", "found")
    log = here / "found/.wsed-detect.jsonl"
    lines = log.read_text().splitlines()
    log.write_text("\n".join(lines[:2]) + '\n{"name": "night/b.fl')  # as a kill leaves it
    before = rows(here / "found/events.tsv")
    read = []
    monkeypatch.setattr(loading, "load_all", lambda models: Spy(read))
    run(capsys, "in", "--out", "found")
    assert [path.name for path in read] == ["b.flac"]
    assert rows(here / "found/events.tsv") == before
    assert log.read_text().splitlines() == lines
    soundfile.write("in/a.wav", SOUND[RATE:], RATE)  # another recording of that name
    run(capsys, "in", "--out", "found", "--format", "tsv", "audacity")
    assert [path.name for path in read] == ["b.flac", "a.wav"]
    assert (here / "found/audacity/night/b.txt").is_file()


class Spy(Detector):
    """A detector that notes what it reads."""

    def __init__(self, read):
        super().__init__(Loudness(), StepDecoder(), window=1.0)
        self._read = read

    def detect_many(self, sources, *args, **options):
        self._read += sources
        return super().detect_many(sources, *args, **options)


def test_a_folder_of_other_results_is_not_written_over(here, capsys):
    run(capsys, "in", "--out", "found")
    status, _, err = run(capsys, "in", "--out", "found", "--threshold", "0.9")
    assert status == 2
    assert err.startswith("wsed: error: --out found holds events that were detected with another decoder (")
    assert main(["detect", "other", "in", "--out", "found"]) == 2
    assert "with another model" in capsys.readouterr().err
    (here / "mine").mkdir()
    (here / "mine/notes.txt").touch()
    assert "mine exists and holds other files; name a new folder" in run(capsys, "in", "--out", "mine")[2]
    assert "in/a.wav is a file; name a folder" in run(capsys, "in", "--out", "in/a.wav")[2]


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ({"threshold": 0.5}, {"threshold": 0.9}, "another decoder (threshold 0.5, now 0.9); "),
        ({}, {"low": 0.2, "merge_gap": 0.5}, "another decoder (low not set, now 0.2; merge_gap 0.0, now 0.5); "),
        ({"threshold": [0.5, 0.4]}, {"threshold": [0.5, 0.3]}, "another decoder (threshold[1] 0.4, now 0.3); "),
        ({}, {"threshold": [0.5, 0.3]}, "another decoder (threshold 0.5, now [0.5, 0.3]); "),
        (
            {"median": [0.1] * 9},
            {"median": [0.3] * 9},
            f"another decoder ({'; '.join(f'median[{i}] 0.1, now 0.3' for i in range(5))}; 4 more); ",
        ),
    ],
)
def test_the_settings_of_a_decoder_that_differ_are_named(tmp_path, before, now, said):
    Results(tmp_path, {"model": ["sha"], "decoder": StepDecoder(**before).values()})
    with pytest.raises(WsedError) as raised:
        Results(tmp_path, {"model": ["sha"], "decoder": StepDecoder(**now).values()})
    assert str(raised.value).endswith(f"were detected with {said}name another folder, or delete it")


def test_settings_without_a_model_are_compared_and_unset_ones_are_no_difference(tmp_path):
    Results(tmp_path, {"threshold": 0.5, "decoder": {"median": 0.3}})
    Results(tmp_path, {"threshold": 0.5, "decoder": {"median": 0.3, "low": None}})  # an earlier version had no `low`
    with pytest.raises(WsedError, match=r"another threshold \(0\.5, now 0\.9\)"):
        Results(tmp_path, {"threshold": 0.9, "decoder": {"median": 0.3}})


def test_a_recording_that_is_named_twice_is_detected_twice(here):
    sound = Sound("a.wav", here / "in/a.wav")
    first, second = Detection(detector()).of([sound, sound])
    assert first == second


def test_all_settings_that_differ_are_named(here, capsys):
    run(capsys, "in", "--out", "found")
    _, _, err = run(capsys, "in", "--out", "found", "--threshold", "0.9", "--top", "3", "--window", "2")
    assert "with another decoder (threshold 0.5, now 0.9) and another window (1.0, now 2.0) and another top (" in err
    assert "(not set, now 3); name another folder, or delete it" in err


def test_calibrated_confidences_are_not_mixed_with_others(here, capsys, monkeypatch):
    """The model was calibrated between the two commands."""
    run(capsys, "in/a.wav", "--out", "found")
    for value, now in ((0.25, "now"), (0.5, "another")):
        classes = {
            name: ClassCalibration((0.5,), (0.5,), (1.0,), (0.0, 1.0), (value,) * 2) for name in ("loud", "soft")
        }
        made = Detector(Loudness(), StepDecoder(), 1.0, Calibration(classes, {}))
        monkeypatch.setattr(loading, "load_all", lambda models, made=made: made)
        status, _, err = run(capsys, "in", "--out", "found")
        assert (status, "found holds events that were detected with another calibration (" in err) == (2, True)
        assert run(capsys, "in", "--out", now)[0] == 0
    assert "another calibration" in run(capsys, "in", "--out", "now")[2]
    assert run(capsys, "in", "--out", "another")[0] == 0
    log = here / "another/.wsed-detect.jsonl"
    first, *rest = log.read_text().splitlines(keepends=True)
    settings = {name: value for name, value in json.loads(first).items() if name != "calibration"}
    log.write_text("".join([json.dumps(settings) + "\n", *rest]))  # as an earlier version wrote it
    assert run(capsys, "in", "--out", "another")[0] == 0
    monkeypatch.setattr(loading, "load_all", lambda models: Detector(Loudness(), StepDecoder(), 1.0))
    assert "another calibration" in run(capsys, "in", "--out", "another")[2]  # now the folder says which one
    log.write_text("".join(rest))
    assert "another model" in run(capsys, "in", "--out", "another")[2]


@pytest.mark.parametrize(
    ("args", "thresholds", "note"),
    [
        (["--precision", "0.9"], [0.8, 0.5], "soft: no threshold reaches precision 0.9 (at most 0.60), kept 0.5"),
        (["--precision", "0.4"], [0.2, 0.3], ""),
        (["--recall", "0.9"], [0.2, 0.3], ""),
        (["--recall", "0.5"], [0.8, 0.3], ""),
        (["--threshold", "0.7"], 0.7, ""),
    ],
)
def test_thresholds_are_those_of_a_wanted_precision_or_recall(here, capsys, monkeypatch, args, thresholds, note):
    classes = {
        "loud": ClassCalibration((0.2, 0.8), (0.4, 1.0), (1.0, 0.5), (0.0, 1.0), (0.4, 1.0)),
        "soft": ClassCalibration((0.3,), (0.6,), (0.9,), (0.0, 1.0), (0.6, 0.6)),
    }
    made = Detector(Loudness(), StepDecoder(threshold=0.5), 1.0, Calibration(classes, {}))
    monkeypatch.setattr(loading, "load_all", lambda models: made)
    status, _, err = run(capsys, "in/a.wav", *args)
    assert (status, made.decoder.threshold) == (0, thresholds)
    assert note in err
    assert bool(note) == bool(err)


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("gpu", "--device is 'gpu', which torch does not know; write cpu, cuda, cuda:1, mps or the like"),
        ("meta", "--device: meta is not there: "),
        ("cuda", "--device: cuda:1 is not there: "),  # the second process of this machine
        ("cuda:0", "--device: cuda:0 is not there: "),
    ],
)
def test_a_device_that_is_not_there_is_named(here, capsys, monkeypatch, device, said):
    monkeypatch.setattr(loading, "load_all", lambda models: Detector(Composed.example(LABELS), StepDecoder(), 1.0))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "_lazy_init", raiser(RuntimeError("no driver")))
    monkeypatch.setenv("LOCAL_RANK", "3")
    status, _, err = run(capsys, "in/a.wav", "--device", device)
    assert status == 2
    assert said in err


def test_a_network_elsewhere_gives_the_same_scores():
    """On a simulated accelerator, which cannot simulate the inference mode."""

    class Elsewhere(Loudness):
        def parameters(self, recurse=True):
            yield torch.zeros(1).to(DEVICE)

    windows = [torch.from_numpy(SOUND[:RATE]), torch.from_numpy(SOUND[RATE : 2 * RATE])]
    expected = predict(Loudness(), windows)
    with Accelerator() as accelerator:
        found = predict.__wrapped__(Elsewhere(), windows)
    assert accelerator.operations["mean"] == 1  # the network ran there
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.frames, other.frames)


def test_a_network_without_weights_stays_on_the_cpu(here, capsys):
    assert "runs on the CPU only: leave --device out" in run(capsys, "in/a.wav", "--device", "cuda")[2]


def test_precision_and_recall_need_one_calibrated_model(here, capsys):
    assert "model has no calibration, which --precision and --recall need" in run(capsys, "in", "--recall", "0.5")[2]
    status = main(["detect", "one,two", "in", "--precision", "0.5"])
    assert status == 2
    assert "need the calibration of one model: averaged scores have none" in capsys.readouterr().err


@pytest.mark.parametrize(("args", "most"), [([], 8), (["--batch", "2"], 2)])
def test_windows_go_through_the_network_in_batches(here, capsys, monkeypatch, args, most):
    """What a user lowers where memory runs out."""
    made, sizes = detector(), []
    whole = made.network.forward
    monkeypatch.setattr(made.network, "forward", lambda batch: sizes.append(len(batch)) or whole(batch))
    monkeypatch.setattr(loading, "load_all", lambda models: made)
    soundfile.write("in/long.wav", np.tile(SOUND, 7), RATE)
    assert run(capsys, "in/long.wav", "--window", "1", *args)[0] == 0
    assert max(sizes) == most


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nowhere"], "no such file or folder: nowhere"),
        (["empty"], "empty holds no sound file, at any depth: none ends in .wav"),
        (["in/*.mp3"], "no sound file matches in/*.mp3"),
        (["in", "--format", "raven"], "--format raven writes files: name a folder with --out"),
        (["in", "--out", "x", "--format", "ravne"], "unknown format 'ravne'"),
        (["in", "--classes", "lood"], "--classes: the model has no class 'lood'"),
    ],
)
def test_bad_input_gets_one_line(here, capsys, args, message):
    (here / "empty").mkdir()
    status, out, err = run(capsys, *args)
    assert (status, out) == (2, "")
    assert err.startswith(f"wsed: error: {message}")
    assert len(err.splitlines()) == 1


def test_a_recording_shorter_than_a_frame_is_named(here, capsys):
    soundfile.write("in/short.wav", SOUND[:100], RATE)
    status, _, err = run(capsys, "in/short.wav")
    assert status == 1
    assert "short.wav: 0.0125 s are shorter than one frame of the network (0.02 s)" in err


def test_a_lower_sample_rate_is_said_once(here, capsys, monkeypatch):
    for name in "xy":
        soundfile.write(f"in/{name}.wav", SOUND[::2], RATE // 2)
    _, _, err = run(capsys, "in")
    assert err.count("lower sample rate") == 1
    assert "2 of 4 files have a lower sample rate than the model's 8000 Hz (first: x.wav, 4000 Hz)" in err


def test_models_of_other_classes_are_not_averaged(here, capsys, monkeypatch):
    def load_all(models):
        from wsed.types import Labels

        Ensemble([Loudness(), Loudness(Labels(["loud", "quiet"]))], ["a", "b"])

    monkeypatch.setattr(loading, "load_all", load_all)
    status, _, err = run(capsys, "in")
    assert status == 2
    assert "cannot be averaged" in err


def test_the_log_holds_settings_and_recordings(here, capsys):
    run(capsys, "in", "--out", "found", "--top", "1")
    first, *rest = map(json.loads, (here / "found/.wsed-detect.jsonl").read_text().splitlines())
    assert first["top"] == 1
    assert [each["name"] for each in rest] == ["a.wav", "night/b.flac"]


def test_several_processes_share_the_recordings(here, capsys, monkeypatch):
    for i in range(3):
        soundfile.write(f"in/c{i}.wav", SOUND[i * RATE // 2 :], RATE)
    (here / "in/broken.wav").write_bytes((here / "in/a.wav").read_bytes()[:3000])
    run(capsys, "in", "--out", "one", "--format", "tsv", "scores")
    read = []
    monkeypatch.setattr(loading, "load_all", lambda models: Spy(read))
    monkeypatch.setenv("WORLD_SIZE", "3")
    args, said = ("in", "--out", "found", "--format", "tsv", "scores"), []
    for rank in (2, 0, 1):
        assert not (here / "found/events.tsv").exists()
        monkeypatch.setenv("RANK", str(rank))
        said.append(run(capsys, *args))
    assert [status for status, _, _ in said] == [1, 0, 0]
    assert "1 of 2 files were skipped" in said[0][2]
    assert "2 of 6 recordings are done here; the last process writes the events" in said[1][2]
    assert len(read) == len(set(read)) == 6
    for name in ("events.tsv", "scores/night/b.flac.tsv"):
        assert (here / "found" / name).read_text() == (here / "one" / name).read_text()
    monkeypatch.delenv("RANK")
    run(capsys, *args)  # one process goes on with what three have done: it tries the damaged file again
    assert [path.name for path in read[6:]] == ["broken.wav"]
    assert (here / "found/events.tsv").read_text() == (here / "one/events.tsv").read_text()


def test_several_processes_need_a_folder(here, capsys, monkeypatch):
    for name, value in (("SLURM_PROCID", "1"), ("SLURM_STEP_NUM_TASKS", "4")):
        monkeypatch.setenv(name, value)
    said = run(capsys, "in")[2]
    assert said.startswith("wsed: error: 4 processes detect into one folder: name it with --out (process 1 of 4, on ")
