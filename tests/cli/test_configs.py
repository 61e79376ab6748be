"""Several `--config` are one, merged by name."""

import contextlib
from pathlib import Path

import pytest
import yaml

from wsed.cli.configs import merge, prepared
from wsed.cli.main import main

TINY = """
model:
  network:
    encoder: {class_path: crnn, init_args: {activation: glu, channels: 4}}
    frontend: {class_path: logmel, init_args: {sample_rate: 8000, n_fft: 256, hop_length: 160, f_max: 4000.0}}
    head: framewise
  losses:
    tags: {loss: mil}
    apart: {loss: cosine_penalty, weight: 0.1}
  optimizer: {class_path: torch.optim.AdamW, init_args: {lr: 1e-3, weight_decay: 0.1}}
data: {corpus: {class_path: desed, init_args: {validation: validation/validation}}, batch: {weak: 4}}
trainer: {max_epochs: 1, callbacks: [{class_path: lightning.pytorch.callbacks.LearningRateMonitor}]}
"""


@pytest.fixture
def files(tmp_path):
    """Files of the configurations given to it, the first of which is `TINY`."""

    def written(*more):
        paths = [tmp_path / f"{'tiny' if i == 0 else f'more_{i}'}.yaml" for i in range(1 + len(more))]
        for path, text in zip(paths, (TINY, *more), strict=True):
            path.write_text(text)
        return [arg for path in paths for arg in ("--config", str(path))]

    return written


def resolved(args, capsys, verb="fit"):
    """What `--print_config` prints, and what stands on stderr."""
    with contextlib.suppress(SystemExit):
        main([verb, *args, "--print-config"])
    printed = capsys.readouterr()
    return yaml.safe_load(printed.out), printed.err


def merged(args, capsys):
    """The file that the parser gets, and what stands on stderr."""
    with prepared(["fit", *args]) as given:
        (path,) = (arg.removeprefix("--config=") for arg in given if arg.startswith("--config="))
        return yaml.safe_load(Path(path).read_text()), capsys.readouterr().err


def test_a_second_config_changes_what_it_names_and_no_more(files, capsys):
    # /work/shared/cases/03: the losses of the second replaced those of the first
    config, said = resolved(files("model: {losses: {apart: {weight: 0.5}}}"), capsys)
    losses = config["model"]["losses"]
    assert sorted(losses) == ["apart", "tags"]
    assert losses["apart"]["weight"] == 0.5
    assert losses["apart"]["loss"]["class_path"].endswith("CosinePenalty")
    assert said == ""


def test_another_class_replaces_the_arguments_of_the_first(files, capsys):
    config, said = merged(files("model: {optimizer: {class_path: torch.optim.Adam, init_args: {lr: 2e-3}}}"), capsys)
    assert config["model"]["optimizer"]["init_args"] == {"lr": 2e-3}
    assert "more_1.yaml: replaces model.optimizer torch.optim.AdamW by torch.optim.Adam\n" in said


def test_the_same_class_by_another_spelling_keeps_its_arguments(files, capsys):
    config, said = merged(files("model: {network: {encoder: {class_path: crnn, init_args: {dense: 8}}}}"), capsys)
    encoder = config["model"]["network"]["init_args"]["encoder"]["init_args"]
    assert (encoder["channels"], encoder["dense"], encoder["activation"]) == (4, 8, "glu")
    assert said == ""


def test_a_list_replaces_and_null_removes(files, capsys):
    more = "{trainer: {callbacks: []}, model: {losses: {apart: null}}, data: {corpus: {init_args: {validation: null}}}}"
    config, said = merged(files(more), capsys)
    assert config["trainer"]["callbacks"] == []
    assert sorted(config["model"]["losses"]) == ["tags"]
    assert config["data"]["corpus"]["init_args"]["validation"] is None  # a value like others
    assert "replaces the list trainer.callbacks" in said
    assert "removes model.losses.apart" in said


def test_settings_of_the_command_line_win_wherever_they_stand(files, capsys):
    args = files("model: {losses: {apart: {weight: 0.5}}}")
    setting = ["--model.losses.apart.weight", "0.7"]
    for verb, given in (("fit", [*args, *setting]), ("test", [*setting, *args])):
        assert resolved(given, capsys, verb)[0]["model"]["losses"]["apart"]["weight"] == 0.7


def test_a_name_with_a_hyphen_keeps_it(files, capsys):
    args = files("model: {losses: {apart: null, far-apart: {loss: cosine_penalty, weight: 0.1}}}")
    config, _ = resolved([*args, "--model.losses.far-apart.weight", "0.7", "--trainer.max-epochs", "9"], capsys)
    assert config["model"]["losses"]["far-apart"]["weight"] == 0.7
    assert config["trainer"]["max_epochs"] == 9


def test_a_run_is_called_after_its_row(tmp_path):
    for name in ("base", "row", "overlay"):
        (tmp_path / f"{name}.yaml").write_text(TINY)
    with prepared(["fit", *(f"--config={tmp_path / name}.yaml" for name in ("base", "row", "overlay"))]) as args:
        assert args[1].endswith("/row.yaml")


def test_the_merged_file_is_called_as_the_first(files):
    with prepared(["fit", *files("trainer: {max_epochs: 2}")]) as args:
        (config,) = [Path(arg.removeprefix("--config=")) for arg in args if arg.startswith("--config=")]
        assert config.stem == "tiny"  # and so is the run's folder
    assert not config.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [("- a\n", "holds a list, not settings"), ("a: [", "is not valid YAML"), (None, "no such --config")],
)
def test_what_is_no_configuration_is_named(text, message, files, tmp_path, capsys):
    args = files(text or "")
    if text is None:
        (tmp_path / "more_1.yaml").unlink()
    assert main(["fit", *args]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert "more_1.yaml" in told


def test_lists_of_heads_replace_one_head():
    result, changes = merge({"head": {"class_path": "a"}}, {"head": [{"class_path": "a"}, {"class_path": "b"}]})
    assert result == {"head": [{"class_path": "a"}, {"class_path": "b"}]}
    assert changes == []
