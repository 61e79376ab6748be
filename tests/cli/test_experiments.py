"""Every row of every recipe is trained for two steps through the real command line, alone and with its overlays."""

import json
import re
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml

import wsed
from tests.conftest import make_corpus
from tests.data.dcase2018 import first_release, make_dcase2018
from tests.experiments.desed.layout import lay_out, small
from wsed.cli.configs import merged
from wsed.cli.main import main
from wsed.data.corpus.videos.layout import DCASE2017_LABELS as LABELS
from wsed.data.synth.recipe_files import load_recipe
from wsed.models.encoders.cdur import CDur
from wsed.study.plan import plan
from wsed.study.rows import read_recipe

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
RECIPES = {path.parent.name: read_recipe(path.parent) for path in sorted(EXPERIMENTS.glob("*/recipe.yaml"))}
CORPUS = dict.fromkeys(("dcase2018", "dcase2018_best", "dcase2018_baseline"), "dcase2018")
CORPUS["desed2023"] = "desed2023"
CORPUS |= {f"sprsound{rows}": "ward" for rows in ("", "_teacher", "_pseudo", "_everything", "_embeddings")}
CORPUS |= {"desed": "dcase2021", **{f"dcase2023{rows}": "dcase2023" for rows in ("", "_beats", "_two_stages")}}
CORPUS |= dict.fromkeys(("dcase2017", "audioset_22k", "audioset_1m"), "videos")
"""Of an overlay or a paper that needs a corpus in another layout than DESED's."""


UNDER = {"segments": "soundscapes"}
"""The overlay over which a README merges others."""


ONE = {"what_wins": ("all", None), "desed": ("baseline", "dcase2023")}
"""The only row of an experiment that is no slow test."""


def files_of(paper, row, overlay):
    """The configurations of a row with an overlay, and with the one that belongs under it."""
    recipe, under = RECIPES[paper], UNDER.get(re.sub(r"_\d+$", "", overlay or ""))
    return tuple(dict.fromkeys((*recipe.configs(row, under), *recipe.configs(row, overlay))))


@cache
def config_of(paper, row):
    """The settings of a row, merged once: it takes most of the time in which tests are collected."""
    return merged(RECIPES[paper].configs(row))


def combinations():
    """Each row alone and with its overlays: as slow tests where other rows have shown each of its parts."""
    shown = set()
    for paper, recipe in RECIPES.items():
        for row, overlay in recipe.combinations():
            model = config_of(paper, row)["model"]
            encoder = model["network"]["init_args"].get("encoder", {})
            network = encoder.get("class_path", model["network"].get("class_path"))
            parts = {(paper, network), (paper, re.sub(r"_\d+$", "", overlay or ""))}
            parts |= {term["loss"]["class_path"] for term in model["losses"].values()}
            shows = ONE.get(paper, (row, overlay)) == (row, overlay) and not parts <= shown
            shown |= parts if shows else set()
            slow = [] if shows else [pytest.mark.slow]
            yield pytest.param(paper, row, overlay, marks=slow, id=f"{paper}-{row}-{overlay or 'alone'}")


@pytest.fixture(scope="module")
def desed(tmp_path_factory):
    """The tiny corpus, and its training clips as other sources: strongly labelled (FPD), and without labels."""
    root = make_corpus(tmp_path_factory.mktemp("rows"))
    strong = (root / "metadata/train/strong.tsv").read_text()
    shutil.copy(root / "metadata/train/weak.tsv", root / "metadata/train/pseudo.tsv")  # of experiments/cosine_penalty
    names = "\n".join(["filename", *(f"unlabel_in_domain_{p.name}" for p in (root / "audio/train/weak").iterdir())])
    tables = {"synthetic": strong, "builtin": strong, "unlabel_in_domain": names}
    for source, table in tables.items():
        (root / "audio/train" / source).mkdir()
        for clip in (root / "audio/train/weak").iterdir():
            shutil.copy(clip, root / "audio/train" / source / f"{source}_{clip.name}")
        named = table if source == "unlabel_in_domain" else table.replace("train_", f"{source}_train_")
        (root / f"metadata/train/{source}.tsv").write_text(named + "\n")
    predict(root, sorted((root / "audio/train/unlabel_in_domain").iterdir()), "low", "high")
    return root


def predict(root, clips, *labels):
    """Events of a network in clips without labels, for rows with pseudo labels."""
    rows = [f"{clip.name}\t0.2\t0.7\t{labels[i % len(labels)]}\t0.9" for i, clip in enumerate(clips)]
    header = "filename\tonset\toffset\tevent_label\tconfidence"
    (root / "predictions.tsv").write_text("\n".join([header, *rows]) + "\n")


@pytest.fixture(scope="module")
def desed2023(tmp_path_factory, desed):
    """The same in the layout of 2021 to 2023: synthetic clips in folders of their own, no public evaluation clips."""
    root = tmp_path_factory.mktemp("desed2023") / "corpus"
    shutil.copytree(desed, root)
    for part in ("audio", "metadata"):
        suffix = ".tsv" if part == "metadata" else ""
        for split, table in (("train", "synthetic"), ("validation", "validation")):
            soundscapes = root / part / split / f"synthetic21_{split}"
            soundscapes.mkdir()
            source, target = root / part / split / f"{table}{suffix}", soundscapes / f"soundscapes{suffix}"
            if split == "train":
                source.rename(target)
            else:
                (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
        shutil.rmtree(root / part / "eval")
    return root


@pytest.fixture(scope="module")
def dcase2018(tmp_path_factory, shared):
    root = make_dcase2018(tmp_path_factory.mktemp("dcase2018") / "corpus", shared, first_release(shared))
    folder = root / "dataset/audio/train/unlabel_in_domain"  # for rows with a teacher
    folder.mkdir()
    names = [f"other_{i}.wav" for i in range(4)]
    for name in names:
        shutil.copy(root / "noise.wav", folder / name)
    (root / "dataset/metadata/train/unlabel_in_domain.csv").write_text("\n".join(["filename", *names]) + "\n")
    tables = root / "dataset/metadata/train"
    shutil.copy(tables / "weak.csv", tables / "pseudo.csv")
    return root


@pytest.fixture(scope="module")
def dcase2021(tmp_path_factory):
    return lay_out(tmp_path_factory.mktemp("dcase2021") / "dataset", small(), 2021, seconds=1.0)


@pytest.fixture(scope="module")
def dcase2023(tmp_path_factory):
    return lay_out(tmp_path_factory.mktemp("dcase2023") / "dataset", small(), 2023, seconds=1.0)


@pytest.fixture(scope="module")
def ward(tmp_path_factory):
    """One folder and two tables as of SPRSound, 1 s a recording; a quarter of the files have no row."""
    root = tmp_path_factory.mktemp("ward")
    labels = ("Normal", "Fine Crackle", "Coarse Crackle", "Wheeze+Crackle", "Wheeze")
    tags, events = ["file,split,patient,labels"], ["file,start,end,label"]
    for i in range(20):
        name, label = f"r{i}.flac", labels[i % 5]
        soundfile.write(root / name, 0.1 * np.random.default_rng(i).standard_normal(8000), 8000)
        if i >= 15:
            continue
        tags.append(f"{name},{('train', 'validation', 'test_seen_patients')[i // 5]},p{i},{label}")
        events.append(f"{name},0.2,0.7,{label}")
    (root / "recordings.csv").write_text("\n".join(tags) + "\n")
    (root / "events.csv").write_text("\n".join(events) + "\n")
    predict(root, [root / f"r{i}.flac" for i in range(15, 20)], "Normal", "Crackle", "Wheeze")
    return root


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Lists of AudioSet and of DCASE 2017 task 4, a clip of 1 s for each row; of AudioSet 3 classes."""
    root, mids = tmp_path_factory.mktemp("videos"), ("/m/09x0r", "/m/04rlf", "/m/0k4j")
    names = zip(mids, ("Speech", "Music", "Car"), strict=True)
    classes = "".join(f"{i},{mid},{name}\n" for i, (mid, name) in enumerate(names))
    (root / "class_labels_indices.csv").write_text("index,mid,display_name\n" + classes)
    clips = [f"-{i:010d}" for i in range(50 * len(mids))]
    rows = "".join(f'{c}, 0.000, 1.000, "{mids[2]},{mids[i % 3]}"\n' for i, c in enumerate(clips))
    for name in ("balanced_train_segments", "unbalanced_train_segments", "eval_segments"):
        (root / f"{name}.csv").write_text("# made\n# up\n# YTID, start_seconds, end_seconds, positive_labels\n" + rows)
    rows = "".join(f"{c}_0.000_1.000.wav\t0.000\t1.000\t{LABELS[i % 17]}\n" for i, c in enumerate(clips))
    for name in ("training", "testing"):
        (root / f"groundtruth_weak_label_{name}_set.csv").write_text(rows)
    noise = 0.1 * np.random.default_rng(0).standard_normal(8000)
    (root / "audio").mkdir()
    for clip in clips:
        soundfile.write(root / "audio" / f"{clip}_0.000_1.000.wav", noise, 8000)
    return root


TINY = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
TINY |= {"conv_dim": [8] * 7, "num_conv_pos_embedding_groups": 2}
"""Sizes for wav2vec 2.0: the base model takes minutes for two steps."""


SMALL_BEATS = {"embed_dim": 8, "encoder_layers": 2, "encoder_embed_dim": 16, "encoder_ffn_embed_dim": 16}
SMALL_BEATS |= {"encoder_attention_heads": 2, "conv_pos": 8, "conv_pos_groups": 2}


def place_of(corpus, root):
    """The settings of a corpus that say where its files are."""
    kind = corpus["class_path"].rpartition(".")[2]
    if kind == "Pseudo":
        return {"corpus": {"init_args": {"root": str(root)}}, "predictions": str(root / "predictions.tsv")}
    if kind == "Joint":
        return {
            "corpora": {n: {"init_args": {"root": str(root / p)}} for n, p in (("real", ""), ("synth", "dcase_synth"))}
        }
    return {"root": str(root)}


def places(files, config, root):
    """The settings that say where the files of a small corpus are; BEATs is made small."""
    settings = {"data": {"corpus": {"init_args": place_of(config["data"]["corpus"], root)}}}
    if any(file.stem == "base_beats" for file in files):
        pytest.importorskip("speechbrain", reason="the extra beats is not installed")
        fused = {"init_args": {"pretrained_encoder": {"init_args": {"config": SMALL_BEATS}}}}
        settings["model"] = {"network": {"init_args": {"student": {"encoder": fused}}}}
    augment = config["data"].get("augment", [])
    for part in augment:  # recordings that the user must have
        if "folder" in part.get("init_args", {}):
            part["init_args"]["folder"] = str(root / "audio/train/weak")
            settings["data"]["augment"] = augment
    return settings


def arguments(paper, row, overlay, root, out):
    """The settings of a row for a small corpus: wav2vec 2.0 made small, without earlier weights."""
    files = files_of(paper, row, overlay)
    config = merged(files)
    place = out / "base_place.yaml"
    place.write_text(yaml.safe_dump(places(files, config, root)))
    args = [*(f"--config={file}" for file in [*files, place]), "--data.workers", "0"]
    if "folder" in config["data"].get("reader", {}).get("init_args", {}):
        args += ["--data.reader.init_args.folder", str(out / "features")]
    for name, term in config["model"]["losses"].items():
        if "exempt" in term["loss"].get("init_args", {}) and CORPUS.get(overlay) is None:
            args += [f"--model.losses.{name}.loss.init_args.exempt", "[[high, low]]"]
    for setting in ("length", "test_length"):  # the clips last 1 s; experiments/waa has segments of 10 s
        if paper == "waa" and config["data"]["windows"].get(setting, 1) > 1:
            args += [f"--data.windows.{setting}", "1"]
    if overlay in ("segments_64", "segments_128"):  # the clips have fewer frames than it pools
        args += ["--model.network.init_args.frontend.init_args.hop_length", "100"]
    if "pretrained" in config["model"]["network"]["init_args"]:
        args += ["--model.network.init_args.pretrained", "null"]
    if config["model"]["network"]["init_args"].get("encoder", {}).get("class_path", "").endswith("Wav2Vec2"):
        args += ["--model.network.init_args.encoder.init_args.config", json.dumps(TINY)]
    return args


def fit(paper, row, overlay, root, out, *more):
    """The exit status of two steps of a row, in small batches."""
    args = arguments(paper, row, overlay, root, out)
    config = merged(files_of(paper, row, overlay))
    if "batch" in config["data"]:
        args += ["--data.batch", str(dict.fromkeys(config["data"]["batch"], 4))]
    return main(["fit", *args, "--trainer.accelerator", "cpu", "--trainer.default-root-dir", str(out), *more])


@pytest.mark.filterwarnings("ignore:.*the weights are random and are not trained")  # of rows without their flag
@pytest.mark.parametrize(("paper", "row", "overlay"), list(combinations()))
def test_two_steps(paper, row, overlay, tmp_path, request):
    root = request.getfixturevalue(CORPUS.get(overlay or paper, "desed"))
    assert fit(paper, row, overlay, root, tmp_path, "--trainer.fast-dev-run", "2") == 0


@pytest.mark.slow
def test_everything_together_trains_on_published_weights(desed, shared, tmp_path):
    """The flag that the row names, with the trained encoder in both student and teacher."""
    weights = shared / "data/pretrained/gpv/teacher2.pth"
    if not weights.is_file():
        pytest.skip("no published weights")
    file = EXPERIMENTS / "what_wins/rows/cdur_everything.yaml"
    flag = re.search(r"(--model\S+\.pretrained) teacher2\.pth", file.read_text())[1]
    short = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "2", "--evaluation.resamples", "0"]
    assert fit("what_wins", "cdur_everything", "gaps", desed, tmp_path, *short, flag, str(weights)) == 0
    network = wsed.load(tmp_path).network
    encoders = [part.encoder.pretrained_encoder for part in (network.student, network.teacher)]
    published = CDur(64, pretrained=str(weights)).state_dict()
    for encoder in encoders:
        assert all(torch.equal(value, published[name]) for name, value in encoder.state_dict().items())


def test_recipes_name_all_files():
    for recipe in RECIPES.values():
        files = {path.stem for path in recipe.folder.glob("*.yaml")} - {"recipe", "space"}
        synthesised = {name for name in files if name.startswith("synth_")}  # recipes of `wsed data synth`
        assert all(load_recipe(str(recipe.folder / f"{name}.yaml")).clips for name in synthesised)
        assert {*recipe.overlays} == {name for name in files - synthesised if not name.startswith("base")}
        assert {*recipe.rows} == {path.stem for path in (recipe.folder / "rows").glob("*.yaml")}
        assert all(len(path.read_text().splitlines()) <= 20 for path in (recipe.folder / "rows").glob("*.yaml"))


def made_sources(scale):
    """The sources of a scale's corpus that not every corpus has."""
    if scale.paper is not None:
        return {"synthetic", "unlabelled"}
    module = (scale.corpus.module if scale.corpus else None) or ""
    return {"fpd": {"synthetic", "builtin"}, "what_wins": {"unlabelled"}}.get(module.split(".")[-2:][0], set())


@pytest.mark.parametrize(
    ("paper", "scale"), [(paper, scale) for paper, recipe in RECIPES.items() for scale in recipe.scales]
)
def test_scales_plan_only_rows_whose_clips_and_weights_are_there(paper, scale):
    recipe, chosen = RECIPES[paper], RECIPES[paper].scales[scale]
    for job in {job.row.name: job for job in plan(recipe, chosen, Path("runs"))}.values():
        config = merged(job.configs)
        drawn = {name for name, size in config["data"].get("batch", {}).items() if size}
        made = made_sources(chosen) | ({"pseudo"} if job.row.predictions_of else set())
        missing = drawn & {"synthetic", "builtin", "unlabelled", "pseudo"} - made
        assert not missing, job.name
        encoder = config["model"]["network"]["init_args"].get("encoder", {}).get("class_path", "")
        assert encoder.rpartition(".")[2] not in ("Wav2Vec2", "BEATs", "AST", "YAMNet"), job.name


def test_documented_commands_merge_a_row_with_its_base_and_its_overlays():
    """The lists of the recipes, from which the rows above are made, hold what the READMEs show."""
    found = 0
    for recipe in RECIPES.values():
        for line in (recipe.folder / "README.md").read_text().splitlines():
            names = re.findall(rf"--config experiments/{recipe.folder.name}/([\w/]+)\.yaml", line)
            rows = [name.removeprefix("rows/") for name in names if name.startswith("rows/")]
            for row in rows:
                others = [name for name in names if "/" not in name and not name.startswith("base")]
                files = {*recipe.configs(row), *(file for name in others for file in recipe.configs(row, name))}
                assert files == {recipe.folder / f"{name}.yaml" for name in names}, line
                found += 1
    assert found > 8


@pytest.mark.parametrize("split", ["validation", pytest.param("test", marks=pytest.mark.slow)])
def test_a_row_of_mmnet_is_tuned_and_tested_on_clips_with_tags_only(split, videos, tmp_path):
    short = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "2", "--evaluation.tuning.split", split]
    assert fit("mmnet", "mmnet", "dcase2017", videos, tmp_path, "--data.eval-batch", "4", *short) == 0
    assert 0 <= json.loads((tmp_path / "test/scores.json").read_text())["tagging_f1"]["macro"] <= 1


@pytest.mark.parametrize("split", ["validation", "test"])
def test_thresholds_of_events_are_refused_before_training_where_events_are_not_known(split, videos, tmp_path, capsys):
    tuning = ["--evaluation.tuning.thresholds", "events", "--evaluation.tuning.split", split]
    assert fit("mmnet", "mmnet", "dcase2017", videos, tmp_path, "--trainer.max_epochs", "1", *tuning) == 2
    told = capsys.readouterr()
    assert f"the events of all clips of the {split} set" in told.err
    assert "set evaluation.tuning.thresholds, medians and gaps to null" in told.err
    assert "epoch 0" not in told.out


def test_the_quickstart(desed, tmp_path):
    args = ["fit", "--config", str(EXPERIMENTS / "quickstart.yaml"), "--data.corpus.root", str(desed)]
    args += ["--data.workers", "0", "--trainer.fast-dev-run", "2", "--trainer.accelerator", "cpu"]
    assert main([*args, "--trainer.default-root-dir", str(tmp_path)]) == 0
