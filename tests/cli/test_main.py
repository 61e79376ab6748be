"""The verbs: found by their files, listed without being imported; one dialect of flags."""

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

import wsed.cli
from wsed.cli import flags, verbs
from wsed.cli.main import GROUPS, main

HOME = Path(wsed.cli.__file__).parent


def test_each_module_with_main_is_a_verb_with_a_line_of_help():
    with_main = set()
    for path in HOME.rglob("*.py"):
        names = {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}
        if "main" in names and path.name != "main.py":
            with_main.add(" ".join(part.rstrip("_") for part in path.relative_to(HOME).with_suffix("").parts))
    assert {verb.name for verb in verbs.all_verbs()} == with_main
    for verb in verbs.all_verbs():
        module = import_module(verb.module)
        assert verb.help == module.HELP  # type: ignore[attr-defined]
        assert verb.group in GROUPS


def test_help_lists_each_verb_with_what_it_does(capsys):
    assert main(["--help"]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    for verb in verbs.all_verbs():
        assert any(line.startswith(f"{verb.name} ") and line.endswith(verb.help) for line in lines)
    assert main(["data"]) == 0
    assert "synth    make a corpus" in capsys.readouterr().out


def test_a_new_verb_is_one_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(wsed.cli, "__path__", [*wsed.cli.__path__, str(tmp_path)])
    monkeypatch.setattr(verbs, "HOMES", (HOME, tmp_path))
    verbs.all_verbs.cache_clear()
    (tmp_path / "greet.py").write_text(
        'HELP = "says hello"\n\n\ndef main(args):\n    print("hello", *args)\n    return 3\n'
    )
    assert main(["--help"]) == 0
    assert re.search(r"More:\n  greet +says hello", capsys.readouterr().out)
    assert main(["greet", "you"]) == 3
    assert capsys.readouterr().out == "hello you\n"
    monkeypatch.undo()
    verbs.all_verbs.cache_clear()


def test_unknown_verbs_are_answered_with_near_ones(capsys):
    for args, answer in ((["fitt"], "did you mean fit"), (["data", "synht"], "did you mean synth")):
        assert main(args) == 2
        assert answer in capsys.readouterr().err


def test_help_of_a_training_begins_with_how_it_is_called(capsys):
    """The usage was a list of all settings, over 60 lines."""
    with pytest.raises(SystemExit):
        main(["fit", "--help"])
    usage, blank, *_ = (told := capsys.readouterr().out).splitlines()
    assert usage.endswith("fit --config FILE [--config FILE ...] [--SETTING VALUE ...] [--trusted false]")
    assert not blank
    assert "With --trusted false, files may name only components of wsed" in " ".join(told.split())


def test_tune_is_the_old_name_of_search(capsys):
    pytest.importorskip("optuna", reason="the extra tune is not installed")
    with pytest.raises(SystemExit):
        main(["tune", "--help"])
    told = capsys.readouterr()
    assert told.err == "wsed: `wsed tune` is now called `wsed search`\n"
    assert "usage: wsed search" in told.out


def test_names_are_listed_with_what_they_are(capsys):
    assert main(["list", "loss"]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["cosine_penalty"] == wsed.losses.cosine_penalty.CosinePenalty.__doc__.splitlines()[0]  # type: ignore[attr-defined]
    assert main(["list", "losses"]) == 2
    assert "unknown kind" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--max-missing", "--max_missing"])
def test_words_of_a_flag_are_joined_by_either(flag, capsys):
    with pytest.raises(SystemExit):
        main(["data", "check", ".", flag, "1.5"])
    assert "argument --max-missing: 1.5 is not a share" in capsys.readouterr().err


def test_values_keep_their_hyphens():
    assert flags.underscores(["fit", "--ckpt-path", "a-b", "--trainer.max-epochs=3", "-c", "d-e.yaml"]) == [
        "fit", "--ckpt_path", "a-b", "--trainer.max_epochs=3", "-c", "d-e.yaml"
    ]  # fmt: skip


def test_variables_of_other_programs_do_not_hide_an_error(monkeypatch, capsys):
    monkeypatch.setenv("RANK", "a")
    monkeypatch.setenv("WORLD_SIZE", "")
    assert main(["evaluate", "--reference", "none.tsv", "--predictions", "none.tsv"]) == 2
    assert "wsed: error: " in capsys.readouterr().err
