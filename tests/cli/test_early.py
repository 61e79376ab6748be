"""Mistakes that are found before torch is imported."""

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.cli.test_resume import SMALL
from wsed.cli.check_settings import check_settings, require, sections, settings_of
from wsed.cli.configs import merged
from wsed.cli.early import SECTIONS, check_files
from wsed.cli.names import expand
from wsed.cli.search_trials import read_config
from wsed.cli.signatures import Signatures
from wsed.errors import WsedError
from wsed.literals import members
from wsed.registry import HOMES

EXPERIMENTS = Path(__file__).parents[2] / "experiments"

MISTAKES = {
    "modle: {}": "there is no setting 'modle' (did you mean model?)",
    "trainer: {max_epoch: 3}": "trainer has no setting 'max_epoch' (did you mean max_epochs",
    "data: {batches: {weak: 4}}": "data has no setting 'batches' (did you mean batch",
    "data: {eval_batch: many}": "data.eval_batch is 'many', expected a whole number",
    "evaluation: {resamples: [3]}": "evaluation.resamples is [3], expected a whole number",
    "model: {network: {encoder: crn}}": "model.network.encoder: unknown encoder 'crn' (did you mean crnn",
    "model: {network: {encoder: {class_path: crnn, init_args: {chanels: 4}}}}": (
        "model.network.encoder has no setting 'chanels' (did you mean channels?)"
    ),
    "model: {losses: {tags: {loss: mill}}}": "model.losses.tags.loss: unknown loss 'mill'",
    "model: {losses: {tags: {los: mil}}}": "model.losses.tags has no setting 'los' (did you mean loss?)",
    "model: {network: {encodr: crnn}}": "model.network has no setting 'encodr' (did you mean encoder?)",
    "data: {augment: [gain, mixupp]}": "data.augment: unknown augment 'mixupp'",
    "data: {corpus: {class_path: desed, init_args: {rot: x}}}": "data.corpus has no setting 'rot'",
    "model: {network: {encoder: {class_path: crnn, init_args: {channels: many}}}}": (
        "model.network.encoder.channels is 'many', expected a whole number or a list; write channels: [many]"
    ),
    "model: {network: {encoder: {class_path: crnn, init_args: {pools: [[1, four]]}}}}": (
        "model.network.encoder.pools is 'four', expected a whole number"
    ),
    "model: {network: {encoder: my_missing.models.Net}}": (
        "model.network.encoder: cannot import my_missing.models (No module named 'my_missing'): your own module must "
        "lie in the working folder, or on PYTHONPATH; known by name: ast, "
    ),
    "model: {network: {encoder: crnn, head: [framewise, clip_attn]}}": (
        "model.network.head: unknown head 'clip_attn' (did you mean clip_attention?)"
    ),
    "model: {optimizer: {class_path: torch.optim.Adm, init_args: {lr: 1e-3}}}": (
        "model.optimizer: unknown optimizer 'Adm' (did you mean Adam or RAdam or NAdam?); write optimizer: {class_path"
    ),
    "model: {optimizer: adamw}": "model.optimizer: unknown optimizer 'adamw' (did you mean AdamW?)",
    "model: {optimizer: {class_path: SGD, init_args: {momentun: 0.9}}}": (
        "model.optimizer has no setting 'momentun' (did you mean momentum?)"
    ),
    "model: {lr_scheduler: {class_path: torch.optim.lr_scheduler.StepLRR}}": (
        "model.lr_scheduler: unknown lr_scheduler 'StepLRR' (did you mean StepLR or MultiStepLR?)"
    ),
    "trainer: {precision: fp16}": "trainer.precision: unknown precision 'fp16' (did you mean bf16 or 16?)",
    "model: {losses: {tags: {loss: {class_path: frame_bce, init_args: {weigt: 1}}}}}": (
        "model.losses.tags.loss has no settings, but 'weigt' is given"
    ),
    "model: {losses: {tags: {loss: {class_path: micro, init_args: {class_weight: log}}}}}": (
        "model.losses.tags.loss has no setting 'class_weight' (did you mean class_weights?)"
    ),
    "model: {losses: {tags: {loss: {class_path: MIL, init_args: {poling: max}}}}}": (
        "model.losses.tags.loss has no setting 'poling'"
    ),
    "model: {losses: {tags: {loss: wsed.losses.mil.MILL}}}": (
        "model.losses.tags.loss: wsed.losses.mil has no MILL (did you mean MIL?); known by name: asymmetric_focal, "
    ),
    "model: {network: {encoder: {class_path: wsed.models.CRNN, init_args: {chanels: 4}}}}": (
        "model.network.encoder has no setting 'chanels' (did you mean channels?)"
    ),
    "model: {network: {encoder: {class_path: wsed.models.encoders.crnn.CRNN, init_args: {n_bands: 4}}}}": (
        "model.network.encoder has no setting 'n_bands'"
    ),
    "model: {network: {encoder: {class_path: crnn, channels: 8}}}": (
        "model.network.encoder: channels must be in init_args; write encoder: {class_path: "
    ),
    "evaluation: {decoder: {class_path: sebb, init_args: {windo: 1}}}": (
        "evaluation.decoder has no setting 'windo' (did you mean window?)"
    ),
    "trainer: [x]": "trainer is ['x'], expected settings; write trainer: {max_epochs: 10}",
    "evaluation: psds1": "evaluation is 'psds1', expected settings; write evaluation: {metrics: [event_f1, psds1]}",
    "evaluation: [psds1]": "evaluation is ['psds1'], expected settings",
    "trainer: {callbacks: {EarlyStopping: {}}}": (
        "trainer.callbacks names no class: {'EarlyStopping': {}}; write callbacks: [{class_path: EarlyStopping, init_ar"
    ),
    "trainer: {callbacks: [{monitor: val/score}]}": "trainer.callbacks names no class: {'monitor': 'val/score'}",
    "overwrite: maybe": "overwrite is 'maybe', expected true or false",
    "rank_timeout: -5": "rank_timeout is -5, expected seconds above 0",
    "seed_everything: abc": "seed_everything is 'abc', expected true or false or a whole number",
    "test_checkpoint: bset": "test_checkpoint: unknown test_checkpoint 'bset' (did you mean best or last?)",
    "every_n_train_steps: ten": "every_n_train_steps is 'ten', expected a whole number or null",
    "model: {network: {encoder: {class_path: crnn, init_args: null}}}": (
        "model.network.encoder: init_args is null, expected a mapping; leave it out if it is empty"
    ),
    "model: {lr_scheduler: {class_path: WarmUp}}": (
        "model.lr_scheduler: WarmUp is a schedule of wsed; write class_path: wsed.training.schedules.WarmUp"
    ),
    "trainer: {max_epochs: ten}": "trainer.max_epochs is 'ten', expected a whole number or null",
}

FORMS = {
    "data: {augment: gain}": "data.augment is 'gain', expected a list; write augment: [gain]",
    "data: {windows: 3}": "data.windows is 3, expected settings (length, test_length",
    "model: {losses: [mil]}": "model.losses is ['mil'], expected a mapping",
    "model: {network: {encoder: [crnn]}}": "model.network.encoder is ['crnn'], expected an encoder",
}
"""Values of a form that a setting does not take."""

NEEDED = {
    "data: {corpus: {class_path: desed, init_args: {labels: [a]}}}": "data.corpus.root is missing; write root: ...",
    "data: {corpus: {class_path: desed}}": "data.corpus.root is missing",
    "model: {losses: {tags: {weight: 2}}}": "model.losses.tags.loss is missing",
}
"""Settings without a default that are left out."""

LITERALS = {
    "model: {network: {head: {class_path: framewise, init_args: {pooling: maxx}}}}": (
        "model.network.head.pooling: unknown pooling 'maxx' (did you mean max or mean?); known: max, mean, linear_softm"
    ),
    "model: {losses: {apart: {loss: {class_path: fpd, init_args: {metric: euclid}}}}}": (
        "model.losses.apart.loss.metric: unknown metric 'euclid' (did you mean euclidean?); known: euclidean, ip"
    ),
    "data: {corpus: {class_path: pseudo, init_args: {predictions: gone, unsure: maybe}}}": (
        "data.corpus.unsure: unknown unsure 'maybe' (did you mean absent?); known: unknown, absent"
    ),
}
"""Mistakes that are refused later while names are resolved, before `check_settings`."""

LIGHTNING = {
    "trainer: {callbacks: [{class_path: EarlyStoping, init_args: {monitor: val/score}}]}": (
        "trainer.callbacks: there is no class 'EarlyStoping' (did you mean EarlyStopping?); write its name or import"
    ),
    "trainer: {callbacks: lightning.pytorch.callbacks.EarlyStoping}": (
        "there is no class 'lightning.pytorch.callbacks.EarlyStoping' (did you mean EarlyStopping?)"
    ),
    "trainer: {callbacks: {class_path: EarlyStopping, init_args: {monitr: val/score}}}": (
        "trainer.callbacks has no setting 'monitr' (did you mean monitor?)"
    ),
    "trainer: {logger: CSVLoger}": "trainer.logger: there is no class 'CSVLoger' (did you mean CSVLogger",
    "trainer: {strategy: dpp}": "trainer.strategy 'dpp' is not supported (did you mean ddp",
    "trainer: {accelerator: cpuu}": "trainer.accelerator 'cpuu' is not supported (did you mean cpu",
    "evaluation: {rank_by: [event_f2/macro]}": "evaluation.rank_by: unknown metric 'event_f2' (did you mean event_f1",
    "evaluation: {metrics: [psds1, 'event_f2:onset_collar=1']}": "evaluation.metrics: unknown metric 'event_f2' (did",
    "data: {corpus: {class_path: desed, init_args: {root: not/there}}}": (
        "data.corpus.root: no such folder, or it cannot be read: not/there"
    ),
    "data: {corpus: {class_path: wsed.data.DESED, init_args: {root: %s}}}" % ("long" * 80): "no such folder",
    "data: {corpus: {class_path: pseudo, init_args: {corpus: {class_path: desed, init_args: {root: not/there}}}}}": (
        "data.corpus.corpus.root: no such folder"
    ),
    "data: {corpus: {class_path: joint, init_args: {corpora: {a: {class_path: desed, init_args: {root: no/no}}}}}}": (
        "data.corpus.corpora.a.root: no such folder"
    ),
    "data: {corpus: corpus.yaml}": "data.corpus names the file corpus.yaml; pass it by --config",
    "model: {network: {encoder: wsed.models.CRN}}": "wsed.models has no CRN (did you mean CRNN",
    "data: {corpus: {class_path: desed, init_args: {root: ., train: {mine: t}}}, batch: {weka: 4, mine: 4}}": (
        "data.batch: unknown source 'weka' (did you mean weak?); known: weak, strong, synthetic, unlabelled, mine"
    ),
    "data: {batch: {weak: -4}}": "data.batch has no clips: {'weak': -4}; write batch: {weak: 8}",
}
"""Mistakes that the parser, Lightning or the data module refuse later."""

LACKING = {
    "model: {losses: {tags: {loss: mil}}}": "model.network is missing; write model: {network: {encoder: crnn}}",
    "model: {network: {encoder: crnn}}": "model.losses is missing; write model: {losses: {tags: {loss: mil}}}",
    "model: {network: {encoder: crnn}, losses: {tags: {loss: mil}}}": "data.corpus is missing; write data: {corpus: {c",
    "# nothing": "model.network is missing",
    "model: {network: null}": "model.network is missing",
    "model: {network: {encoder: crnn}, losses: {}}": "model.losses is empty; write model",
}
"""Configurations that lack a part, and what is said."""

ENOUGH = "model: {network: {encoder: crnn}, losses: {tags: {loss: mil}}}\ndata: {corpus: {class_path: desed}}"

RIGHT = [
    "model: {network: {encoder: {class_path: crnn, init_args: {channels: 8, dense: null, dropout: 0}}}}",
    "model: {network: {encoder: {class_path: crnn, init_args: {channels: [8, 8], pools: [[1, 4], [2, 4]]}}}}",
    "model: {network: {head: {class_path: framewise, init_args: {pooling: noisy_or}}}}",
    "model: {losses: {apart: {loss: {class_path: fpd, init_args: {metric: ip, pairs: cross}}}}}",
    "model: {losses: {apart: {loss: experiments.fpd.readings.LearnedMarginFPD}}}",
    "model: {losses: {apart: {loss: json.decoder.JSONDecoder}}}",
    "model: {optimizer: {class_path: torch.optim.SGD, init_args: {lr: 0.1, momentum: 0.9}}, lr_scheduler: null}",
    "model: {optimizer: {class_path: Adam}, lr_scheduler: {class_path: StepLR, init_args: {step_size: 3}}}",
    "model: {optimizer: my_optimisers.Lion, lr_scheduler: lightning.pytorch.cli.ReduceLROnPlateau}",
    "data: {batch: {weak: 0, strong: 4}, holdout: 0.1}",
    "data: {batch: {weak: 0}, episodes: {classes: 2}}",
    "trainer: {precision: 16, max_epochs: null, deterministic: warn, devices: [0], limit_val_batches: 0.5}",
    "trainer: {accelerator: cuda, strategy: ddp, max_time: '00:01:00:00', logger: false, profiler: simple}",
    "trainer: {accelerator: mine, callbacks: my_module.Registers, strategy: {class_path: my_module.Strategy}}",
    "trainer: {callbacks: [RichProgressBar, {class_path: EarlyStopping, init_args: {monitor: val/score}}, KeepBest]}",
    "trainer: {callbacks: [MyEarlyStopping, {class_path: my_module.EarlyStoping}, EarlyStoping]}",
    "trainer: {logger: {class_path: WandbLogger, init_args: {project: x, entity: y}}}",
    "ckpt_path: null",
    "{seed_everything: true, test_checkpoint: last, every_n_train_steps: '10', rank_timeout: 60, overwrite: true}",
    "{seed_everything: '3', test_after_fit: 'false', resume: null, weights_only: false, verbose: true}",
    "{trainer: null, evaluation: null}",
    "model: {lr_scheduler: {class_path: wsed.training.schedules.WarmUp, init_args: {warmup: 1, steps: 4}}}",
    "evaluation: {metrics: [psds1, 'event_f1:onset_collar=1'], rank_by: [event_f1/macro, psds1]}",
    "data: {corpus: {init_args: {root: .}}}",
    "data: {augment: [], holdout: 0.2, windows: null, reader: memory}",
    "data: {holdout: {share: 0.1}, windows: {length: 4.0}, augment: [gain, {class_path: noise}]}",
    "model: {losses: {tags: {loss: mil, weight: {class_path: wsed.losses.Ramp, init_args: {steps: 4}}}}}",
    "data: {corpus: {init_args: {train: {mine: train/mine}}}, batch: {mine: 4, unlabelled: 4, other: null}}",
    "data: {corpus: {class_path: dcase2017}, batch: {other: 4}}",
    "data: {corpus: {class_path: audioset, init_args: {root: not/there, lists: ., audio: .}}}",
    "data: {corpus: {class_path: joint, init_args: {corpora: {a: {class_path: desed, init_args: {root: .}}}}}}",
    "data: {corpus: {class_path: json.JSONDecoder, init_args: {root: 's3://not/there'}}}",
]


def mistake(check):
    with pytest.raises(WsedError) as raised:
        check()
    return str(raised.value)


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_are_told_as_later(text, tmp_path):
    path = tmp_path / "exp.yaml"
    path.write_text(text)
    said = mistake(lambda: check_files(["--config", str(path)]))
    assert MISTAKES[text] in said
    assert said.startswith(f"{path}: ")
    later = mistake(lambda: check_settings(expand(yaml.safe_load(text))))
    assert re.split("; known| \\(did|; write", later)[0] in said


@pytest.mark.parametrize("text", FORMS)
def test_values_of_another_form_are_told_as_later(text, tmp_path):
    path = tmp_path / "exp.yaml"
    path.write_text(text)
    assert FORMS[text] in mistake(lambda: check_files(["--config", str(path)]))
    assert FORMS[text].partition(" expected")[0] in mistake(lambda: check_settings(expand(yaml.safe_load(text))))


@pytest.mark.parametrize("text", NEEDED)
def test_what_has_no_default_must_be_given(text, tmp_path):
    path = tmp_path / "exp.yaml"
    path.write_text(text)
    assert NEEDED[text] in mistake(lambda: check_files(["--config", str(path)]))
    base = tmp_path / "base.yaml"
    base.write_text(ENOUGH)
    check_files(["--config", str(base), "--config", str(path)])  # a file may complete another one


def test_what_must_be_given_is_that_of_the_classes():
    known = Signatures.read()
    for kind, (module, name) in HOMES.items():
        registry = getattr(importlib.import_module(module), name)
        for one in registry.names() if kind != "metric" else ():
            needed = known.needed(known.names[kind][one])
            parameters = inspect.signature(registry[one]).parameters
            assert all(parameters[key].default is inspect.Parameter.empty for key in needed), one


@pytest.mark.parametrize("text", LITERALS | LIGHTNING)
def test_mistakes_that_others_tell_later(text, tmp_path):
    path = tmp_path / "exp.yaml"
    path.write_text(text)
    said = mistake(lambda: check_files(["--config", str(path)]))
    assert (LITERALS | LIGHTNING)[text] in said
    assert said.startswith(f"{path}: ")
    if text in LITERALS:
        later = mistake(lambda: expand(yaml.safe_load(text)))
        assert later[later.index("unknown") :] in said


@pytest.mark.parametrize("text", RIGHT)
def test_values_that_may_be_right_are_passed(text, tmp_path):
    (tmp_path / "base.yaml").write_text(ENOUGH)
    (tmp_path / "exp.yaml").write_text(text)
    check_files(["--config", str(tmp_path / "base.yaml"), "--config", str(tmp_path / "exp.yaml")])


@pytest.mark.parametrize("text", LACKING)
def test_what_is_missing_is_told(text, tmp_path):
    path = tmp_path / "exp.yaml"
    path.write_text(text)
    assert mistake(lambda: check_files(["--config", str(path)])).startswith(f"{path}: {LACKING[text]}")
    flags = ["--model.network.encoder=crnn", "--model.losses.tags.loss", "mil", "--data.corpus", "desed"]
    check_files(["--config", str(path), *flags])
    check_files(["--config", str(path), "--print_config"])


@pytest.mark.parametrize(
    ("text", "what"), [("[model, data]", "a list"), ("model", "a text"), ("3", "a number"), ("true", "true or false")]
)
def test_a_file_without_settings_is_refused(text, what, tmp_path):
    path = tmp_path / "exp.yaml"
    path.write_text(text)
    said = f"--config {path} holds {what}, not settings; write model: {{network: "
    assert mistake(lambda: check_files(["--config", str(path)])).startswith(said)
    assert mistake(lambda: merged([path])).startswith(said)


def test_a_value_that_is_replaced_may_be_wrong(tmp_path):
    base, first, second = (tmp_path / f"{name}.yaml" for name in ("base", "first", "second"))
    base.write_text(ENOUGH)
    first.write_text("data: {duration: 10s, batch: {weak: -4}}\nmodel: {optimizer: adamw}")
    second.write_text("data: {duration: 10, batch: {weak: 4}}\nmodel: {optimizer: AdamW}")
    check_files(["--config", str(base), "--config", str(first), "--config", str(second)])
    first.write_text(first.read_text().replace("weak: -4", "weka: -4"))
    flags = ["--data.duration=10", "--data.batch", "{weak: 4}", "--model.optimizer", "AdamW"]
    check_files(["--config", str(base), "--config", str(first), *flags])
    check_files(["--config", str(first), "--print_config"])
    assert "data.duration" in mistake(lambda: check_files(["--config", str(second), "--config", str(first)]))


@pytest.mark.parametrize("corpus", ["{class_path: desed, init_args: {root: .}}", "desed"])
def test_a_corpus_that_is_replaced_may_be_wrong(corpus, tmp_path):
    path, inner = tmp_path / "exp.yaml", "{class_path: desed, init_args: {root: not/there}}"
    path.write_text(ENOUGH.replace("{class_path: desed}", inner))
    check_files(["--config", str(path), "--data.corpus", corpus])
    path.write_text(ENOUGH.replace("{class_path: desed}", f"{{class_path: pseudo, init_args: {{corpus: {inner}}}}}"))
    check_files(["--config", str(path), "--data.corpus.corpus", corpus])


def test_files_may_name_a_class_differently(tmp_path):
    base, over = tmp_path / "base.yaml", tmp_path / "over.yaml"
    arguments = "init_args: {train: {mine: train/mine}}"
    base.write_text(ENOUGH.replace("{class_path: desed}", f"{{class_path: wsed.data.DESED, {arguments}}}"))
    over.write_text("data: {corpus: {class_path: desed, init_args: {root: .}}, batch: {mine: 4}}")
    check_files(["--config", str(base), "--config", str(over)])


def test_other_packages_may_register_anything(tmp_path, monkeypatch):
    texts = [
        "model: {losses: {a: {loss: theirs}}}", "evaluation: {metrics: [theirs]}", "data: {corpus: Theirs}",
        "data: {corpus: {class_path: theirs, init_args: {root: 's3://not/there'}}}",
    ]  # fmt: skip
    base, over = tmp_path / "base.yaml", tmp_path / "over.yaml"
    base.write_text(ENOUGH)
    for text in texts:
        over.write_text(text)
        assert "theirs" in mistake(lambda: check_files(["--config", str(base), "--config", str(over)])).lower()
    monkeypatch.setattr("wsed.cli.early.plugins", lambda kind: {"other"} if kind == "encoder" else set())
    for text in texts:
        over.write_text(text)
        check_files(["--config", str(base), "--config", str(over)])


def test_a_class_beside_the_yaml_is_found(tmp_path, monkeypatch):
    (tmp_path / "my_beside.py").write_text("raise RuntimeError('not to be imported')")
    (tmp_path / "base.yaml").write_text(ENOUGH)
    (tmp_path / "exp.yaml").write_text("model: {network: {encoder: my_beside.Net}}")
    monkeypatch.chdir(tmp_path)
    check_files(["--config", "base.yaml", "--config", "exp.yaml"])


def test_types_read_from_source_are_those_of_the_classes():
    known, compared = Signatures.read(), 0
    classes = {SECTIONS[section]: cls for section, cls in sections().items()}
    for module, name in HOMES.values():
        registry = getattr(importlib.import_module(module), name)
        names = known.names[registry.kind]
        classes |= {names[name]: registry[name] for name in registry.names() if registry.kind != "metric"}
    for name, cls in classes.items():
        read, real = known.arguments(name), settings_of(cls)
        assert read is not None, name
        assert read.keys() == real.keys(), name
        for setting, annotation in read.items():
            plain = annotation.plain()
            assert plain is None or set(members(plain)) == set(members(real[setting])), (name, setting)
            compared += plain is not None
    assert compared > 200


def test_what_is_right_is_passed(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    (tmp_path / "config.yaml").write_text(
        yaml.safe_dump(read_config([f"--config={path}", "--data.corpus.root=."]))
    )  # as a run writes it
    check_files([f"--config={tmp_path / 'config.yaml'}"])
    check_files([f"--config={path}", "--resume", "auto", "--data.corpus.root=."])
    check_files([f"--config={EXPERIMENTS / 'quickstart.yaml'}", *ROOTS])


@pytest.mark.parametrize("base", sorted(EXPERIMENTS.glob("*/base*.yaml")), ids=lambda path: path.parent.name)
def test_rows_of_experiments_are_refused_only_as_later(base):
    for row in base.parent.glob("rows/*.yaml"):
        try:
            check_files([f"--config={base}", f"--config={row}", *ROOTS])
        except WsedError:  # a row of another base, perhaps with several mistakes
            mistake(lambda files=(base, row): _later(files))


ROOTS = ("--data.corpus.root=.", "--data.corpus.corpus.root=.")
"""Settings in place of folders that only a user has."""


def _later(files):
    config = merged(files)
    check_settings(config)
    require(config, ())


def test_neither_torch_nor_lightning_is_imported(tmp_path):
    texts = MISTAKES | LITERALS | LIGHTNING
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.yaml").write_text(text)
    code = (
        "import sys; from wsed.cli.main import main; "
        f"status = {{main(['fit', '--config', f'{{i}}.yaml']) for i in range({len(texts)})}}; "
        "print(status, 'torch' in sys.modules, 'lightning' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "{2} False False\n"
    lines = done.stderr.splitlines()
    assert len(lines) == len(texts)
    assert all(said in line for said, line in zip(texts.values(), lines, strict=True))


BEST = ["--ckpt-path", "best"]
MORE = {"search": ["--space", "space.yaml"], "validate": BEST, "test": BEST, "predict": BEST}


@pytest.mark.parametrize("verb", MORE)
def test_other_verbs_check_files_before_torch_is_imported(verb, tmp_path):
    (tmp_path / "exp.yaml").write_text("modle: {}")
    code = (
        "import sys; from wsed.cli.main import main; "
        f"print(main({[verb, '--config', 'exp.yaml', *MORE[verb]]}), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "2 False\n"
    assert "exp.yaml: there is no setting 'modle' (did you mean model?)" in done.stderr


LINES = {
    "--modle.network crnn": "--modle.network: there is no setting 'modle' (did you mean model?)",
    "--trainer.max-epoch 3": "--trainer.max_epoch: trainer has no setting 'max_epoch' (did you mean max_epochs",
    "--data.batches.weak=4": "--data.batches.weak: data has no setting 'batches' (did you mean batch",
    "--rank-timout 3": "--rank_timout: there is no setting 'rank_timout' (did you mean rank_timeout?)",
    "--model.decoder.threshold 0.3": "model.decoder is evaluation.decoder since wsed 0.2",
    "exp.yaml": "unexpected 'exp.yaml': give a configuration by --config exp.yaml",
    "--ckpt-path gone.ckpt": "no such checkpoint: gone.ckpt",
    "--init-from gone.ckpt": "no such checkpoint: gone.ckpt",
}


def test_mistakes_on_the_command_line_are_found_before_torch_is_imported(tmp_path):
    (tmp_path / "exp.yaml").write_text(ENOUGH)
    code = (
        "import sys; from wsed.cli.main import main; "
        f"status = {{main(['fit', '--config', 'exp.yaml', *line.split()]) for line in {[*LINES]}}}; "
        "print(status, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "{2} False\n"
    lines = done.stderr.splitlines()
    assert len(lines) == len(LINES)
    assert all(said in line for said, line in zip(LINES.values(), lines, strict=True))


def test_flags_and_checkpoints_that_may_be_right_are_passed(tmp_path):
    enough = ENOUGH.replace("desed", "desed, init_args: {root: .}")
    (tmp_path / "exp.yaml").write_text(f"{enough}\ninit_from: gone.ckpt")
    (tmp_path / "there.ckpt").touch()
    exp = ["--config", str(tmp_path / "exp.yaml")]
    for line in (
        f"--ckpt_path {tmp_path}/there.ckpt --trusted false",
        "--ckpt_path best",
        "--resume auto --overwrite",
        "--init-from null --trainer.callbacks+ RichProgressBar --trainer.logger.save_dir x",
    ):
        check_files([*exp, *line.split()])
    assert mistake(lambda: check_files(exp)) == "no such checkpoint: gone.ckpt"
    assert "gone.ckpt" in mistake(lambda: check_files([*exp, "--ckpt_path", "null"]))


def test_settings_of_sections_are_those_of_the_classes():
    known = Signatures.read()
    for name, cls in SECTIONS.items():
        assert set(known.arguments(cls)) == set(settings_of(sections()[name]))
