"""The training verbs through the real command line, on a tiny corpus."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import lightning.pytorch as pl  # here: its log handler keeps the stderr it finds, which must not be a test's own
import numpy as np
import pytest
import soundfile
import torch
import yaml

import wsed
from wsed.cli.main import main
from wsed.cli.run_files import write_config
from wsed.cli.training import WsedCLI
from wsed.data.table import read_strong
from wsed.decoding import BoxDecoder, Tuning
from wsed.errors import WsedError
from wsed.run import RunFolder
from wsed.scoring.formats.predictions import read_predictions
from wsed.scoring.formats.reference import read_reference
from wsed.study.runs import clips_of, finished
from wsed.tuned import read_tuned

SMALL = {
    "model": {
        "network": {
            "encoder": {"class_path": "crnn", "init_args": {"channels": 4, "gru": 4, "dense": 8}},
            "frontend": {
                "class_path": "logmel",
                "init_args": {"sample_rate": 8000, "n_fft": 256, "hop_length": 160, "f_max": 4000.0},
            },
        },
        "losses": {"tags": {"loss": "mil"}, "apart": {"loss": "cosine_penalty", "weight": 0.1}},
    },
    "evaluation": {"decoder": {"smooth": 0.1, "tags": "clip"}, "resamples": 20},
    "data": {"corpus": {"class_path": "desed", "init_args": {}}, "batch": {"weak": 4}, "workers": 0},
    "trainer": {"max_epochs": 2, "accelerator": "cpu"},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory, exp):
    folder = tmp_path_factory.mktemp("run")
    assert main(["fit", "--config", exp, "--trainer.default_root_dir", str(folder), "--seed_everything", "3"]) == 0
    return folder


def test_a_run_leaves_everything(run):
    left = {p.relative_to(run).as_posix() for p in run.rglob("*") if p.is_file()}
    wanted = {"config.yaml", "versions_fit.json", "checkpoints/best.ckpt", "checkpoints/last.ckpt"}
    wanted |= {
        f"test/{f}" for f in ("predictions.tsv", "scores.json", "frame_scores.npz", "curves.png", "class_f1.png")
    }
    assert wanted <= left
    assert "csv/version_0/metrics.csv" in left
    assert any("tensorboard" in name for name in left)
    versions = json.loads((run / "versions_fit.json").read_text())
    assert versions["seed"] == 3
    assert versions["torch"] == torch.__version__.split("+")[0]


def test_last_is_the_last_epoch_and_the_configuration_starts_nothing_anew(run):
    last = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["global_step"] == 4  # 2 epochs of 2 steps, whichever was best
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["overwrite"] is False
    assert config["ckpt_path"] is None


def test_scores_and_predictions_have_their_fixed_form(run, corpus):
    scores = json.loads((run / "test" / "scores.json").read_text())
    for kind in ("event_f1", "segment_f1", "intersection_f1", "tagging_f1"):
        assert {"macro", "micro", "per_class"} <= set(scores[kind])
        assert set(scores[kind]["per_class"]) == {"high", "low"}
        assert scores["intervals"][kind]["macro"]["low"] <= scores[kind]["macro"]
    for kind in ("psds1", "psds2"):
        assert 0 <= scores["intervals"][kind]["low"] <= scores[kind] <= scores["intervals"][kind]["high"] <= 1
    assert scores["tuned"] is None
    predictions = read_strong(run / "test" / "predictions.tsv")
    assert set(predictions) == set(read_strong(corpus / "metadata" / "eval" / "public.tsv"))
    reference = read_reference(corpus / "metadata" / "eval" / "public.tsv")
    read = read_predictions(run / "test" / "predictions.tsv", reference)
    assert read.boxes is not None
    assert len(read.boxes) == sum(map(len, predictions.values()))
    assert bool(((read.boxes.confidence > 0) & (read.boxes.confidence <= 1)).all())
    detections = RunFolder.open(run).detections("test")
    assert detections.confidence.tolist() == pytest.approx(read.boxes.confidence.tolist())


def test_the_checkpoint_executes_nothing_and_carries_what_inference_needs(run, corpus):
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    assert content["wsed"]["labels"] == ["high", "low"]
    assert content["wsed"]["sample_rate"] == 8000
    assert content["wsed"]["decoder"]["init_args"]["smooth"] == 0.1
    detector = wsed.load(run / "checkpoints" / "best.ckpt")
    assert list(detector.labels) == ["high", "low"]
    assert detector.network.frame_rate == 50.0
    events = detector.detect(corpus / "audio" / "eval" / "public" / "eval_0.wav")
    assert all(label in ("high", "low") and 0 <= on < off <= 1.0 for label, on, off in events)
    predictions = read_strong(run / "test" / "predictions.tsv")["eval_0.wav"]
    assert [e[0] for e in events] == [e[0] for e in sorted(predictions, key=lambda e: (e[1], e[0]))]


def test_the_saved_configuration_scores_the_checkpoint_again(run, tmp_path):
    before = json.loads((run / "test" / "scores.json").read_text())
    assert main(["test", "--config", str(run / "config.yaml"), "--ckpt_path", "best"]) == 0
    assert json.loads((run / "test" / "scores.json").read_text()) == before
    assert main(["predict", "--config", str(run / "config.yaml"), "--ckpt_path", "best"]) == 0
    assert (run / "predict" / "predictions.tsv").read_text() == (run / "test" / "predictions.tsv").read_text()
    assert main(["validate", "--config", str(run / "config.yaml"), "--ckpt_path", "last"]) == 0
    assert json.loads((run / "validation" / "scores.json").read_text())["clips"] == 8
    assert main(["show", str(run), "--stage", "validation"]) == 0


def test_tuned_settings_are_saved_with_the_checkpoint_and_used(exp, tmp_path, capsys):
    tuned = ["--evaluation.tuning", "{tags: random, thresholds: events, medians: [0, 0.1]}"]
    folder = ["--trainer.default_root_dir", str(tmp_path)]
    assert main(["fit", "--config", exp, *folder, *tuned, "--trainer.max_epochs", "1"]) == 0
    scores = json.loads((tmp_path / "test" / "scores.json").read_text())
    assert scores["tuned"]["split"] == "validation"
    assert set(scores["tuned"]["values"]) == {"tag_threshold", "threshold", "median"}
    assert not scores["tuned_on_these_clips"]
    assert json.loads((tmp_path / "validation" / "scores.json").read_text())["tuned_on_these_clips"]
    assert "decoder tuned on the validation set" in capsys.readouterr().out
    content = yaml.safe_load((tmp_path / "checkpoints" / "best.decoder.yaml").read_text())["decoder"]["init_args"]
    assert content["threshold"] == scores["tuned"]["values"]["threshold"] == scores["decoder"]["threshold"]
    assert content["smooth"] == 0.1
    assert wsed.load(tmp_path / "checkpoints" / "best.ckpt").decoder.median == scores["tuned"]["values"]["median"]

    config = ["--config", str(tmp_path / "config.yaml"), "--ckpt_path", "best"]
    file = tmp_path / "checkpoints" / "best.decoder.yaml"
    earlier = yaml.safe_load(file.read_text())
    del earlier["tuned"]["gaps"]  # as an earlier version wrote it
    file.write_text(yaml.safe_dump(earlier))
    assert main(["test", *config]) == 0
    assert json.loads((tmp_path / "test" / "scores.json").read_text())["decoder"] == scores["decoder"]
    assert main(["test", *config, "--evaluation.decoder.threshold", "0.25"]) == 0
    other = json.loads((tmp_path / "test" / "scores.json").read_text())
    assert (other["decoder"]["threshold"], other["tuned"]) == (0.25, None)
    capsys.readouterr()
    assert main(["test", *config, "--evaluation.tuning", "{thresholds: segments, split: test, medians: null}"]) == 0
    assert "tuned on these clips" in capsys.readouterr().out


def test_the_mean_of_the_weights_is_what_is_tuned_and_tested(exp, tmp_path, capsys):
    averaging = {"class_path": "lightning.pytorch.callbacks.EMAWeightAveraging", "init_args": {"decay": 0.9}}
    given = ["--trainer.callbacks", f"[{json.dumps(averaging)}]", "--trainer.default_root_dir", str(tmp_path)]
    given += ["--evaluation.tuning", "{thresholds: events}", "--evaluation.resamples", "0"]
    fast = ["--model.optimizer", "{class_path: torch.optim.SGD, init_args: {lr: 1.0}}"]
    assert main(["fit", "--config", exp, *given, *fast, "--test_checkpoint", "last"]) == 0
    assert "current_model_state" not in capsys.readouterr().err
    last = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    name = "network.heads.0.linear.weight"
    assert not torch.equal(last["state_dict"][name], last["current_model_state"][name])
    files = [tmp_path / split / "frame_scores.npz" for split in ("validation", "test")]
    after_fit = [dict(np.load(file)) for file in files]
    assert main(["validate", "--config", exp, *given, "--ckpt_path", "last"]) == 0
    assert main(["test", "--config", exp, *given, "--ckpt_path", "last"]) == 0
    for file, before in zip(files, after_fit, strict=True):
        now = np.load(file)
        assert all(np.array_equal(now[clip], before[clip]) for clip in before)


@pytest.mark.slow
def test_further_training_forgets_the_tuning_and_tunes_anew(exp, tmp_path):
    given = ["--trainer.default_root_dir", str(tmp_path), "--evaluation.tuning", "{thresholds: events}"]
    last = tmp_path / "checkpoints" / "last.ckpt"
    assert main(["fit", "--config", exp, *given, "--test_after_fit", "false"]) == 0
    content = last.read_bytes()
    assert main(["validate", "--config", exp, *given, "--ckpt_path", "last"]) == 0
    assert last.read_bytes() == content  # scoring never changes a checkpoint
    assert read_tuned(last).tuned["clips"] == 8
    more = ["--trainer.max_epochs", "3", "--ckpt_path", "last", "--test_checkpoint", "last"]
    assert main(["fit", "--config", exp, *given, *more]) == 0
    after = torch.load(last, weights_only=True)
    assert after["global_step"] == 6
    scores = json.loads((tmp_path / "test" / "scores.json").read_text())
    assert scores["step"] == 6
    tuned = read_tuned(last)
    assert scores["decoder"] == tuned.decoder["init_args"]
    # One that was written before a decoder had all its settings is still of use.
    untuned = {"class_path": "steps", "init_args": {"smooth": 0.1, "tags": "clip"}}
    replace(tuned, untuned=untuned).write(last)
    assert main(["test", "--config", exp, *given, "--ckpt_path", "last"]) == 0
    assert json.loads((tmp_path / "test" / "scores.json").read_text())["tuned"] == scores["tuned"]
    # That of another state of the checkpoint is not.
    torch.save(after | {"epoch": 99}, last)
    assert main(["test", "--config", exp, *given, "--ckpt_path", "last"]) == 0
    assert json.loads((tmp_path / "test" / "scores.json").read_text())["tuned"] is None


def test_a_run_starts_from_the_weights_of_another(exp, run, tmp_path, capsys):
    best, last = run / "checkpoints" / "best.ckpt", tmp_path / "checkpoints" / "last.ckpt"
    args = ["--trainer.default_root_dir", str(tmp_path), "--trainer.max_epochs", "1", "--test_after_fit", "false"]
    other = ["--data.corpus.labels", "[low, high, hum]"]
    other += ["--model.optimizer", "{class_path: torch.optim.SGD, init_args: {lr: 0.0}}"]
    assert main(["fit", "--config", exp, *args, *other, "--init-from", str(best)]) == 0
    assert (
        "initial values kept, since the shape in the checkpoint differs: heads.0.linear.bias" in capsys.readouterr().out
    )
    first, second = (torch.load(path, weights_only=True)["state_dict"] for path in (best, last))
    weights = [name for name in first if name.startswith("network.encoder.") and name.endswith(".weight")]
    assert weights
    for name in weights:
        torch.testing.assert_close(first[name], second[name])
    missing = ["--overwrite", "--init_from", "nowhere.ckpt"]
    assert "no such checkpoint: nowhere.ckpt" in fails(capsys, "fit", "--config", exp, *args, *missing)


def test_boxes_can_be_named_and_tuned(exp, tmp_path):
    config = yaml.safe_load(Path(exp).read_text())
    boxes = {"class_path": "sebb", "init_args": {"window": 0.2, "merge_abs": 0.1}}
    config["evaluation"] = {"decoder": boxes, "tuning": {"thresholds": "events"}}
    (tmp_path / "boxes.yaml").write_text(yaml.safe_dump(config))
    short = ["--trainer.default_root_dir", str(tmp_path), "--trainer.max_epochs", "1"]
    assert main(["fit", "--config", str(tmp_path / "boxes.yaml"), *short]) == 0
    assert main(["test", "--config", str(tmp_path / "config.yaml"), "--ckpt_path", "best"]) == 0
    scores = json.loads((tmp_path / "test" / "scores.json").read_text())
    assert set(scores["tuned"]["values"]) == {"threshold", "window", "merge_abs", "merge_rel"}
    assert scores["psds1"] is not None
    detector = wsed.load(tmp_path / "checkpoints" / "best.ckpt")
    assert detector.decoder.window == scores["tuned"]["values"]["window"]


@pytest.mark.parametrize(
    ("tuning", "message"),
    [
        ("{}", "set thresholds"),
        ("{thresholds: frames}", "tuning"),
        ("{tags: exact, medians: [0.1]}", "medians needs"),
    ],
)
def test_a_tuning_that_means_nothing_is_refused(exp, tmp_path, capsys, tuning, message):
    assert (
        main(["fit", "--config", exp, "--trainer.default_root_dir", str(tmp_path), "--evaluation.tuning", tuning]) == 2
    )
    assert message in capsys.readouterr().err


def test_a_decoder_that_cannot_be_tuned_is_refused_before_training(exp, tmp_path, capsys):
    args = ["fit", "--config", exp, "--trainer.default_root_dir", str(tmp_path)]
    for tuning, decoder, said in (
        ("{thresholds: events}", "{low: 0.1}", "set decoder.low to null"),
        ("{thresholds: segments}", "{merge_gap: 0.2}", "remove evaluation.decoder.merge_gap"),
    ):
        assert main([*args, "--evaluation.tuning", tuning, "--evaluation.decoder", decoder]) == 2
        told = capsys.readouterr()
        assert said in told.err
        assert "epoch 0" not in told.out
    with pytest.raises(WsedError, match=r"evaluation\.decoder\.tags to none"):
        Tuning(thresholds="events").check(BoxDecoder(tags="clip"))


def test_intervals_can_be_left_out(run, tmp_path):
    args = ["test", "--config", str(run / "config.yaml"), "--ckpt_path", str(run / "checkpoints/last.ckpt")]
    assert main([*args, "--trainer.default_root_dir", str(tmp_path), "--evaluation.resamples", "0"]) == 0
    assert "intervals" not in json.loads((tmp_path / "test/scores.json").read_text())


def test_a_calibration_that_finds_nothing_costs_no_result(run, tmp_path, monkeypatch, caplog):
    pytest.importorskip("sklearn", reason="the extra calibration is not installed")
    monkeypatch.setattr("wsed.training.calibrate._tried", lambda _decoder: [])
    args = ["validate", "--config", str(run / "config.yaml"), "--ckpt_path", str(run / "checkpoints/last.ckpt")]
    args += ["--evaluation.calibration", "isotonic", "--evaluation.resamples", "0"]
    assert main([*args, "--trainer.default_root_dir", str(tmp_path)]) == 0
    assert "confidences are not calibrated: evaluation.calibration: nothing is detected" in caplog.text
    assert RunFolder(tmp_path).split("validation").report.is_file()


def test_a_calibration_without_its_package_is_refused_before_training(exp, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("wsed.training.calibrate.find_spec", lambda _name: None)
    args = ["fit", "--config", exp, "--evaluation.calibration", "platt", "--trainer.default_root_dir", str(tmp_path)]
    assert "evaluation.calibration needs scikit-learn" in fails(capsys, *args)
    assert not RunFolder(tmp_path).trained()


def test_each_earlier_configuration_is_kept(tmp_path):
    path = tmp_path / "config.yaml"
    for text in ("a", "b", "b", "c"):
        write_config(path, text)
    assert [(tmp_path / f"config{n}.yaml").read_text() for n in ("", "_0", "_1")] == ["c", "a", "b"]
    (tmp_path / "config_0.yaml").unlink()
    write_config(path, "d")
    assert [(tmp_path / f"config_{n}.yaml").read_text() for n in (0, 1)] == ["c", "b"]


def test_a_test_in_another_folder_is_a_run_of_its_own(run, tmp_path, capsys):
    """As of a row that scores the weights of another row with another decoder."""
    args = ["test", "--config", str(run / "config.yaml"), "--ckpt_path", str(run / "checkpoints/last.ckpt")]
    args += ["--evaluation.resamples", "0", "--evaluation.decoder.tags", "none"]
    assert main([*args, "--trainer.default_root_dir", str(tmp_path / "seed_0")]) == 0
    (own,) = finished(tmp_path.parent, tmp_path.name)
    assert own.configuration()["evaluation"]["decoder"]["init_args"]["tags"] == "none"
    assert len(clips_of(own, "test")) == own.report("test").clips
    capsys.readouterr()
    assert main(["show", str(tmp_path)]) == 0
    assert "over 1 run" in capsys.readouterr().out


def test_seeds_are_shown_together(run, tmp_path, capsys):
    whole = json.loads((run / "test" / "scores.json").read_text())
    for seed, macro in enumerate((0.2, 0.4)):
        folder = tmp_path / f"seed_{seed}"
        (folder / "test").mkdir(parents=True)
        (folder / "config.yaml").write_text("")
        whole["event_f1"]["macro"] = macro
        (folder / "test" / "scores.json").write_text(json.dumps(whole))
    (tmp_path / "seed_2").mkdir()
    (tmp_path / "seed_2" / "config.yaml").write_text("")
    assert main(["show", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "30.0 +- 14.1" in shown
    assert "40.0" in shown
    assert "over 2 runs" in shown
    assert "without scores: seed_2" in shown
    assert main(["show", str(tmp_path), "--stage", "validation"]) == 2
    assert "none of the 3 runs" in capsys.readouterr().err


def test_the_same_seed_gives_the_same_run(run, exp, tmp_path):
    again = ["fit", "--config", exp, "--trainer.default_root_dir", str(tmp_path), "--seed_everything", "3"]
    assert main(again) == 0
    first, second = (torch.load(f / "checkpoints" / "last.ckpt")["state_dict"] for f in (run, tmp_path))
    assert all(torch.equal(first[k], second[k]) for k in first)


def fails(capsys, *args):
    assert main(list(args)) == 2
    message = capsys.readouterr().err
    assert "Traceback" not in message
    return message


def test_scoring_needs_a_checkpoint(run, capsys):
    for verb in ("test", "validate", "predict"):
        assert f"wsed {verb} needs a checkpoint" in fails(capsys, verb, "--config", str(run / "config.yaml"))
    assert "no " in fails(capsys, "show", str(run / "csv"))


@pytest.mark.parametrize(("verb", "part"), [("test", "test"), ("validate", "validation")])
def test_what_the_corpus_lacks_is_not_scored(run, capsys, verb, part):
    args = ["--config", str(run / "config.yaml"), "--ckpt_path", "last", f"--data.corpus.{part}", "null"]
    assert f"no clips for {part}: set data.corpus.{part}" in fails(capsys, verb, *args)


@pytest.mark.parametrize(("verb", "limit"), [("test", "test"), ("validate", "val"), ("predict", "predict")])
def test_a_limit_of_no_batches_leaves_nothing_to_score(run, capsys, verb, limit):
    args = ["--config", str(run / "config.yaml"), "--ckpt_path", "last", "--data.corpus.predict", "eval/public"]
    before = (run / "test/scores.json").read_bytes()
    said = fails(capsys, verb, *args, f"--trainer.limit_{limit}_batches", "0")
    assert f"trainer.limit_{limit}_batches is 0, so no clip would be read" in said
    assert (run / "test/scores.json").read_bytes() == before


def test_a_training_without_test_or_validation_batches(exp, tmp_path, capsys):
    args = ["fit", "--config", exp, "--trainer.default_root_dir", str(tmp_path), "--trainer.max_epochs", "1"]
    untuned = [*args[1:], "--trainer.limit_val_batches", "0", "--evaluation.tuning", "{thresholds: events}"]
    assert "evaluation.tuning needs the validation clips, but trainer.limit_val_batches is 0" in fails(
        capsys, "fit", *untuned
    )
    assert main([*args, "--trainer.limit_test_batches", "0"]) == 0
    assert (tmp_path / "checkpoints/last.ckpt").is_file()
    assert not (tmp_path / "test").exists()


def changed(exp, tmp_path, **change):
    """The small experiment with parts replaced, as a file."""
    config = yaml.safe_load(Path(exp).read_text())
    for path, value in change.items():
        *parents, key = path.split("__")
        part = config
        for parent in parents:
            part = part[parent]
        part[key] = value
    file = tmp_path / "changed.yaml"
    file.write_text(yaml.safe_dump(config))
    return str(file)


def test_several_heads_travel_in_the_checkpoint(exp, tmp_path):
    heads = ["framewise", {"class_path": "framewise", "init_args": {"pooling": "mean"}}]
    config = changed(exp, tmp_path, model__network__head=heads)
    args = ["--trainer.default_root_dir", str(tmp_path), "--trainer.max_epochs", "1", "--test_after_fit", "false"]
    assert main(["fit", "--config", config, *args]) == 0
    detector = wsed.load(tmp_path / "checkpoints" / "last.ckpt")
    assert [head.pooling for head in detector.network.heads] == ["max", "mean"]
    for wrong in (torch.zeros(2, 8000).numpy(), torch.zeros(0).numpy()):
        with pytest.raises(wsed.WsedError, match=r"mono samples|holds no samples"):
            detector.detect(wrong)


def test_no_test_clips_is_no_mistake(exp, tmp_path):
    args = ["fit", "--config", exp, "--data.corpus.test", "null", "--trainer.max_epochs", "1"]
    assert main([*args, "--trainer.default_root_dir", str(tmp_path)]) == 0


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("eval_0.wav\t50\t60\tlow", "eval_0.wav (test): its low begins at 50 s, but"),
        ("eval_0.wav\tsoon\t0.5\tlow", "public.tsv:10: onset is 'soon', expected seconds"),
        ("eval_0.wav\t0.5\t0.4\tlow", "public.tsv:10: offset 0.4 is not after onset 0.5"),
        ("eval_0.wav\t0.1\t0.4\tbeep", "has the label 'beep'"),
    ],
)
def test_mistakes_in_the_test_labels_are_found_before_training(exp, tmp_path, corpus, capsys, row, expected):
    import shutil

    bad = tmp_path / "bad"
    shutil.copytree(corpus, bad)
    with (bad / "metadata" / "eval" / "public.tsv").open("a") as table:
        table.write(row + "\n")
    run = tmp_path / "run"
    args = ["fit", "--config", exp, "--data.corpus.root", str(bad), "--trainer.default_root_dir", str(run)]
    assert expected in fails(capsys, *args)
    assert not (run / "checkpoints").exists()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"model__losses": {}}, "model.losses is empty"),
        (
            {"evaluation__decoder": {"tag_threshold": [0.1, 0.2, 0.3]}},
            "decoder.tag_threshold has 3 values for 2 labels",
        ),
        ({"evaluation__rank_by": []}, "evaluation.rank_by is empty"),
        ({"evaluation__metrics": ["onset"]}, "unknown metric 'onset' (did you mean onset_f1"),
        (
            {"data__windows": {"length": 0.5, "placement": "centred"}},
            "unknown placement 'centred' (did you mean center",
        ),
        ({"evaluation__rank_by": ["event_f2/macro"]}, "unknown metric 'event_f2' (did you mean event_f1"),
        ({"evaluation__rank_by": ["event_f1/macro_error_rate"]}, "a greater event_f1/macro_error_rate is not better"),
        (
            {"model__network__head": {"class_path": "framewise", "init_args": {"pooling": "auto"}}},
            "unknown pooling 'auto'",
        ),
        ({"model__network__encoder__init_args": {"pools": [[1, 4, 2]]}}, "pools are [time, band] pairs"),
    ],
)
def test_settings_that_cannot_work_are_refused(exp, tmp_path, capsys, change, expected):
    config = changed(exp, tmp_path, **change)
    assert expected in fails(capsys, "fit", "--config", config, "--trainer.default_root_dir", str(tmp_path))


def test_a_checkpoint_of_another_network_is_refused(run, tmp_path, capsys):
    args = [
        "test",
        "--config",
        str(run / "config.yaml"),
        "--ckpt_path",
        "best",
        "--model.network.encoder.channels",
        "6",
    ]
    assert "checkpoint is of another network" in fails(capsys, *args)
    (tmp_path / "cut.ckpt").write_bytes((run / "checkpoints" / "best.ckpt").read_bytes()[:2000])
    args = ["test", "--config", str(run / "config.yaml"), "--ckpt_path", str(tmp_path / "cut.ckpt")]
    assert "not a checkpoint that can be read safely" in fails(capsys, *args)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (["--model.network.encoder.init_args.channels", "8"], "the checkpoint is of another network"),
        (
            ["--model.optimizer", "torch.optim.SGD", "--model.optimizer.init_args.lr", "0.1"],
            "the checkpoint is of a training with another optimiser: its settings are",
        ),
        (["--overwrite", "--data.corpus.root", "/nowhere"], "no such folder: /nowhere"),
    ],
)
def test_a_start_that_is_refused_changes_nothing_in_the_folder(run, exp, capsys, change, expected):
    kept = ["config.yaml", "versions_fit.json", "checkpoints/best.ckpt", "checkpoints/last.ckpt"]
    before = {name: (run / name).read_bytes() for name in kept}
    resume = [] if change[0] == "--overwrite" else ["--ckpt_path", "last", "--trainer.max_epochs", "3"]
    message = fails(capsys, "fit", "--config", exp, "--trainer.default_root_dir", str(run), *resume, *change)
    assert expected in message
    assert {name: (run / name).read_bytes() for name in kept} == before
    assert not list(run.glob("config_*.yaml"))


def test_overwrite_replaces_a_run(exp, tmp_path):
    old = [tmp_path / "checkpoints" / name for name in ("best.ckpt", "best.decoder.yaml", "other.ckpt")]
    (tmp_path / "checkpoints").mkdir()
    for path in old:
        path.write_text("old")
    args = ["fit", "--config", exp, "--trainer.default_root_dir", str(tmp_path), "--overwrite"]
    assert main([*args, "--trainer.max_epochs", "1", "--test_after_fit", "false"]) == 0
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]


def test_callbacks_of_the_users_own_join_ours(exp, tmp_path, capsys):
    callbacks = [
        {"class_path": "ModelCheckpoint", "init_args": {"save_top_k": -1}},
        {"class_path": "EarlyStopping", "init_args": {"monitor": "val/score", "mode": "max"}},
    ]
    config = changed(exp, tmp_path, trainer__callbacks=callbacks)
    args = ["fit", "--config", config, "--trainer.default_root_dir", str(tmp_path), "--test_after_fit", "false"]
    assert main(args) == 0
    assert len(list(tmp_path.rglob("epoch=*.ckpt"))) == 2
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} >= {"best.ckpt", "last.ckpt"}


def test_the_best_epoch_has_a_star(exp, tmp_path, capsys):
    args = ["fit", "--config", exp, "--trainer.default_root_dir", str(tmp_path), "--test_after_fit", "false"]
    assert main([*args, "--trainer.max_epochs", "1"]) == 0
    assert "\nepoch 0*  loss" in capsys.readouterr().out
    args += ["--overwrite", "--trainer.num_sanity_val_steps", "1", "--trainer.check_val_every_n_epoch", "2"]
    assert main([*args, "--trainer.max_epochs", "2"]) == 0
    lines = [line.partition("  ")[0] for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]
    assert lines == ["epoch 0", "epoch 1*"]


def test_a_training_without_steps_says_so(exp, tmp_path, capsys):
    args = ["fit", "--config", exp, "--trainer.default_root_dir", str(tmp_path)]
    assert main([*args, "--trainer.limit_train_batches", "0"]) == 0
    assert "no step was taken" in capsys.readouterr().out


@pytest.mark.slow
def test_a_training_that_is_interrupted_can_go_on(exp, tmp_path):
    args = [sys.executable, "-m", "wsed.cli.main", "fit", "--config", exp, "--trainer.default_root_dir", str(tmp_path)]
    args += ["--trainer.max_epochs", "500"]
    heeds = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a suite in the background ignores Ctrl-C
    process = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heeds)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("epoch 0"):
            break
    process.send_signal(signal.SIGINT)
    _, message = process.communicate()
    assert process.returncode == 130
    assert message.splitlines()[-1] == "wsed: stopped; files that were written are kept; go on with --resume auto"


class Interrupts(pl.Callback):
    """Ctrl-C in the second epoch."""

    def on_train_epoch_start(self, trainer, *_):
        if trainer.current_epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_ends_a_training_with_its_status_and_what_to_do(exp, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(WsedCLI, "own_callbacks", lambda self, made=WsedCLI.own_callbacks: [*made(self), Interrupts()])
    was = signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite in the background ignores Ctrl-C
    try:
        assert main(["fit", "--config", exp, "--trainer.default_root_dir", str(tmp_path)]) == 130
    finally:
        signal.signal(signal.SIGINT, was)
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == "wsed: stopped; files that were written are kept; go on with --resume auto"
    assert (tmp_path / "checkpoints" / "last.ckpt").is_file()


def test_a_run_is_not_overwritten_silently(run, exp, capsys):
    message = fails(capsys, "fit", "--config", exp, "--trainer.default_root_dir", str(run))
    assert "already holds a run: continue it with --resume auto" in message


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (["--model.network.encoder", "crn"], "unknown encoder 'crn' (did you mean crnn"),
        (["--data.corpus", "dased"], "unknown corpus 'dased' (did you mean desed"),
        (["--data", "desed"], "--data is --data.corpus since wsed 0.2"),
        (["--data.root", "/nowhere"], "data.root is data.corpus.root since wsed 0.2"),
        (["--data.corpus.root", "/nowhere"], "no such folder: /nowhere"),
        (
            ["--model.parts", "[{pattern: encodr}]", "--data.corpus.labels", "[high]"],
            "model.parts: pattern 'encodr' is found in no name of a parameter",
        ),
        (["--data.corpus.labels", "[high]"], "has the label 'low', which is not one of data.corpus.labels (high)"),
        (
            ["--data.batch", "{weakly: 4}"],
            "data.batch: unknown source 'weakly' (did you mean weak?); the corpus has weak",
        ),
        (["--data.batch", "{unlabelled: 4}"], "take unlabelled out of data.batch"),
        (["--data.corpus.validation", "validation/gone"], "set data.corpus.validation to null and data.holdout to 0.2"),
        (["--ckpt_path", "last"], "no checkpoint"),
        (["--ckpt_path", "gone.ckpt"], "no such checkpoint: gone.ckpt"),
        (["--evaluation.decoder.smooth", "-1"], "decoder.smooth must be more than 0"),
        (["--model.decoder.smooth", "0.2"], "model.decoder is evaluation.decoder since wsed 0.2"),
        (["--model.tuning={tags: exact}"], "model.tuning is evaluation.tuning since wsed 0.2"),
        (["--data.eval_batch", "0"], "data.eval_batch must be 1 or more"),
        (["--data.sample_rate", "16000"], "data.sample_rate is 16000, the network takes 8000"),
        (["--trainer.precision", "bf16-true"], "use bf16-mixed"),
        (["--trainer.precision", "64-true"], "trainer.precision 64-true is not supported; use 32-true"),
        (["--trainer.logger", "MLFlowLogger"], "mlflow"),
        (["--trainer.accelerator", "gpu"], "trainer.accelerator asks for a GPU, but torch sees none here"),
    ],
)
def test_mistakes_get_a_message(exp, tmp_path, capsys, change, expected):
    message = fails(capsys, "fit", "--config", exp, "--trainer.default_root_dir", str(tmp_path), *change)
    assert expected in message


@pytest.mark.parametrize(("slow", "precision"), [(True, "bf16-mixed"), (True, "32-true"), (False, "bf16-mixed")])
def test_a_cpu_without_bfloat16_is_told_of(exp, tmp_path, capsys, monkeypatch, slow, precision):
    monkeypatch.setattr("wsed.cli.settings.slow_bfloat16", lambda: slow)
    trainer = {"precision": precision, "accelerator": "cpu", "logger": "MLFlowLogger", "default_root_dir": tmp_path}
    flags = [part for name, value in trainer.items() for part in (f"--trainer.{name}", str(value))]
    message = fails(capsys, "fit", "--config", exp, *flags)  # that logger is not installed
    assert ("no instructions for bfloat16" in message) == (slow and precision == "bf16-mixed")


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ({"tags": {"loss": "mill"}}, "unknown loss 'mill' (did you mean mil?)"),
        ({"frames": {"loss": "frame_bce"}}, "loss 'frames' needs clips with events with onset and offset"),
        (
            {"tags": {"loss": {"class_path": "mil", "init_args": {"pooling": "attention"}}}},
            "loss 'tags' reads attention, which the network does not provide",
        ),
    ],
)
def test_losses_that_cannot_be_served_are_refused(exp, tmp_path, capsys, losses, expected):
    config = changed(exp, tmp_path, model__losses=losses)
    assert expected in fails(capsys, "fit", "--config", config, "--trainer.default_root_dir", str(tmp_path / "run"))


@pytest.mark.parametrize(
    ("options", "batch", "missing"),
    [
        ({"wps": "none"}, "{weak: 4}", "events with onset and offset"),
        ({"pairs": "synthetic"}, "{weak: 4, strong: 0}", "events with onset and offset"),
        ({"pairs": "cross"}, "{weak: 4}", "events with onset and offset"),
        ({"pairs": "cross"}, "{strong: 4}", "tags but no events"),
        ({"pairs": "real"}, "{strong: 4}", "tags but no events"),
    ],
)
def test_pairs_of_frames_that_no_source_can_give_are_refused(exp, tmp_path, capsys, options, batch, missing):
    losses = {"tags": {"loss": "mil"}, "apart": {"loss": {"class_path": "fpd", "init_args": options}}}
    config = changed(exp, tmp_path, model__losses=losses, model__network__head=["framewise", "projection"])
    tables = ["--data.batch", batch, "--data.corpus.train.strong", "validation/validation"]
    message = fails(capsys, "fit", "--config", config, *tables, "--trainer.default_root_dir", str(tmp_path / "run"))
    assert f"loss 'apart' needs clips with {missing}, and none of the sources of data.batch" in message


def test_a_loss_of_the_users_own_lies_beside_the_yaml(exp, tmp_path, monkeypatch):
    (tmp_path / "my_losses.py").write_text(
        "from wsed.losses.base import Loss\n"
        "from wsed.ops.reduce import masked_mean\n"
        "class Few(Loss):\n"
        "    def forward(self, output, batch):\n"
        "        return masked_mean(output.frame_scores)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p != ""])
    config = changed(
        exp, tmp_path, model__losses={"tags": {"loss": "mil"}, "few": {"loss": "my_losses.Few", "weight": 0.1}}
    )
    args = ["--trainer.fast_dev_run", "1", "--trainer.default_root_dir", str(tmp_path)]
    assert main(["fit", "--config", config, *args]) == 0


def test_augmentations_parts_of_the_network_and_a_warm_up_are_lines_of_yaml(exp, tmp_path):
    config = changed(
        exp,
        tmp_path,
        data__augment=["mixup", {"class_path": "time_shift", "init_args": {"seconds": 0.2}}, "spec_augment"],
        model__parts=[{"pattern": "encoder", "lr": 1e-4, "frozen_epochs": 1}],
        model__lr_scheduler={
            "class_path": "wsed.training.schedules.WarmUp",
            "init_args": {"warmup": 2, "steps": 4, "shape": "exponential"},
        },
    )
    args = ["--trainer.max_epochs", "1", "--trainer.default_root_dir", str(tmp_path / "run"), "--test_after_fit=false"]
    assert main(["fit", "--config", config, *args]) == 0
    saved = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert saved["model"]["parts"][0]["frozen_epochs"] == 1
    assert len(saved["data"]["augment"]) == 3


def test_a_wrong_argument_name_in_yaml_is_named(exp, tmp_path, capsys):
    config = changed(exp, tmp_path, model__network__encoder__init_args__chanels=4)
    assert "chanels" in fails(capsys, "fit", "--config", config)


def test_a_checkpoint_of_other_classes_is_refused(run, tmp_path, capsys, corpus):
    config = str(run / "config.yaml")
    message = fails(capsys, "test", "--config", config, "--ckpt_path", "best", "--data.corpus.labels", "[low, high]")
    assert "the checkpoint has the classes ['high', 'low'], the data has ['low', 'high']" in message


class Bomb:
    def __reduce__(self):
        return (os.system, ("touch executed",))


def test_a_checkpoint_that_would_execute_code_is_refused(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {}, "bomb": Bomb()}, "evil.ckpt")
    for verb in ("test", "fit"):
        common = [verb, "--config", str(run / "config.yaml"), "--trainer.default_root_dir", str(tmp_path / verb)]
        assert "not a checkpoint that can be read safely" in fails(capsys, *common, "--ckpt_path", "evil.ckpt")
    with pytest.raises(wsed.WsedError, match="not a checkpoint that can be read safely"):
        wsed.load("evil.ckpt")
    assert not (tmp_path / "executed").exists()


def test_missing_clips_are_reported_and_too_many_are_an_error(exp, tmp_path, corpus, capsys):
    import shutil

    holed = tmp_path / "holed"
    shutil.copytree(corpus, holed)
    (holed / "audio" / "train" / "weak" / "train_3.wav").unlink()
    run = tmp_path / "run"
    common = ["fit", "--config", exp, "--data.corpus.root", str(holed), "--trainer.default_root_dir", str(run)]
    assert "1 of 8 clips" in fails(capsys, *common)
    assert main([*common, "--data.max_missing", "0.2", "--trainer.max_epochs", "1"]) == 0
    assert "train_3.wav" in (run / "missing_train.tsv").read_text()


def test_a_clip_full_of_nan_is_named(exp, tmp_path, corpus, capsys):
    import shutil

    import numpy as np

    bad = tmp_path / "bad"
    shutil.copytree(corpus, bad)
    file = bad / "audio" / "train" / "weak" / "train_3.wav"
    soundfile.write(file, np.full(8000, np.nan, np.float32), 8000, subtype="FLOAT")
    for workers in ("0", "1"):
        args = ["fit", "--config", exp, "--data.corpus.root", str(bad), "--data.workers", workers]
        message = fails(capsys, *args, "--trainer.default_root_dir", str(tmp_path / workers))
        assert "train_3.wav holds NaN or infinite samples" in message
        assert message.count("\n") == 1


@pytest.mark.slow
def test_two_processes_score_like_one(run, tmp_path):
    one = json.loads((run / "test" / "scores.json").read_text())
    args = [sys.executable, "-m", "wsed.cli.main", "test", "--config", str(run / "config.yaml")]
    args += ["--ckpt_path", str(run / "checkpoints" / "best.ckpt"), "--trainer.default_root_dir", str(tmp_path)]
    args += ["--trainer.devices", "2", "--trainer.strategy", "ddp_spawn", "--data.eval_batch", "3"]
    done = subprocess.run(args, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-2000:]
    two = json.loads((tmp_path / "test" / "scores.json").read_text())
    for kind in ("event_f1", "segment_f1", "tagging_f1"):
        assert two[kind] == one[kind]
    assert two["correlation"]["mean_positive"] == pytest.approx(one["correlation"]["mean_positive"], abs=1e-6)


def test_two_processes_train(exp, tmp_path):
    args = [sys.executable, "-m", "wsed.cli.main", "fit", "--config", exp, "--trainer.max_epochs", "1"]
    args += ["--trainer.devices", "2", "--trainer.strategy", "ddp", "--trainer.default_root_dir", str(tmp_path)]
    args += ["--data.batch", "{weak: 2}"]
    done = subprocess.run(args, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-2000:]
    assert torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 2
    assert json.loads((tmp_path / "test" / "scores.json").read_text())["clips"] == 8


def test_help_and_lists(capsys):
    assert main(["--help"]) == 0
    assert main(["list", "loss"]) == 0
    assert "cosine_penalty" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert main(["data"]) == 0
    assert "did you mean fit" in fails(capsys, "fitt")
    assert "unknown kind" in fails(capsys, "list", "losses")
    assert "did you mean synth" in fails(capsys, "data", "synht")
